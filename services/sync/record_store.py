"""Rows of records, their earlier revisions and their reservations."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from services.core.errors import InvalidInputError, NotFoundError
from services.core.importing import ExistingRecord, Proposal, as_object
from services.core.values import loads
from services.runtime import bulk
from services.sync.store import Scope
from services.sync.tables import conflicts, record_revisions, records, reservations

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
_MANY: Final = 5_000
T = TypeVar("T")

OPEN: Final = sa.or_(records.c.dirty, records.c.publication_id != "", records.c.open_conflicts > 0)


def find(tx: sa.Connection, scope: Scope, record_id: str, collection_id: str = "") -> sa.Row[Any]:
    """Give a record by id; raise NotFoundError, or InvalidInputError where several collections have it."""
    query = sa.select(records).where(scope.where(records), records.c.id == record_id, ~records.c.gone)
    if collection_id:
        query = query.where(records.c.collection_id == collection_id)
    rows = tx.execute(query.limit(2)).all()
    if not rows:
        raise NotFoundError(
            f"there is no record '{record_id}'",
            remedy="`lockstep records list` shows them; `lockstep git-pull` brings new ones",
        )
    if len(rows) > 1:
        raise InvalidInputError(
            f"several collections have a record '{record_id}'",
            remedy="name the collection too",
        )
    return rows[0]


def by_key(tx: sa.Connection, scope: Scope, key: int) -> sa.Row[Any]:
    """Give a record by its key."""
    return tx.execute(sa.select(records).where(scope.where(records), records.c.key == key)).one()


def count(tx: sa.Connection, scope: Scope, *conditions: sa.ColumnElement[bool]) -> int:
    """Count records."""
    query = sa.select(sa.func.count()).select_from(records).where(scope.where(records), ~records.c.gone, *conditions)
    return int(tx.execute(query).scalar_one())


def owners(
    tx: sa.Connection,
    scope: Scope,
    collection_id: str,
    *,
    paths: Iterable[bytes],
    ids: Iterable[str],
) -> dict[int, tuple[ExistingRecord, sa.Row[Any]]]:
    """Give the records of a collection by key that have one of the paths or ids."""
    query = sa.select(records).where(scope.where(records))
    # By path alone: SQLite would take the index that begins with the collection, and look at all its records.
    wanted = [query.where(records.c.path.in_(part)) for part in _parts(sorted(paths))]
    of_it = records.c.collection_id == collection_id
    wanted += [query.where(of_it, records.c.id.in_(part)) for part in _parts(sorted(ids))]
    rows = {row.key: row for one in wanted for row in tx.execute(one) if row.collection_id == collection_id}
    proposals = _proposals(tx, scope, [row for row in rows.values() if row.publication_id])
    lost = _lost_bases(tx, scope, [row.key for row in rows.values() if row.open_conflicts and not row.base_blob])
    return {key: (existing(row, proposals.get(key), lost.get(key, b"")), row) for key, row in rows.items()}


def existing(row: sa.Row[Any], proposal: Proposal | None = None, lost_base: bytes = b"") -> ExistingRecord:
    """Give the record that a row stands for."""
    return ExistingRecord(
        key=row.key,
        id=row.id,
        revision=row.revision,
        content=row.content.encode(),
        dirty=row.dirty,
        deleted=row.deleted,
        path=bytes(row.path),
        base_blob=row.base_blob,
        base_raw=bytes(row.base_raw),
        gone=row.gone,
        file_rejected=row.file_rejected,
        proposal=proposal,
        lost_base=lost_base,
    )


def write(tx: sa.Connection, rows: Sequence[Mapping[str, Any]], run_id: str = "") -> None:
    """Replace whole rows of records, or insert them. Only an import gives its ``run_id``."""
    bulk.upsert(tx, records, [{**row, "run_id": run_id} for row in rows])


def put_back(tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace whole rows of records by earlier ones, each with the import that had written it."""
    bulk.upsert(tx, records, rows)


