"""Takes an import back: what it changed is as it was, in one transaction under the workspace's lock.

That can be done of the newest import that was not taken back, while nothing else has written to its records since:
``records.run_id`` says who wrote a row last. Content that comes back is a new revision; records that the import had
added become tombstones, as after a deletion in Git, so that the next import makes them live again.
"""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from protos.common.v1 import common_pb2
from protos.sync.v1 import sync_pb2
from services.core.errors import NeedsPersonError, StateError
from services.runtime import bulk
from services.runtime.database import Database
from services.runtime.ids import new_id
from services.runtime.requests import Repeat, once, recall
from services.sync import convert, journal, record_store, store
from services.sync.apply import Counts
from services.sync.store import Scope
from services.sync.tables import (
    collections,
    conflicts,
    merges,
    quarantine,
    records,
    requests,
    reservations,
    reviews,
    workspaces,
)

_SHOWN: Final = 20
_NAMED: Final = 100
Row: TypeAlias = dict[str, Any]
Event: TypeAlias = common_pb2.Progress | sync_pb2.Run


class Reverter:
    """Takes imports back."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Take the records' database and a clock in seconds since the epoch."""
        self._database = database
        self._clock = clock

    def run(self, scope: Scope, who: str, run_id: str, request_id: str = "") -> Iterator[Event]:
        """Take an import back; give progress, then the run that did.

        Raises StateError for a run that cannot be taken back (reason NOT_NEWEST where another one has to be
        first), NeedsPersonError (why "edited") with the ids of records that were touched since.
        """
        repeat = Repeat(request_id, scope.tenant_id, "UndoRun", f"{scope.workspace_id} {run_id}".encode())
        with self._database.begin(scope.tenant_id) as tx:
            known = recall(tx, requests, repeat)
            if known is not None:
                yield sync_pb2.Run.FromString(known)
                return
            now = int(self._clock())
            revision = store.lock(tx, scope).revision + 1
            run = _undoable(tx, scope, run_id)
            undoing = _Undoing(tx, scope, run, who, now)
            undoing.refuse_touched()
            yield from undoing.put_back()
            done = _finish(tx, scope, run, undoing.counts, {"by": who, "now": now, "revision": revision})
            once(tx, requests, repeat, now, done.SerializeToString)
        yield done


