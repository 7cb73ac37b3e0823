"""The command ``lockstep``: a client of the gateway.

Exit codes: 0 done, 1 failed, 2 usage or invalid input, 3 a conflict or quarantine needs a person,
4 sign-in, 130 interrupted. Every failure is one line on standard error.
"""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from gateway.cli import (
    conflict_commands,
    files_commands,
    publication_commands,
    record_commands,
    review_commands,
    server_commands,
    sync_commands,
    workspace_commands,
)
from services.core import errors
from services.runtime.logs import redact

FAILED: Final = 1
USAGE: Final = 2
NEEDS_PERSON: Final = 3
SIGN_IN: Final = 4
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
# A remote or forge that does not take the workspace's token: somebody has to sign in there.
_SIGN_IN_REASONS: Final = frozenset({"REMOTE_AUTH", "FORGE_TOKEN"})

app = typer.Typer(
    name="lockstep",
    help="Keeps a team's database and its Git repository in step.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def root(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data folder of a standalone Lockstep; LOCKSTEP_DATA when left out."),
    ] = None,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Keep a team's database and its Git repository in step."""
    del data  # Read from the context by the commands that need it.
    if show_version:
        typer.echo(f"lockstep {version('lockstep')}")
        raise typer.Exit


for area in (
    server_commands,
    workspace_commands,
    sync_commands,
    publication_commands,
    record_commands,
    files_commands,
    conflict_commands,
    review_commands,
):
    area.register(app)


def main(arguments: Sequence[str]) -> int:
    """Run a command; give its exit code."""
    try:
        code = app(_data_first(arguments), prog_name="lockstep", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except errors.LockstepError as error:
        return _fail(str(error), exit_code_of(error))
    except TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Python would complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except SystemExit:
        # Typer's own way to end when the reader has gone.
        return BROKEN_PIPE
    except OSError as error:
        return _fail(f"{error.filename or 'the system'}: {error.strerror or error}", FAILED)
    except Exception as error:  # noqa: BLE001  nobody is helped by a traceback
        return _fail(f"an error nobody foresaw ({type(error).__name__}: {error}): please report it", FAILED)


def exit_code_of(error: errors.LockstepError) -> int:
    """Give the exit code of a domain error."""
    if isinstance(error, errors.SignInError | errors.ForbiddenError) or error.reason in _SIGN_IN_REASONS:
        return SIGN_IN
    if isinstance(error, errors.NeedsPersonError):
        return NEEDS_PERSON
    return USAGE if isinstance(error, errors.InvalidInputError) else FAILED


def run() -> None:
    """Run the command line of this process."""
    sys.exit(main(sys.argv[1:]))


def _data_first(arguments: Sequence[str]) -> list[str]:
    """Put --data before the command: it is an option of all of them."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--data":
            first += [word, *[value for value in (next(words, None),) if value is not None]]
        elif word.startswith("--data="):
            first.append(word)
        else:
            rest.append(word)
    return first + rest


def _usage(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "lockstep"
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message(), err=True)
        return USAGE
    message = " ".join(error.format_message().split()).rstrip(".")
    return _fail(f"{message}: see `{path} --help`", error.exit_code)


def _fail(message: str, code: int) -> int:
    typer.echo(f"lockstep: {redact(' '.join(message.split()))}", err=True)
    return code


if __name__ == "__main__":
    run()
