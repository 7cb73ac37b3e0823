"""What an import found before it changed it, so that it can be taken back.

Written in the import's own transaction: the rows of records, conflicts, quarantine and reservations as they were; of
records that are new only the range of their keys, so that a first import costs nothing. A row that one import
touches twice is kept as it was before the first time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.sync.store import Scope
from services.sync.tables import collections, conflicts, quarantine, reservations, run_changes, sync_runs, workspaces

KEPT_RUNS: Final = 20
# As many rows with their bases fit memory whatever is in them.
_PAGE: Final = 500
_MANY: Final = 5_000

Kind: TypeAlias = Literal["record", "new", "conflict", "quarantine", "reservation", "collection", "workspace"]


@dataclass(frozen=True)
class Touched:
    """What an import is about to change in a collection.

    ``rows`` are records as they are; ``paths`` the files that go into quarantine or leave it; ``merged`` the
    reservations (publication, record key) whose content the branch has come to hold.
    """

    rows: Sequence[sa.Row[Any]]
    paths: Sequence[bytes]
    merged: Sequence[tuple[str, int]]


def begin(tx: sa.Connection, scope: Scope, run_id: str) -> None:
    """Keep how the workspace and its collections are. Call before anything of the run is written."""
    for row in tx.execute(sa.select(workspaces).where(scope.where(workspaces))):
        kept = {"imported_commit": row.imported_commit, "last_sync": row.last_sync}
        _add(tx, scope, run_id, "workspace", [(b"", kept)])
    for row in tx.execute(sa.select(collections).where(scope.where(collections))):
        kept = {"imported_commit": row.imported_commit, "settings": row.settings}
        _add(tx, scope, run_id, "collection", [(row.id.encode(), kept)])


def note(tx: sa.Connection, scope: Scope, run_id: str, collection_id: str, touched: Touched) -> None:
    """Keep rows as they are before they change."""
    rows = [row for row in touched.rows if row.run_id != run_id]
    _add(tx, scope, run_id, "record", [(_number(row.key), dict(row._mapping)) for row in rows])  # noqa: SLF001
    disputed = [row.key for row in rows if row.open_conflicts]
    for part in _parts(disputed):
        mine = sa.and_(conflicts.c.record_key.in_(part), conflicts.c.state == "open")
        found = tx.execute(sa.select(conflicts).where(scope.where(conflicts), mine))
        _add(tx, scope, run_id, "conflict", [(row.id.encode(), dict(row._mapping)) for row in found])  # noqa: SLF001
    for paths in _parts(touched.paths):
        mine = sa.and_(quarantine.c.collection_id == collection_id, quarantine.c.path.in_(paths))
        held = tx.execute(sa.select(quarantine).where(scope.where(quarantine), mine))
        before = {bytes(row.path): dict(row._mapping) for row in held}  # noqa: SLF001
        place = collection_id.encode() + b"\0"
        _add(tx, scope, run_id, "quarantine", [(place + path, before.get(path)) for path in paths])
    for publication_id, key in touched.merged:
        mine = sa.and_(reservations.c.publication_id == publication_id, reservations.c.record_key == key)
        query = sa.select(reservations.c.merged_at, reservations.c.merged_commit).where(scope.where(reservations), mine)
        place = _number(key) + publication_id.encode()
        _add(tx, scope, run_id, "reservation", [(place, dict(row._mapping)) for row in tx.execute(query)])  # noqa: SLF001


def note_new(tx: sa.Connection, scope: Scope, run_id: str, first: int, count: int) -> None:
    """Keep the keys of records that an import adds."""
    _add(tx, scope, run_id, "new", [(_number(first), {"last": first + count - 1})])


def pages(
    tx: sa.Connection, scope: Scope, run_id: str, kind: Kind
) -> Iterator[list[tuple[bytes, dict[str, Any] | None]]]:
    """Give what was kept of a kind, some at a time: key, and the row before; None where there was none."""
    mine = sa.and_(scope.where(run_changes), run_changes.c.run_id == run_id, run_changes.c.kind == kind)
    query = sa.select(run_changes.c.key, run_changes.c.before).where(mine).order_by(run_changes.c.key).limit(_PAGE)
    after = None
    while True:
        rows = list(tx.execute(query if after is None else query.where(run_changes.c.key > after)))
        if not rows:
            return
        after = bytes(rows[-1].key)
        yield [(bytes(row.key), msgspec.msgpack.decode(row.before)) for row in rows]


def count(tx: sa.Connection, scope: Scope, run_id: str, kind: Kind) -> int:
    """Count what was kept of a kind."""
    mine = sa.and_(scope.where(run_changes), run_changes.c.run_id == run_id, run_changes.c.kind == kind)
    return int(tx.execute(sa.select(sa.func.count()).select_from(run_changes).where(mine)).scalar_one())


def forget(tx: sa.Connection, scope: Scope, run_id: str) -> None:
    """Drop what was kept for a run."""
    tx.execute(sa.delete(run_changes).where(scope.where(run_changes), run_changes.c.run_id == run_id))


def prune(tx: sa.Connection, scope: Scope) -> None:
    """Drop what was kept for all but the newest imports."""
    landed = sa.and_(scope.where(sync_runs), sync_runs.c.kind == "import", sync_runs.c.state == "succeeded")
    newest = sa.select(sync_runs.c.id).where(landed).order_by(sync_runs.c.revision.desc()).limit(KEPT_RUNS)
    kept = list(tx.execute(newest).scalars())
    if len(kept) == KEPT_RUNS:
        tx.execute(sa.delete(run_changes).where(scope.where(run_changes), run_changes.c.run_id.not_in(kept)))


def key_of(place: bytes) -> int:
    """Give the record key that a kept row's key begins with."""
    return int.from_bytes(place[:8])


def _add(
    tx: sa.Connection, scope: Scope, run_id: str, kind: Kind, kept: Iterable[tuple[bytes, Mapping[str, Any] | None]]
) -> None:
    rows = [
        {**scope.columns(), "run_id": run_id, "kind": kind, "key": key, "before": msgspec.msgpack.encode(before)}
        for key, before in kept
    ]
    if rows:
        insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        tx.execute(insert(run_changes).on_conflict_do_nothing(), rows)


def _number(key: int) -> bytes:
    return key.to_bytes(8)


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]