class _Undoing:
    """One import that is taken back in one transaction."""

    def __init__(self, tx: sa.Connection, scope: Scope, run: sa.Row[Any], who: str, now: int) -> None:
        self._tx = tx
        self._scope = scope
        self._run = run
        self._who = who
        self._now = now
        self.counts = Counts()
        # Records, by key, whose publication is over since the import had recognised it as merged.
        self._over: dict[int, str] = {}

    def refuse_touched(self) -> None:
        """Raise NeedsPersonError where a record was touched since, or its id is another's now."""
        ids: list[str] = []
        for page in self._pages("record"):
            was = {journal.key_of(place): row for place, row in page}
            now = self._rows(records.c.key.in_(was))
            self._refuse_missing(was, now)
            holders = [row for row in self._holders(was, now) if not row.gone]
            ids += [row.id for row in (*now.values(), *holders) if row.run_id != self._run.id]
        for page in self._pages("new"):
            for place, kept in page:
                mine = sa.and_(_range(place, kept), records.c.run_id != self._run.id)
                ids += [row.id for row in self._rows(mine).values()]
        if ids:
            names = list(dict.fromkeys(ids))
            shown = ", ".join(f"'{one}'" for one in names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
            raise NeedsPersonError(
                f"{len(names)} records were edited, reserved or resolved since the import: {shown}",
                why="edited",
                ids=names[:_NAMED],
                remedy="nothing was changed; put single records back with `lockstep records restore`",
            )

    def put_back(self) -> Generator[Event, None, None]:
        """Write everything as it was; give progress in records."""
        total = journal.count(self._tx, self._scope, self._run.id, "record")
        total += sum(kept["last"] - journal.key_of(place) + 1 for page in self._pages("new") for place, kept in page)
        done = 0
        self._reservations()
        for page in self._pages("record"):
            # Before any id is given back, all that move are free.
            was = {journal.key_of(place): row for place, row in page}
            for key, row in self._rows(records.c.key.in_(was)).items():
                if row.id != was[key]["id"]:
                    record_store.free_id(self._tx, self._scope, key, row.id, self._run.id)
        for page in self._pages("new"):
            for place, kept in page:
                done += self._take_away(_range(place, kept))
                yield common_pb2.Progress(phase="undo", done=done, total=total)
        for page in self._pages("record"):
            self._records({journal.key_of(place): row for place, row in page})
            yield common_pb2.Progress(phase="undo", done=(done := done + len(page)), total=total)
        self._conflicts()
        self._quarantine()
        self._places()
        mine = sa.and_(self._scope.where(merges), merges.c.run_id == self._run.id)
        self._tx.execute(sa.delete(merges).where(mine))
        journal.forget(self._tx, self._scope, self._run.id)

    def _take_away(self, new: sa.ColumnElement[bool]) -> int:
        """Make tombstones of records that the import had added."""
        record_store.archive_all(self._tx, self._scope, new)
        values = {"gone": True, "deleted": True, "dirty": False, "base_blob": "", "base_raw": b""}
        version = {"revision": records.c.revision + 1, "reason": "undo", "updated_by": self._who}
        count = record_store.update_all(self._tx, self._scope, new, {**values, **version, "updated_at": self._now})
        self.counts.deleted += count
        return count

    def _records(self, was: dict[int, Row]) -> None:
        now = self._rows(records.c.key.in_(was))
        for row in self._holders(was, now):
            # A tombstone, or a record that is one by now.
            record_store.free_id(self._tx, self._scope, row.key, row.id)
        changed = [key for key, row in now.items() if row.revision != was[key]["revision"]]
        record_store.archive(self._tx, self._scope, changed)
        version = {"reason": "undo", "updated_by": self._who, "updated_at": self._now}
        rows = []
        for key, old in was.items():
            # A publication that is over holds nothing; what it had proposed is pending.
            over = {"publication_id": ""} if self._over.get(key) == old["publication_id"] else {}
            newer = {**version, "revision": now[key].revision + 1} if key in changed else {}
            rows.append({**old, **over, **newer})
        record_store.put_back(self._tx, rows)
        said = sa.and_(self._scope.where(reviews), reviews.c.record_key.in_(changed))
        for review in self._tx.execute(sa.select(reviews.c.record_key, reviews.c.revision).where(said)).all():
            if review.revision == was[review.record_key]["revision"]:
                # What was said of the content is true of it again.
                mine = sa.and_(self._scope.where(reviews), reviews.c.record_key == review.record_key)
                newer = now[review.record_key].revision + 1
                self._tx.execute(sa.update(reviews).where(mine).values(revision=newer))
        self.counts.updated += len(rows)

    def _reservations(self) -> None:
        for page in self._pages("reservation"):
            for place, before in page:
                key, publication_id = journal.key_of(place), place[8:].decode()
                mine = sa.and_(reservations.c.publication_id == publication_id, reservations.c.record_key == key)
                here = sa.and_(self._scope.where(reservations), mine)
                self._tx.execute(sa.update(reservations).where(here).values(**before))
                if self._tx.execute(sa.select(reservations.c.released_at).where(here)).scalar():
                    self._over[key] = publication_id

    def _conflicts(self) -> None:
        mine = sa.and_(self._scope.where(conflicts), conflicts.c.run_id == self._run.id)
        self._tx.execute(sa.delete(conflicts).where(mine))
        for page in self._pages("conflict"):
            bulk.upsert(self._tx, conflicts, [row for _, row in page])

    def _quarantine(self) -> None:
        for page in self._pages("quarantine"):
            for place, row in page:
                collection_id, _, path = place.partition(b"\0")
                mine = sa.and_(quarantine.c.collection_id == collection_id.decode(), quarantine.c.path == path)
                if row is None:
                    self._tx.execute(sa.delete(quarantine).where(self._scope.where(quarantine), mine))
            bulk.upsert(self._tx, quarantine, [row for _, row in page if row is not None])

    def _places(self) -> None:
        """Say again which commits records stand for; a collection that was set up anew is read as a whole anyway."""
        held = workspaces.c.imported_commit == self._run.commit
        for _, before in chain.from_iterable(self._pages("workspace")):
            self._tx.execute(sa.update(workspaces).where(self._scope.where(workspaces), held).values(**before))
        held = collections.c.imported_commit == self._run.commit
        for place, before in chain.from_iterable(self._pages("collection")):
            mine = sa.and_(self._scope.where(collections), held, collections.c.id == place.decode())
            self._tx.execute(sa.update(collections).where(mine).values(**before))

    def _rows(self, chosen: sa.ColumnElement[bool]) -> dict[int, sa.Row[Any]]:
        names = ("key", "collection_id", "id", "revision", "run_id", "gone")
        query = sa.select(*(records.c[name] for name in names)).where(self._scope.where(records), chosen)
        return {row.key: row for row in self._tx.execute(query)}

    def _holders(self, was: dict[int, Row], now: dict[int, sa.Row[Any]]) -> list[sa.Row[Any]]:
        """Give the records that have an id which one of these is to get back."""
        wanted = {(row["collection_id"], row["id"]) for key, row in was.items() if now[key].id != row["id"]}
        if not wanted:
            return []
        found = self._rows(records.c.id.in_({record_id for _, record_id in wanted}))
        return [row for key, row in found.items() if key not in was and (row.collection_id, row.id) in wanted]

    def _refuse_missing(self, was: dict[int, Row], now: dict[int, sa.Row[Any]]) -> None:
        if was.keys() - now.keys():
            raise StateError(
                f"a collection that run '{self._run.id}' imported was removed since",
                remedy="nothing was changed",
                reason="COLLECTION_GONE",
            )

    def _pages(self, kind: journal.Kind) -> Iterator[list[tuple[bytes, Any]]]:
        return journal.pages(self._tx, self._scope, self._run.id, kind)


def _range(place: bytes, kept: Row) -> sa.ColumnElement[bool]:
    return records.c.key.between(journal.key_of(place), kept["last"])


def _undoable(tx: sa.Connection, scope: Scope, run_id: str) -> sa.Row[Any]:
    """Give the run; raise NotFoundError, or StateError saying why it cannot be taken back."""
    run = store.get_run(tx, scope, run_id)
    why = {"undone": "is undone already", "failed": "changed nothing", "running": "is going on"}.get(run.state)
    if run.kind != "import" or why:
        raise StateError(
            f"run '{run_id}' {why or 'is no import'}",
            remedy="`lockstep runs list` shows what can be undone",
            reason="NOT_UNDOABLE",
        )
    newest = store.newest_import(tx, scope)
    if newest is not None and newest.id != run_id:
        raise StateError(
            f"run '{run_id}' is not the newest import, '{newest.id}' is",
            remedy=f"undo that one first: `lockstep runs undo {newest.id}`",
            reason="NOT_NEWEST",
            metadata={"newest": newest.id},
        )
    if not journal.count(tx, scope, run_id, "workspace"):
        raise StateError(
            f"run '{run_id}' is too long ago",
            remedy=f"only the newest {journal.KEPT_RUNS} imports can be undone",
            reason="NOT_UNDOABLE",
        )
    return run


def _finish(tx: sa.Connection, scope: Scope, run: sa.Row[Any], counts: Counts, about: dict[str, Any]) -> sync_pb2.Run:
    """Write what became of the run, and the run that did it."""
    now, revision = about["now"], about["revision"]
    store.finish_run(tx, scope, run.id, {"state": "undone"})
    row = store.workspace_row(tx, scope)
    done = {"id": new_id(), "kind": "undo", "state": "succeeded", "started_by": about["by"]}
    done |= {"commit": row.imported_commit if row else "", "old_commit": run.commit, "revision": revision}
    done |= {"counts": json.dumps(asdict(counts)), "notes": json.dumps([f"import {run.id} was undone"])}
    store.add_run(tx, scope, {**done, "started_at": now, "finished_at": now})
    return convert.run_message(store.get_run(tx, scope, done["id"]))
