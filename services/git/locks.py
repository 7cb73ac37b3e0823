"""One writer per workspace: over the threads of this process and over processes.

Between processes it is ``flock`` on a file beside the mirror. Its descriptor is handed to the git
processes that write: an orphan of a killed service holds the lock until it ends, so whoever gets the lock
may take every lock file that is left in the mirror for stale. The file holds one byte while somebody
writes; finding it there means that the last writer did not finish.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.core.errors import BusyError
from services.runtime.context import current_call

_POLL_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Held:
    """A lock that is held. ``fd`` is for git processes to inherit; ``unclean`` that the last writer died."""

    fd: int
    unclean: bool


class WriterLocks:
    """Hands out the writer lock of each mirror."""

    def __init__(self, wait_seconds: float) -> None:
        """Take the longest anybody waits."""
        self._wait = wait_seconds
        self._guard = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}

    @contextmanager
    def hold(self, file: Path) -> Iterator[Held]:
        """Hold the lock on a file; raise BusyError when others keep it for too long.

        It may be released on another thread than the one that took it.
        """
        until = time.monotonic() + self._wait
        with self._guard:
            lock = self._locks.setdefault(file, threading.Lock())
        while not lock.acquire(timeout=_POLL_SECONDS * 5):
            _patience(until)
        try:
            fd = _flock(file, until)
            try:
                unclean = os.fstat(fd).st_size > 0
                os.pwrite(fd, b"w", 0)
                yield Held(fd, unclean)
                os.ftruncate(fd, 0)
            finally:
                os.close(fd)
        finally:
            lock.release()


def _flock(file: Path, until: float) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _patience(until)
                time.sleep(_POLL_SECONDS)
            else:
                return fd
    except BaseException:
        os.close(fd)
        raise


def _patience(until: float) -> None:
    current_call().check()
    if time.monotonic() > until:
        raise BusyError(
            "the workspace is being written by somebody else",
            retry_after=_RETRY_SECONDS,
            remedy="try again in a moment",
        )
