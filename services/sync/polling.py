"""Polling: each workspace's remote is looked at in its own interval, and imported from when it has moved.

One durable job a workspace, in its lane, so that no two look at once whatever the number of replicas. Where a look
fails, the next ones come later and later; what only a person can settle is not tried again before the remote has
moved on. A webhook hastens the job; many of them make one look.
"""

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final, Protocol

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import BusyError, LockstepError, NeedsPersonError, NotFoundError
from services.runtime.database import Database
from services.runtime.jobs import Job, JobQueue
from services.runtime.worker import Again, Done, Outcome
from services.sync import store
from services.sync.git_client import GitClient
from services.sync.importer import Importer, Options
from services.sync.search_index import SearchIndex
from services.sync.store import Scope

KIND: Final = "poll"
BY_POLLING: Final = "polling"
# A new workspace is left to who made it for so long.
FIRST_SECONDS: Final = 60.0
# Webhooks come in bursts; one import is enough for them.
SOON_SECONDS: Final = 2.0
# Where polling is off, only a request makes it look.
NEVER_SECONDS: Final = 10 * 365 * 86400.0
# What failed where polling is off is tried again as if it were on.
_UNASKED_SECONDS: Final = 60
_LONGEST_PAUSE: Final = 3600.0
_SPREAD: Final = 0.2
_UNKNOWN: Final = -1


class Intervals(Protocol):
    """Who knows how often workspaces want to be looked at."""

    def seconds(self, scope: Scope) -> int:
        """Give the seconds between two looks, 0 for never; raise NotFoundError when the workspace is gone."""


@dataclass(frozen=True)
class Seen:
    """What the last look found; kept as the job's payload. ``held_at`` is a commit that waits for a person."""

    every: int = _UNKNOWN
    looked_at: int = 0
    held_at: str = ""
    held_why: str = ""


class Schedule:
    """The jobs that look at remotes, as callers see them."""

    def __init__(self, queue: JobQueue) -> None:
        """Take the queue on the service's jobs table."""
        self._queue = queue

    def watch(self, tx: sa.Connection, scope: Scope) -> None:
        """Begin to look at a workspace's remote, in a while; nothing happens where that is done already."""
        key, lane = _key(scope), scope.workspace_id
        self._queue.put(tx, tenant_id=scope.tenant_id, key=key, workspace=lane, kind=KIND, delay=FIRST_SECONDS)

    def soon(self, tx: sa.Connection, scope: Scope) -> None:
        """Look at a workspace's remote soon; once, however often it is asked for meanwhile."""
        self._queue.hasten(tx, scope.tenant_id, _key(scope), SOON_SECONDS)

    def forget(self, tx: sa.Connection, scope: Scope) -> None:
        """Look at it no more."""
        self._queue.remove(tx, scope.tenant_id, _key(scope))

    def standing(self, tx: sa.Connection, scope: Scope) -> sync_pb2.Polling:
        """Give how it stands; an error that an import after it has settled is not shown."""
        job = self._queue.waiting(tx, scope.tenant_id, _key(scope))
        if job is None:
            return sync_pb2.Polling(every_seconds=_UNKNOWN)
        seen, row = Seen(**job.payload), store.workspace_row(tx, scope)
        settled = row is not None and row.last_sync > seen.looked_at
        held = bool(seen.held_at) and not settled
        never = seen.every == 0 and not job.last_error
        return sync_pb2.Polling(
            every_seconds=seen.every,
            last_poll=seen.looked_at,
            next_poll=0 if never else int(job.run_at),
            error="" if settled else seen.held_why or job.last_error,
            needs_person=held,
            failures=0 if settled else job.attempts,
        )


class Poller:
    """The handler of the jobs of kind "poll"."""

    def __init__(
        self,
        database: Database,
        git: GitClient,
        importer: Importer,
        intervals: Intervals,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Take the records' database, git, the importer that calls use too, and a clock; ``jitter`` gives 0 to 1."""
        self._database = database
        self._git = git
        self._importer = importer
        self._index = SearchIndex(database)
        self._intervals = intervals
        self._clock = clock
        self._jitter = jitter

    def run(self, job: Job) -> Outcome:
        """Look at a remote once, and import when it has moved; say when to look again."""
        scope, seen = Scope(job.tenant_id, job.workspace), Seen(**job.payload)
        try:
            every = self._intervals.seconds(scope)
        except NotFoundError:
            return Done()
        if every == 0 and seen.every != 0:
            # Turned off, or never on. Where it is known to be off, somebody asked for this look.
            return Again(NEVER_SECONDS, payload=asdict(Seen(0, seen.looked_at)))
        looked = replace(seen, every=every, looked_at=int(self._clock()))
        try:
            after = self._look(scope, looked)
        except BusyError as error:
            return Again(max(error.retry_after, self._pause(every, job.attempts)), error, asdict(looked))
        except LockstepError as error:
            return Again(self._pause(every, job.attempts), error, asdict(looked))
        if not self._taken_in(scope):
            return Again(SOON_SECONDS, payload=asdict(after))
        return Again(self._spread(every) if every else NEVER_SECONDS, payload=asdict(after))

    def _taken_in(self, scope: Scope) -> bool:
        """Bring the search index up to date, so that nobody who searches waits for it; say whether it is."""
        try:
            self._index.catch_up(scope)
        except BusyError:
            return False
        return True

    def _look(self, scope: Scope, seen: Seen) -> Seen:
        """Import what is new; give what was seen, with what waits for a person."""
        with self._database.read(scope.tenant_id) as tx:
            row = store.workspace_row(tx, scope)
            undone = store.undone_commits(tx, scope)
        imported = row.imported_commit if row else ""
        remote = self._git.status(scope, imported).remote_oid
        if remote == imported:
            return replace(seen, held_at="", held_why="")
        if remote == seen.held_at:
            return seen
        if remote in undone:
            why = f"the import of {remote[:12]} was undone: `lockstep git-pull` imports it again"
            return replace(seen, held_at=remote, held_why=why)
        try:
            for _ in self._importer.run(scope, BY_POLLING, Options(automatic=True)):
                pass
        except NeedsPersonError as error:
            return replace(seen, held_at=remote, held_why=str(error))
        return replace(seen, held_at="", held_why="")

    def _pause(self, every: int, attempts: int) -> float:
        """Give the pause after so many failures in a row: doubling, capped, spread."""
        base = float(every or _UNASKED_SECONDS)
        return self._spread(min(base * 2.0 ** min(attempts - 1, 20), max(base, _LONGEST_PAUSE)))

    def _spread(self, seconds: float) -> float:
        """Give a pause a little longer or shorter, so that workspaces do not look all at once."""
        return seconds * (1 - _SPREAD / 2 + _SPREAD * self._jitter())


def _key(scope: Scope) -> str:
    return f"{KIND}/{scope.workspace_id}"
