"""Keeps a mirror in order: its configuration, what dead writers have left, when to put packs together."""

import os
import shutil
import time
from pathlib import Path
from typing import Final

from services.git.packs import BEGUN

MANY_PACKS: Final = 50
# Its time says when what no ref reaches was dropped last.
_DROPPED: Final = "lockstep-dropped"
_ABANDONED_SECONDS: Final = 24 * 3600

# Three harmless faults of old tools are let through, as the large forges do; everything else is refused.
CONFIG: Final = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\thooksPath = /dev/null
[gc]
\tauto = 0
[transfer]
\tfsckObjects = true
[fetch "fsck"]
\tzeroPaddedFilemode = ignore
\tmissingSpaceBeforeDate = ignore
\tbadTimezone = ignore
"""


def count_packs(mirror: Path) -> int:
    """Give the number of packs: every fetch and every commit leaves one."""
    return sum(1 for _ in (mirror / "objects" / "pack").glob("*.pack"))


def graph_is_old(mirror: Path) -> bool:
    """Say whether packs have come since the commit-graph was written."""
    return _time(mirror / "objects" / "info" / "commit-graph") < _time(mirror / "objects" / "pack")


def dropped_before(mirror: Path, then: float) -> bool:
    """Say whether it is longer ago that unreachable objects were dropped, or, if never, that the mirror was made."""
    return (_time(mirror / _DROPPED) or _time(mirror / "config")) < then


def mark_dropped(mirror: Path, now: float) -> None:
    """Remember when unreachable objects were dropped."""
    (mirror / _DROPPED).touch()
    os.utime(mirror / _DROPPED, (now, now))


def sweep_abandoned(mirror: Path, now: float) -> None:
    """Remove what processes that ended long ago have left; no lock is needed for what nobody can be writing."""
    pack = mirror / "objects" / "pack"
    begun = mirror.parent.glob(f"{mirror.name}{BEGUN}*")
    for file in (*pack.glob("tmp_*"), *pack.glob(".tmp-*"), *begun):
        if _time(file) < now - _ABANDONED_SECONDS:
            file.unlink(missing_ok=True)


def _time(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def sweep(mirror: Path) -> None:
    """Remove what a writer that died has left; only for who holds the writer lock, so nobody else owns it."""
    for folder in mirror.parent.glob(f"{mirror.name}.tmp-*"):
        shutil.rmtree(folder, ignore_errors=True)
    begun_before = time.time() - _ABANDONED_SECONDS
    for file in mirror.parent.glob(f"{mirror.name}{BEGUN}*"):
        if file.stat().st_mtime < begun_before:
            file.unlink(missing_ok=True)
    left = [*mirror.glob("*.lock"), *mirror.glob("refs/**/*.lock"), *mirror.glob("objects/**/*.lock")]
    left += [*mirror.glob("objects/**/tmp_*"), *mirror.glob("objects/incoming-*")]
    for item in left:
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)
