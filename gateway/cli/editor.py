"""Opens a record's content in the user's editor."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from services.core.errors import InvalidInputError, StateError
from services.core.formats import FORMATS
from services.core.values import ParseError, Value, equal


def edited(content: dict[str, Value], name: str) -> dict[str, Value] | None:
    """Give the content as the user leaves it, written as YAML; None when nothing was changed.

    The editor is $VISUAL or $EDITOR. What cannot be read is kept in a file that the error names.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        raise InvalidInputError("no editor is set", remedy="set EDITOR, or use --set field=value or --file FILE")
    form = FORMATS["yaml"]
    with tempfile.NamedTemporaryFile(prefix="lockstep-", suffix=".yaml", delete=False) as stream:
        stream.write(form.new(content))
    path = Path(stream.name)
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603  the user's own
    except OSError as error:
        path.unlink()
        raise InvalidInputError(
            f"the editor '{command}' does not start", remedy="set EDITOR to one that does"
        ) from error
    if done.returncode:
        path.unlink()
        raise StateError(f"the editor ended with code {done.returncode}", remedy=f"{name} was not changed")
    try:
        new = form.parse(path.read_bytes())
    except ParseError as error:
        raise InvalidInputError(
            f"line {error.line}: {error.message}",
            remedy=f"the text is kept in {path}",
        ) from None
    path.unlink()
    return None if equal(new, content) else new