def add(tx: sa.Connection, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert new records: the named columns of each, the others as they are for a record that Git just brought."""
    bulk.insert(tx, records, names, rows)


def places(tx: sa.Connection, scope: Scope, collection_id: str, before: int) -> Iterator[tuple[int, bytes]]:
    """Give key and path of every record of a collection that has a file and whose key is below ``before``."""
    mine = sa.and_(scope.where(records), records.c.collection_id == collection_id, records.c.key < before)
    query = sa.select(records.c.key, records.c.path).where(mine, records.c.base_blob != "", ~records.c.gone)
    for row in tx.execute(query.execution_options(yield_per=_MANY)):
        yield row.key, bytes(row.path)


def any_in(tx: sa.Connection, scope: Scope, collection_id: str) -> bool:
    """Say whether a collection has or had a record."""
    mine = sa.and_(scope.where(records), records.c.collection_id == collection_id)
    return tx.execute(sa.select(records.c.key).where(mine).limit(1)).first() is not None


def update(tx: sa.Connection, scope: Scope, key: int, values: Mapping[str, Any], run_id: str = "") -> None:
    """Change columns of one record. Only an import gives its ``run_id``."""
    update_all(tx, scope, records.c.key == key, values, run_id)


def update_all(
    tx: sa.Connection, scope: Scope, chosen: sa.ColumnElement[bool], values: Mapping[str, Any], run_id: str = ""
) -> int:
    """Change columns of all records that are chosen; give how many. Only an import gives its ``run_id``."""
    change = sa.update(records).where(scope.where(records), chosen).values(**values, run_id=run_id)
    return int(tx.execute(change).rowcount)


def free_id(tx: sa.Connection, scope: Scope, key: int, record_id: str, run_id: str = "") -> None:
    """Let a record give up its id, so that another may have it; no file can ask for what it gets."""
    update(tx, scope, key, {"id": f"{record_id}\x7f{key}"}, run_id)


def archive(tx: sa.Connection, scope: Scope, keys: Sequence[int]) -> None:
    """Copy the current versions of records to their history. Call before they change."""
    for part in _parts(list(keys)):
        archive_all(tx, scope, records.c.key.in_(part))


def archive_all(tx: sa.Connection, scope: Scope, chosen: sa.ColumnElement[bool]) -> None:
    """Copy the current versions of all records that are chosen to their history."""
    target = [c.name for c in record_revisions.c]
    source = sa.select(
        records.c.tenant_id,
        records.c.workspace_id,
        records.c.key,
        records.c.revision,
        records.c.content,
        records.c.reason,
        records.c.updated_by,
        records.c.updated_at,
    ).where(scope.where(records), chosen)
    tx.execute(sa.insert(record_revisions).from_select(target, source))


def revisions(tx: sa.Connection, scope: Scope, key: int, size: int, before: int | None) -> list[sa.Row[Any]]:
    """Give versions of a record before the current one, newest first, one more than ``size`` if there are."""
    query = sa.select(record_revisions).where(scope.where(record_revisions), record_revisions.c.record_key == key)
    if before is not None:
        query = query.where(record_revisions.c.revision < before)
    return list(tx.execute(query.order_by(record_revisions.c.revision.desc()).limit(size + 1)))


def reservations_of(tx: sa.Connection, scope: Scope, publication_id: str) -> list[sa.Row[Any]]:
    """Give a publication's reservations by record key."""
    query = sa.select(reservations).where(
        scope.where(reservations),
        reservations.c.publication_id == publication_id,
    )
    return list(tx.execute(query.order_by(reservations.c.record_key)))


def mark_merged(tx: sa.Connection, scope: Scope, merged: Sequence[tuple[str, int]], commit: str, now: int) -> None:
    """Say that the target branch holds what (publication, record key) proposed."""
    for publication_id, key in merged:
        tx.execute(
            sa.update(reservations)
            .where(
                scope.where(reservations),
                reservations.c.publication_id == publication_id,
                reservations.c.record_key == key,
            )
            .values(merged_at=now, merged_commit=commit),
        )


def authors_with(text: str, name: str, email: str) -> str:
    """Give a record's list of authors with one more, each once."""
    people: list[dict[str, str]] = json.loads(text)
    person = {"name": name, "email": email}
    return text if person in people else json.dumps([*people, person])


def _proposals(tx: sa.Connection, scope: Scope, rows: Sequence[sa.Row[Any]]) -> dict[int, Proposal]:
    found: dict[int, Proposal] = {}
    open_in = {row.key: row.publication_id for row in rows}
    for part in _parts(list(open_in)):
        query = sa.select(reservations).where(scope.where(reservations), reservations.c.record_key.in_(part))
        for row in tx.execute(query):
            if open_in[row.record_key] == row.publication_id:
                value = None if row.value is None else as_object(loads(row.value.encode()))
                found[row.record_key] = Proposal(row.publication_id, as_object(loads(row.base.encode())), value)
    return found


def _lost_bases(tx: sa.Connection, scope: Scope, keys: Sequence[int]) -> dict[int, bytes]:
    """Give the bases of records whose file went, from the conflicts that say so."""
    found: dict[int, bytes] = {}
    for part in _parts(list(keys)):
        whole = sa.and_(conflicts.c.state == "open", conflicts.c.pointer == "", conflicts.c.theirs.is_(None))
        query = sa.select(conflicts.c.record_key, conflicts.c.base).where(scope.where(conflicts), whole)
        rows = tx.execute(query.where(conflicts.c.record_key.in_(part)))
        found |= {row.record_key: row.base.encode() for row in rows if row.base}
    return found


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]
