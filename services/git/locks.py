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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.core.errors import BusyError
from services.runtime.context import current_call

_POLL_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = 2.0
MAX_WAITING: Final = 8


@dataclass(frozen=True)
class Held:
    """A lock that is held. ``fd`` is for git processes to inherit; ``unclean`` that the last writer died."""

    fd: int
    unclean: bool


@dataclass
class _Queue:
    """The threads of this process that hold the lock of one file or wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0
    gives_way: threading.Event | None = None


class WriterLocks:
    """Hands out the writer lock of each mirror."""

    def __init__(self, wait_seconds: float) -> None:
        """Take the longest anybody waits."""
        self._wait = wait_seconds
        self._guard = threading.Lock()
        self._queues: dict[Path, _Queue] = {}

    @contextmanager
    def hold(
        self,
        file: Path,
        wait: float | None = None,
        gives_way: threading.Event | None = None,
    ) -> Iterator[Held]:
        """Hold the lock on a file; raise BusyError when others keep it for too long, or too many wait.

        It may be released on another thread than the one that took it. ``wait`` is in seconds, where it is
        not the longest anybody waits. ``gives_way`` is set when somebody else in this process wants the lock.
        """
        until = time.monotonic() + (self._wait if wait is None else wait)
        with self._turn(file, until, gives_way):
            fd = _flock(file, until)
            try:
                unclean = os.fstat(fd).st_size > 0
                os.pwrite(fd, b"w", 0)
                yield Held(fd, unclean)
                os.ftruncate(fd, 0)
            finally:
                os.close(fd)

    @contextmanager
    def _turn(self, file: Path, until: float, gives_way: threading.Event | None) -> Iterator[None]:
        """Be the one thread of this process that may ask for the lock."""
        with self._guard:
            queue = self._queues.setdefault(file, _Queue())
            if queue.threads > MAX_WAITING:
                raise _busy()
            queue.threads += 1
        try:
            while not queue.lock.acquire(timeout=_POLL_SECONDS * 5):
                if queue.gives_way:
                    queue.gives_way.set()
                _patience(until)
            queue.gives_way = gives_way
            try:
                yield
            finally:
                queue.gives_way = None
                queue.lock.release()
        finally:
            with self._guard:
                queue.threads -= 1
                if not queue.threads:
                    self._queues.pop(file, None)


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
        raise _busy()


def _busy() -> BusyError:
    return BusyError(
        "the workspace is being written by somebody else",
        retry_after=_RETRY_SECONDS,
        remedy="try again in a moment",
    )
