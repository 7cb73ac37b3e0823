"""Lands the files of one collection in the import's transaction, a chunk at a time.

Most files have nothing to do with one another, and are planned and written with those read beside them. The few
that have (two of one id, a record whose file moved, whatever was removed) wait, and are planned together at the
end; see ``separable``.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.core.errors import NeedsPersonError
from services.core.importing import (
    CollectionChange,
    CollectionPlan,
    ExistingRecord,
    ParsedFile,
    RejectedFile,
    plan_collection,
    separable,
)
from services.sync import inbox_store, record_store, store
from services.sync.apply import Counts, apply_plan
from services.sync.gather import UNRANKED, Gathered
from services.sync.moving import pair_moved
from services.sync.store import Scope
from services.sync.tables import records


@dataclass(frozen=True)
class Run:
    """The run that lands: its id (empty for a plan), commit and time, and whether a person let it past the brake.

    ``with_plans`` keeps what a plan would do for ``Landing.take_plans``.
    """

    id: str
    commit: str
    now: int
    confirmed: bool
    with_plans: bool = False


class Landing:
    """One collection's part of an import. Call ``chunks`` to its end, then ``finish``."""

    def __init__(self, tx: sa.Connection, scope: Scope, gathered: Gathered, counts: Counts, run: Run) -> None:
        """Take the transaction and what was read; ``counts`` is added to."""
        self._tx = tx
        self._scope = scope
        self._gathered = gathered
        self._counts = counts
        self._run = run
        self._rest: list[ParsedFile | RejectedFile] = []
        self._removed = set(gathered.removed)
        collection_id = gathered.collection.id
        self._fresh = not record_store.any_in(tx, scope, collection_id)
        self._added = 0
        self._held = frozenset(inbox_store.held_files(tx, scope, collection_id))
        # Of a whole listing: records whose file is in it or that took one over, and what is in quarantine still.
        self._seen: set[int] = set()
        self._still_held: set[bytes] = set()
        self._plans: list[CollectionPlan] = []
        # What somebody should know of a plan, one sentence each.
        self.notes: list[str] = []
        self._first_new = store.next_key(tx, scope)

    def chunks(self) -> Iterator[int]:
        """Write the files that depend on no other; give after each chunk how many files it had."""
        gathered = self._gathered
        pair_moved(self._tx, self._scope, gathered)
        repeated = gathered.repeated()
        for chunk in gathered.files.chunks():
            known = {} if self._fresh else self._known(chunk, frozenset())
            existing = [record for record, _ in known.values()]
            alone, rest = separable(chunk, existing, gathered.renames, repeated)
            self._rest += rest
            if gathered.full:
                paths = {file.path for file in chunk}
                self._seen |= {record.key for record in existing if record.path in paths}
                self._still_held |= self._held & paths
            taken = _of(existing, alone)
            self._seen |= {record.key for record in taken}
            self._write(CollectionChange(alone, records=taken, held=self._held), known)
            yield len(chunk)

    def finish(self) -> None:
        """Write the rest.

        Raises NeedsPersonError (why "brake") when more records than the brake lets through would go and that is
        not confirmed.
        """
        gathered = self._gathered
        self._counts.files += gathered.listed
        self._counts.excluded += gathered.excluded
        if gathered.full and not (self._fresh and not self._held):
            places = record_store.places(self._tx, self._scope, gathered.collection.id, before=self._first_new)
            self._removed |= {path for key, path in places if key not in self._seen}
            self._removed |= self._held - self._still_held
        if self._rest or self._removed:
            known = self._known(self._rest, self._removed)
            existing = [record for record, _ in known.values()]
            self._write(CollectionChange(self._rest, self._removed, gathered.renames, existing, self._held), known)

    def take_plans(self) -> list[CollectionPlan]:
        """Give what was planned since this was asked last; nothing is kept where it is written."""
        plans, self._plans = self._plans, []
        return plans

    def _known(
        self,
        files: Iterable[ParsedFile | RejectedFile],
        removed: AbstractSet[bytes],
    ) -> dict[int, tuple[ExistingRecord, sa.Row[Any]]]:
        paths, ids = set(removed), set()
        for file in files:
            paths.add(file.path)
            if isinstance(file, ParsedFile):
                ids.add(file.id)
        return record_store.owners(self._tx, self._scope, self._gathered.collection.id, paths=paths, ids=ids)

    def _write(self, change: CollectionChange, known: Mapping[int, tuple[ExistingRecord, sa.Row[Any]]]) -> None:
        collection, run = self._gathered.collection, self._run
        ranks = {record.path: collection.rank(record.path) for record in change.records}
        places = {path: UNRANKED if rank is None else rank for path, rank in ranks.items()}
        plan = plan_collection(change, places, collection.rules)
        if not run.confirmed:
            self._brake(plan)
        self._counts.add(plan, self._gathered.waiting)
        self._added += sum(upsert.existing is None for upsert in plan.upserts)
        if run.id:
            rows = {key: row for key, (_, row) in known.items()}
            apply_plan(self._tx, self._scope, collection, plan, rows, run_id=run.id, commit=run.commit, now=run.now)
        elif run.with_plans:
            self._plans.append(plan)

    def _brake(self, plan: CollectionPlan) -> None:
        going = [removal.existing for removal in plan.removals if not removal.existing.deleted]
        if not going:
            return
        collection = self._gathered.collection
        mine = records.c.collection_id == collection.id
        total = record_store.count(self._tx, self._scope, mine) - (self._added if self._run.id else 0)
        if collection.brake.stops(len(going), total):
            stop = NeedsPersonError(
                f"the import would delete {len(going)} of the {total} records of collection '{collection.name}'",
                why="brake",
                ids=[record.id for record in going],
                remedy="look at `lockstep git-pull --plan`, then confirm with `lockstep git-pull --confirm-deletes`",
            )
            if self._run.id:
                raise stop
            self.notes.append(f"{stop.message}: it stops there unless it is given --confirm-deletes")


def touched_duplicates(
    tx: sa.Connection,
    scope: Scope,
    one: Gathered,
    held: Mapping[bytes, sa.Row[Any]],
) -> dict[bytes, str]:
    """Give path and blob of the files in quarantine for their id that did not change and whose id is touched."""
    duplicates = {path: row for path, row in held.items() if row.rule == "duplicate-id"}
    if not duplicates:
        return {}
    wanted = {row.record_id for row in duplicates.values()}
    ids: set[str] = set()
    changed: set[bytes] = set()
    removed = sorted(one.removed)
    for chunk in [*([removed] if removed else []), *_paths(one)]:
        changed |= duplicates.keys() & set(chunk)
        owned = record_store.owners(tx, scope, one.collection.id, paths=chunk, ids=())
        ids |= {record.id for record, _ in owned.values() if record.base_blob}
    for files in one.files.chunks():
        ids |= {file.id for file in files if isinstance(file, ParsedFile) and file.id in wanted}
    # A duplicate that goes or changes: the others name it.
    ids |= {duplicates[path].record_id for path in changed}
    return {path: row.blob for path, row in duplicates.items() if row.record_id in ids and path not in changed}


def _paths(one: Gathered) -> Iterator[list[bytes]]:
    for files in one.files.chunks():
        yield [file.path for file in files]


def _of(
    existing: Iterable[ExistingRecord],
    files: Iterable[ParsedFile | RejectedFile],
) -> list[ExistingRecord]:
    """Give the records that have the id of a file; the others belong to files that wait."""
    ids = {file.id for file in files if isinstance(file, ParsedFile)}
    return [record for record in existing if record.id in ids]
