"""Keeps a mirror in order: its configuration, what dead writers have left, when to put packs together."""

import shutil
import time
from pathlib import Path
from typing import Final

from services.git.packs import BEGUN

MANY_PACKS: Final = 50
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


def has_many_packs(mirror: Path) -> bool:
    """Say whether it is time to put packs together: every fetch and every commit leaves one."""
    return sum(1 for _ in (mirror / "objects" / "pack").glob("*.pack")) > MANY_PACKS


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
