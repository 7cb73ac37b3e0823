"""Imports: fetch, list, read, parse outside a transaction; merge and write in one.

What was read waits in a spool, so that memory does not grow with the number of files, and no lock is held while
git reads. Whatever happens before the one transaction ends, nothing has changed; when it has ended, records,
conflicts, quarantine, the run and the commit they stand for have changed together.
"""

import json
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Final, TypeAlias

import sqlalchemy as sa

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2
from protos.sync.v1 import sync_pb2
from services.core.errors import BusyError, LockstepError, MovedError
from services.runtime.context import current_call
from services.runtime.database import Database
from services.runtime.ids import new_id
from services.runtime.requests import Repeat, once, recall
from services.sync import inbox_store, journal, store
from services.sync.apply import Counts
from services.sync.gather import UNRANKED, Entry, Gathered, list_changes, parse_files
from services.sync.git_client import GitClient
from services.sync.landing import Landing, Run, touched_duplicates
from services.sync.planning import PLAN_MOVED, planned_changes, refuse_moved
from services.sync.schema_pin import Pinned, pin_schemas
from services.sync.spool import Spool
from services.sync.store import Scope, StoredCollection
from services.sync.tables import requests

_TURN_SECONDS: Final = 120.0
_ATTEMPTS: Final = 4
_PROGRESS_EVERY: Final = 250


@dataclass(frozen=True)
class Options:
    """How to import: only plan it; go on past the brake; the id by which a repeated request is known.

    ``with_changes`` says of a plan what it would do to each record. ``commit`` and ``revision`` are what a plan was
    made for; empty and 0 take any. ``automatic`` leaves alone a commit whose import a person took back.
    """

    plan: bool = False
    confirmed: bool = False
    request_id: str = ""
    with_changes: bool = False
    commit: str = ""
    revision: int = 0
    automatic: bool = False

    def repeat(self, scope: Scope) -> Repeat:
        """Give what tells a repeated request from a new one."""
        content = f"{scope.workspace_id} {self.plan} {self.confirmed} {self.commit} {self.revision}".encode()
        return Repeat("" if self.plan else self.request_id, scope.tenant_id, "RunImport", content)


@dataclass(frozen=True)
class RunResult:
    """How an import ended.

    ``id`` is empty for a plan and where nothing was new; ``revision`` is the database's, before a plan or after a run.
    """

    id: str
    state: str
    commit: str
    old_commit: str
    counts: Counts
    started_by: str
    started_at: int
    finished_at: int
    revision: int = 0
    # What somebody should know of it, one sentence each.
    notes: list[str] = field(default_factory=list)

    def dumps(self) -> bytes:
        """Give the result as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def loads(cls, data: bytes) -> "RunResult":
        """Give the result in bytes."""
        values = json.loads(data)
        return cls(**{**values, "counts": Counts(**values["counts"])})


@dataclass(frozen=True)
class _Start:
    """A run that begins; ``id`` is empty for a plan."""

    id: str
    started_by: str
    started_at: int


@dataclass
class _Turns:
    """One import at a time per workspace in this process; between processes the commit compared does it."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    locks: dict[Scope, threading.Lock] = field(default_factory=dict)

    def lock(self, scope: Scope) -> threading.Lock:
        with self.guard:
            return self.locks.setdefault(scope, threading.Lock())


Event: TypeAlias = common_pb2.Progress | sync_pb2.PlannedChanges | RunResult


