"""How much disk the mirrors of a tenant may take. Looked at before a mirror grows, and while a clone does."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.core.errors import BusyError

REASON: Final = "QUOTA"
_RETRY_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Quota:
    """``allowed`` bytes for each tenant, 0 for any number. ``exceeded`` is called when somebody is refused."""

    root: Path
    allowed: int = 0
    exceeded: Callable[[], None] = lambda: None

    def used(self, tenant_id: str) -> int:
        """Give the bytes that the tenant's mirrors take, with what is being made beside them."""
        return size_of(self.root / tenant_id)

    def check(self, tenant_id: str, going: int = 0) -> None:
        """Raise BusyError (reason QUOTA) when a tenant uses more than it may, ``going`` bytes not counted."""
        if not self.allowed:
            return
        used = self.used(tenant_id) - going
        if used > self.allowed:
            self.exceeded()
            raise BusyError(
                f"the local copies of this team's repositories use {_shown(used)} of {_shown(self.allowed)} allowed",
                retry_after=_RETRY_SECONDS,
                remedy="remove a workspace that is no longer needed, or ask the operator to raise git.quota_bytes",
                reason=REASON,
            )


def size_of(folder: Path) -> int:
    """Give the bytes of all files below a folder; what goes away meanwhile is not counted."""
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path))
            else:
                with contextlib.suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False).st_size


def _shown(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
