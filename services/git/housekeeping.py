"""Keeps mirrors small and fast, on a thread of its own and never inside a request.

Each round, for each mirror: packs are put together (no lock is needed: nothing is dropped by it), the
commit-graph is brought up to date, once a week what no ref reaches is dropped after a grace, and a mirror
that nobody has used for long is removed. A tenant above its quota loses the mirrors it has used least
recently. A mirror is a cache: what was made in it and not pushed yet is made again from the database.

Dropping holds the writer lock and gives way: a request that wants the lock ends the git that is at it, and
the next round tries again. Two processes on one data folder take turns by tenant.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from services.core.errors import InvalidInputError, LockstepError
from services.git import names, partial, upkeep
from services.git.locks import Held
from services.git.mirror import Mirror, Parts
from services.runtime.context import Call, current_call, enter

FEW_PACKS: Final = 10
GRACE_DAYS: Final = 14
KEPT_DAYS: Final = 60
DROP_DAYS: Final = 7
_DAY: Final = 24 * 3600.0
# Above its quota a tenant keeps what it uses now.
_IN_USE_SECONDS: Final = 3600.0
_FIRST_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 10.0
_KEPT: Final = "refs/lockstep/"
# A name that no workspace can have.
_TURN: Final = ".housekeeping"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Schedule:
    """A round every ``seconds`` (0: never); mirrors go when unused for ``idle_days`` (0: never)."""

    seconds: float = 0
    idle_days: float = 0


class Housekeeping:
    """The thread. Started with ``start``, ended with ``close``."""

    def __init__(self, parts: Parts, schedule: Schedule, clock: Callable[[], float] = time.time) -> None:
        """Take what mirrors are worked with, the schedule, and a clock in seconds since the epoch."""
        self._parts = parts
        self._schedule = schedule
        self._clock = clock
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless the schedule says never."""
        if self._schedule.seconds:
            self._thread = threading.Thread(target=self._run, name="git-housekeeping", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End; git processes that are at it end too."""
        self._ended.set()
        self._parts.wanted.set()
        if self._thread:
            self._thread.join()

    def round(self) -> None:
        """Look at every mirror once."""
        for folder in sorted(self._parts.root.iterdir()):
            with contextlib.suppress(BlockingIOError, NotADirectoryError), _turn(folder / _TURN):
                mirrors = self._mirrors(folder)
                for mirror in mirrors:
                    self._attempt("look after", mirror, self._look_after)
                self._make_room(folder.name, mirrors)

    def _run(self) -> None:
        # A service that is started anew every hour has its turn too.
        pause = min(self._schedule.seconds, _FIRST_SECONDS)
        while not self._ended.is_set():
            self._parts.wanted.wait(pause)
            pause = self._schedule.seconds
            self._ended.wait(_PAUSE_SECONDS if self._parts.wanted.is_set() else 0)
            self._parts.wanted.clear()
            if not self._ended.is_set():
                self.round()

    def _mirrors(self, folder: Path) -> list[Mirror]:
        found = []
        for path in sorted(folder.glob("*.git")):
            with contextlib.suppress(InvalidInputError):
                found.append(Mirror(self._parts, folder.name, path.name.removesuffix(".git")))
        return [mirror for mirror in found if mirror.exists()]

    def _attempt(self, what: str, mirror: Mirror, work: Callable[[Mirror], None]) -> None:
        if self._ended.is_set():
            return
        # The git processes of this thread end when the service does.
        enter(Call(identity=None, ended=self._ended))
        try:
            work(mirror)
        except LockstepError as error:
            log.info("housekeeping put off", what=what, mirror=str(mirror.path), why=str(error))
        except OSError as error:
            log.warning("housekeeping failed", what=what, mirror=str(mirror.path), why=error.strerror)
        finally:
            enter(None)

    def _look_after(self, mirror: Mirror) -> None:
        idle = self._schedule.idle_days * _DAY
        if idle and self._unused_seconds(mirror) > idle:
            self._remove(mirror, idle)
            return
        upkeep.sweep_abandoned(mirror.path, self._clock())
        if upkeep.count_packs(mirror.path) > FEW_PACKS:
            self._put_together(mirror)
        if upkeep.graph_is_old(mirror.path):
            mirror.runner.run(["commit-graph", "write", "--reachable", "--no-progress"], at=mirror.path)
        if not mirror.partial and upkeep.dropped_before(mirror.path, self._clock() - DROP_DAYS * _DAY):
            self._drop_unreachable(mirror)

    @staticmethod
    def _put_together(mirror: Mirror) -> None:
        if mirror.partial:
            # What is promised has to stay in packs of its own, which a geometric repack does not see to.
            args = ["repack", "-a", "-d", "-k", "-l", "-q", "--threads=1", "--no-write-bitmap-index"]
            mirror.runner.run(args, at=mirror.path, remote=partial.PROMISE)
        else:
            mirror.runner.run(["repack", "-d", "-l", "-q", "--geometric=2"], at=mirror.path)

    def _drop_unreachable(self, mirror: Mirror) -> None:
        with giving_way(mirror) as held:
            self._drop_old_refs(mirror)
            expiry = f"--cruft-expiration=@{int(self._clock() - GRACE_DAYS * _DAY)} +0000"
            args = ["repack", "--cruft", "-d", "-l", "-q", "--threads=1", expiry]
            mirror.runner.run(args, at=mirror.path, keep_fd=held.fd)
            upkeep.mark_dropped(mirror.path, self._clock())

    def _drop_old_refs(self, mirror: Mirror) -> None:
        """Let go of what Lockstep kept long ago: it is on the remote, or is made again when it is wanted."""
        before = self._clock() - KEPT_DAYS * _DAY
        args = ["for-each-ref", "--format=%(committerdate:unix) %(objectname) %(refname)", _KEPT]
        for line in mirror.runner.run(args, at=mirror.path).stdout.decode("utf-8", "surrogateescape").splitlines():
            date, oid, name = line.split(" ", 2)
            if date.isdigit() and int(date) < before:
                mirror.runner.run(["update-ref", "--no-deref", "-d", "--end-of-options", name, oid], at=mirror.path)

    def _make_room(self, tenant_id: str, mirrors: list[Mirror]) -> None:
        quota = self._parts.quota
        if not quota or not quota.allowed:
            return
        for mirror in sorted((m for m in mirrors if m.exists()), key=self._unused_seconds, reverse=True):
            if quota.used(tenant_id) <= quota.allowed:
                return
            self._attempt("remove", mirror, lambda m: self._remove(m, _IN_USE_SECONDS))

    def _remove(self, mirror: Mirror, unused: float) -> None:
        """Remove a mirror, unless somebody has used it meanwhile."""
        with mirror.writing(wait=0):
            if self._unused_seconds(mirror) > unused:
                mirror.remove()
                log.info("a mirror that nobody used was removed", mirror=str(mirror.path))

    def _unused_seconds(self, mirror: Mirror) -> float:
        return self._clock() - mirror.used_at()


@contextmanager
def giving_way(mirror: Mirror) -> Iterator[Held]:
    """Hold the writer lock of a mirror until somebody wants it: the git that runs in here ends then.

    Raises BusyError when it is held already, CancelledError when it was wanted.
    """
    outer = current_call()
    wanted = threading.Event()
    with mirror.writing(wait=0, gives_way=wanted) as held:
        enter(Call(identity=None, ended=_Either(wanted, outer.ended)))
        try:
            yield held
        finally:
            enter(outer)


class _Either(threading.Event):
    """An event that is set when one of two is."""

    def __init__(self, one: threading.Event, other: threading.Event) -> None:
        super().__init__()
        self._both = (one, other)

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._both)


@contextmanager
def _turn(file: Path) -> Iterator[None]:
    """Be the one process that looks after a tenant; raise BlockingIOError when another one does."""
    names.identifier(file.parent.name, "tenant_id")
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)