class Importer:
    """Runs imports."""

    def __init__(self, database: Database, git: GitClient, clock: Callable[[], float]) -> None:
        """Take the records' database, the git service and a clock in seconds since the epoch."""
        self._database = database
        self._git = git
        self._clock = clock
        self._turns = _Turns()

    def run(self, scope: Scope, started_by: str, options: Options) -> Iterator[Event]:
        """Import what is new; give progress, then the result.

        A plan writes nothing. Raises NeedsPersonError (why "brake") when more records than the brake lets
        through would go and that is not confirmed; MovedError (reason PLAN_MOVED) when the branch or the database
        is not what the options name; BusyError when another import of the workspace does not end; whatever git
        raises.
        """
        turn = self._turns.lock(scope)
        remaining = current_call().remaining()
        if not turn.acquire(timeout=_TURN_SECONDS if remaining is None else min(remaining, _TURN_SECONDS)):
            raise BusyError("another import of this workspace is going on", retry_after=5.0)
        try:
            with self._database.read(scope.tenant_id) as tx:
                known = recall(tx, requests, options.repeat(scope))
            if known is not None:
                yield RunResult.loads(known)
            else:
                yield from self._run(scope, started_by, options)
        finally:
            turn.release()

    def _run(self, scope: Scope, started_by: str, options: Options) -> Iterator[Event]:
        start = _Start("" if options.plan else new_id(), started_by, int(self._clock()))
        if start.id:
            with self._database.begin(scope.tenant_id) as tx:
                store.add_run(tx, scope, {"kind": "import", "state": "running", **asdict(start)})
        try:
            for attempt in range(_ATTEMPTS):
                try:
                    yield from self._attempt(scope, start, options)
                except MovedError as error:
                    if attempt == _ATTEMPTS - 1 or error.reason == PLAN_MOVED:
                        raise
                else:
                    return
        except BaseException as error:
            if start.id:
                text = str(error) if isinstance(error, LockstepError) else "the run was interrupted"
                with self._database.begin(scope.tenant_id) as tx:
                    if isinstance(error, MovedError) and error.reason == PLAN_MOVED:
                        store.forget_run(tx, scope, start.id)
                    ended = int(self._clock())
                    store.finish_run(tx, scope, start.id, {"state": "failed", "error": text, "finished_at": ended})
            raise

    def _attempt(self, scope: Scope, start: "_Start", options: Options) -> Iterator[Event]:
        commit = ""
        for event in self._git.fetch(scope):
            if isinstance(event, git_pb2.FetchResult):
                commit = event.new_oid
            else:
                yield event
        with self._database.read(scope.tenant_id) as tx:
            before = store.list_collections(tx, scope)
            refuse_moved(options.commit, options.revision, commit, store.revision(tx, scope))
            undone = options.automatic and commit in store.undone_commits(tx, scope)
        if undone:
            yield self._leave(scope, start, commit)
            return
        pinned = pin_schemas(self._git, scope, commit, before)
        gathered = list_changes(self._git, scope, commit, pinned.collections)
        try:
            for one in gathered:
                yield from self._read(scope, one)
            current_call().check()
            result = yield from self._land(scope, start, options, commit, before, pinned, gathered)
        finally:
            for one in gathered:
                one.close()
        yield result

    def _land(
        self,
        scope: Scope,
        start: "_Start",
        options: Options,
        commit: str,
        before: list[StoredCollection],
        pinned: Pinned,
        gathered: list[Gathered],
    ) -> Generator[Event, None, RunResult]:
        """Write all that was read in one transaction, or say what would be written."""
        total = sum(len(one.files) for one in gathered)
        yield common_pb2.Progress(phase="write", done=0, total=total)
        old = ",".join(sorted({stored.imported_commit for stored in before} - {""}))[:64]
        opener = self._database.begin if start.id else self._database.read
        counts, done, notes = Counts(), 0, list(pinned.notes)
        with opener(scope.tenant_id) as tx:
            idle = not gathered and not pinned.notes
            # Looking in vain, as polling does every minute, leaves plans as good as they were.
            locked = store.lock(tx, scope, counts=not idle) if start.id else None
            revision = locked.revision if locked else store.revision(tx, scope)
            refuse_moved(options.commit, options.revision, commit, revision)
            if start.id:
                _check_unmoved(before, store.list_collections(tx, scope))
                if not idle:
                    journal.begin(tx, scope, start.id)
                pinned.save(tx, scope)
            now = int(self._clock())
            run = Run(start.id, commit, now, confirmed=options.confirmed, with_plans=options.with_changes)
            for one in gathered:
                landing = Landing(tx, scope, one, counts, run)
                for written in landing.chunks():
                    # A few bytes each: they fit the window of a caller that does not listen.
                    yield common_pb2.Progress(phase="write", done=(done := done + written), total=total)
                    yield from planned_changes(one, landing.take_plans())
                landing.finish()
                yield from planned_changes(one, landing.take_plans())
                notes += landing.notes
            result = RunResult(
                "" if idle else start.id,
                "succeeded" if start.id else "planned",
                commit,
                old,
                counts,
                start.started_by,
                start.started_at,
                now,
                # The lock counted this very import.
                revision + bool(start.id and not idle),
                notes,
            )
            if start.id:
                self._finish(tx, scope, start, result, options)
        yield common_pb2.Progress(phase="write", done=total, total=total)
        return result

    def _finish(self, tx: sa.Connection, scope: Scope, start: "_Start", result: RunResult, options: Options) -> None:
        """Write the run and the commit it reached, in the transaction that writes the records."""
        store.set_imported(tx, scope, result.commit, result.finished_at)
        if not result.id:
            # Nothing was new: such runs are many and say nothing.
            store.forget_run(tx, scope, start.id)
        else:
            values = {"state": result.state, "commit": result.commit, "old_commit": result.old_commit}
            values |= {"counts": json.dumps(asdict(result.counts)), "notes": json.dumps(result.notes)}
            ended = {"finished_at": result.finished_at, "revision": result.revision}
            store.finish_run(tx, scope, result.id, {**values, **ended})
            journal.prune(tx, scope)
        once(tx, requests, options.repeat(scope), result.finished_at, result.dumps)

    def _leave(self, scope: Scope, start: "_Start", commit: str) -> RunResult:
        """Give a run that did nothing, since a person took the import of this commit back."""
        if start.id:
            with self._database.begin(scope.tenant_id) as tx:
                store.forget_run(tx, scope, start.id)
        note = f"the import of {commit} was undone; `lockstep git-pull` imports it again"
        times = (start.started_at, int(self._clock()))
        return RunResult("", "succeeded", "", "", Counts(), start.started_by, *times, notes=[note])

    def _read(self, scope: Scope, one: Gathered) -> Iterator[Event]:
        """Parse the changed files, and those in quarantine whose id one of them touches."""
        yield from self._parse(scope, one, one.entries)
        with self._database.read(scope.tenant_id) as tx:
            held = inbox_store.held_files(tx, scope, one.collection.id)
            waiting = {} if one.full else touched_duplicates(tx, scope, one, held)
        if waiting:
            one.waiting |= waiting.keys()
            entries: Spool[Entry] = Spool(Entry)
            for path, blob in waiting.items():
                rank = one.collection.rank(path)
                entries.append(Entry(path, blob, UNRANKED if rank is None else rank))
            yield from self._parse(scope, one, entries)

    def _parse(self, scope: Scope, one: Gathered, entries: Spool[Entry]) -> Iterator[Event]:
        if not len(entries):
            return
        blobs = self._git.read_blobs(scope, (entry.blob for chunk in entries.chunks() for entry in chunk))
        for done in parse_files(one, chain.from_iterable(entries.chunks()), blobs):
            if done % _PROGRESS_EVERY == 0:
                yield common_pb2.Progress(phase="parse", done=done, total=len(entries))


def _check_unmoved(before: list[StoredCollection], now: list[StoredCollection]) -> None:
    if before != now:
        raise MovedError("the workspace changed during the import", remedy="run `lockstep git-pull` again")
