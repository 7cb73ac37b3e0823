"""Partial clones: mirrors that hold the contents of those files only that somebody has read (``blob:none``).

What the packs of such a mirror name and do not hold is promised by the remote. Git is told so in its environment,
and only where it has to know: the mirror's configuration would keep the remote's address. The long-lived readers
know of no promise. A blob that is not there is missing to them, and never fetched in the middle of an answer.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.git.remotes import Remote

NAME: Final = "lockstep"
FILTER: Final = "blob:none"
# Says that the mirror was asked to be partial, and whether the remote went along.
_MARK: Final = "lockstep-partial"
_WHOLE: Final = "whole"
_PROMISE: Final = ((f"remote.{NAME}.promisor", "true"), (f"remote.{NAME}.partialCloneFilter", FILTER))
# `log --follow` compares a new file with all others: with this few of them, else with those that changed, too.
_RENAMES: Final = ("diff.renameLimit", "30")
# For git that works on the mirror alone.
PROMISE: Final = Remote("", _PROMISE)


def promising(remote: Remote) -> Remote:
    """Give a remote that has what the mirror lacks, for git to ask under the name NAME."""
    return replace(remote, config=(*remote.config, *_PROMISE, (f"remote.{NAME}.url", remote.url), _RENAMES))


def asked_by_name(remote: Remote) -> Remote:
    """Give a remote for a fetch of objects by name, which needs no talk of what is here already."""
    said = promising(remote)
    return replace(said, config=(*said.config, ("fetch.negotiationAlgorithm", "noop")))


def was_asked_for(mirror: Path) -> bool:
    """Say whether a mirror was to be partial when it was made."""
    return (mirror / _MARK).exists()


def is_partial(mirror: Path) -> bool:
    """Say whether a mirror may lack contents of files."""
    try:
        return (mirror / _MARK).read_text(encoding="ascii").strip() == FILTER
    except (OSError, UnicodeError):
        return False


def mark(mirror: Path, *, filtered: bool) -> None:
    """Note that a mirror was to be partial; where the remote sent everything, no promise is left in it."""
    if not filtered:
        for file in _promises(mirror):
            file.unlink(missing_ok=True)
    (mirror / _MARK).write_text(f"{FILTER if filtered else _WHOLE}\n", encoding="ascii")


def _promises(mirror: Path) -> Iterable[Path]:
    return (mirror / "objects" / "pack").glob("*.promisor")
