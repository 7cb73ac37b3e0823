"""How much memory a git that speaks to a remote holds: what a remote lists, git keeps until the list ends."""

import contextlib
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_HELPERS: Final = (b"git-remote-", b"remote-")
_KIB: Final = 1024


def held_bytes(pid: int) -> int:
    """Give the bytes of a git process and its transport helpers; 0 where the system does not tell.

    Other programs that it starts, to unpack what has come, have bounds of their own.
    """
    return _held(pid) + sum(held_bytes(child) for child in _children(pid) if _is_helper(child))


def _held(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in (_PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * _KIB
    return 0


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        return [int(word) for word in (_PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    return []


def _is_helper(pid: int) -> bool:
    """Say whether a process is a transport helper: ``git-remote-https``, or the ``git remote-https`` that starts it."""
    with contextlib.suppress(OSError):
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        return any(word.rpartition(b"/")[2].startswith(_HELPERS) for word in words[:2])
    return False
