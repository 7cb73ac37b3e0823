"""The main job on made-up records, step by step: every command is run as a person would run it.

A bare repository in a temporary folder plays the remote. Each step prints the command, what it printed,
and fails the demonstration when the result is not what the step says.
"""

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gateway import samples, standalone
from gateway.cli import output
from gateway.cli.client import Client
from services.core.errors import LockstepError
from services.runtime import config, logs

WORKSPACE: Final = "seeds"
_BRANCH: Final = "main"


class DemonstrationError(LockstepError):
    """A step did not do what it says."""


def run(*, once: bool, port: int | None = None) -> int:
    """Run all steps; then serve until Ctrl-C, unless ``once``. Gives the exit code."""
    logs.configure("error")
    with tempfile.TemporaryDirectory(prefix="lockstep-demo-") as name:
        folder = Path(name)
        remote = make_remote(folder / "remote.git")
        # Of the environment nothing counts: the demonstration has a data folder of its own.
        flags = {"data": folder / "data", "port": (0 if once else port)}
        settings, _ = config.load(flags=flags, environ={})
        with standalone.running(settings) as lockstep, _environment(lockstep):
            with Client(lockstep.url, os.environ["LOCKSTEP_TOKEN"]) as client:
                _steps(remote, client)
            output.line("\nEvery step did what it said.")
            if not once:
                _serve(lockstep)
    return 0


def make_remote(path: Path) -> Path:
    """Make a bare repository that holds the sample records on one commit; give its path."""
    _git(path.parent, "init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(path))
    stream = [f"commit refs/heads/{_BRANCH}\ncommitter Sample Author <author@example.org> 1750000000 +0000\n"]
    stream.append("data <<END\nThe catalogue of a made-up seed library\nEND\n")
    for name, text in samples.files().items():
        stream.append(f"M 100644 inline {name}\ndata {len(text.encode())}\n{text}\n")
    _git(path, "fast-import", "--quiet", text="".join(stream))
    return path


def _steps(remote: Path, client: Client) -> None:
    say, place = output.line, f"/workspaces/{WORKSPACE}"
    say(f"A Git remote with {samples.COUNT} made-up records in three formats: {remote}")

    _step("Add a workspace: a repository, a branch, and the folder that holds records")
    _lockstep("workspace", "add", WORKSPACE, "--repo", str(remote), "--collection", "lots=catalogue")

    _step("Import: every file becomes a record in the database")
    _lockstep("git-pull")
    found = client.get(f"{place}/status")
    _expect(found["in_sync"] and found["records"] == samples.COUNT, "all records are in, and nothing is left over")

    _step("Edit two records and add one, in the database")
    _lockstep("records", "edit", "lot-0042", "--set", "germination=91")
    _lockstep("records", "edit", "lot-0100", "--set", "place=River Bend", "--set", "grams=75")
    fields = ("title=Willow Rye, lot 205", "date=2024-03-01", "kind=grain", "grams=40")
    _lockstep("records", "add", "--id", "lot-0205", *(part for field in fields for part in ("--set", field)))
    _lockstep("git-status")
    _expect(client.get(f"{place}/status")["pending"] == 3, "exactly these three records are pending")  # noqa: PLR2004

    _step("Publish them as a pull request")
    _lockstep("create-pr")
    [publication] = client.get(f"{place}/publications")["publications"]
    branch = publication["branch"]
    say(f"\n  The branch on the remote changes these lines and no others (git diff {_BRANCH} {branch}):\n")
    diff = _git(remote, "diff", "--unified=0", _BRANCH, branch)
    say("\n".join(f"    {line}" for line in diff.splitlines() if line.startswith(("+", "-"))))
    names = _git(remote, "diff", "--name-only", _BRANCH, branch).split()
    _expect(len(names) == 3, "the pull request holds the three records and nothing else")  # noqa: PLR2004
    removed = [line for line in diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    _expect(len(removed) == 3, "only the lines of the three edited fields went")  # noqa: PLR2004

    _step("Merge it; Lockstep sees that the target branch holds the content")
    _lockstep("publications", "merge", publication["id"])
    _lockstep("publications", "list")
    _lockstep("git-status")
    merged = client.get(f"{place}/publications/{publication['id']}")
    _expect(merged["state"] == "merged", "the publication is recognised as merged")
    _expect(client.get(f"{place}/status")["in_sync"], "database and Git are in step again")


def _serve(lockstep: standalone.Running) -> None:
    output.line(f"\nThe page is at {lockstep.url}")
    output.line("Sign in once with this link (good for ten minutes, for one use):")
    _lockstep("open")
    output.line("\nPress Ctrl-C to end; the demonstration's data go with it.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        output.line("")


def _step(title: str) -> None:
    output.line(f"\n── {title}")


def _lockstep(*arguments: str) -> None:
    """Run a command of the command line, in this process."""
    from gateway.cli.main import main  # noqa: PLC0415  it has this module's command

    output.line("\n  $ lockstep " + " ".join(f"'{a}'" if " " in a else a for a in arguments))
    code = main(arguments)
    if code:
        raise DemonstrationError(f"`lockstep {' '.join(arguments)}` ended with exit code {code}")


def _expect(holds: Any, what: str) -> None:
    if not holds:
        raise DemonstrationError(f"the demonstration failed: it is not true that {what}")
    output.line(f"\n  ✓ {what}")


def _git(folder: Path, *arguments: str, text: str | None = None) -> str:
    """Run git on the demonstration's own remote; give what it printed."""
    environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(  # noqa: S603  fixed words on a folder made above
        ["git", "-C", str(folder), *arguments],  # noqa: S607  git is found as everywhere
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environ,
        check=False,
    )
    if done.returncode:
        raise DemonstrationError(f"git {arguments[0]} failed: {done.stderr.strip()}", remedy="run `lockstep doctor`")
    return done.stdout


@contextmanager
def _environment(lockstep: standalone.Running) -> Iterator[None]:
    """Make commands speak to the demonstration's server, with its first token."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("LOCKSTEP_")]:
        del os.environ[name]
    os.environ |= {"LOCKSTEP_SERVER": lockstep.url, "LOCKSTEP_TOKEN": lockstep.first_token}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
