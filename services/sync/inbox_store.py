"""Rows of what waits for a person: conflicts and quarantine."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.core.importing import RejectedFile
from services.core.merge import MISSING, Field, FieldConflict, Missing, at, unsettled
from services.core.merge_rules import Rules
from services.core.values import Value, dumps, loads
from services.runtime import bulk, paging
from services.runtime.ids import new_id
from services.sync.store import Scope
from services.sync.tables import conflicts, quarantine


def field_text(value: Field) -> str | None:
    """Give a field as JSON text; None for one that is not there."""
    return None if isinstance(value, Missing) else dumps(value).decode()


def open_conflicts(
    tx: sa.Connection,
    scope: Scope,
    key: int,
    found: Iterable[FieldConflict],
    *,
    run_id: str,
    now: int,
) -> int:
    """Write the conflicts of a record; give how many are open then.

    A field that is in conflict already keeps its base and its id; Git's side becomes the newer one.
    """
    rows = list(tx.execute(sa.select(conflicts).where(_open(scope, key))))
    known = {row.pointer: row.id for row in rows}
    for conflict in found:
        sides = {"ours": field_text(conflict.ours), "theirs": field_text(conflict.theirs)}
        if conflict.pointer in known:
            mine = sa.and_(scope.where(conflicts), conflicts.c.id == known[conflict.pointer])
            tx.execute(sa.update(conflicts).where(mine).values(**sides, run_id=run_id))
            continue
        tx.execute(
            sa.insert(conflicts).values(
                **scope.columns(),
                id=new_id(),
                record_key=key,
                pointer=conflict.pointer,
                base=field_text(conflict.base),
                **sides,
                run_id=run_id,
                created_at=now,
                state="open",
            ),
        )
        known[conflict.pointer] = ""
    return len(known)


def renew_conflicts(
    tx: sa.Connection,
    scope: Scope,
    key: int,
    found: Iterable[FieldConflict],
    *,
    ours: dict[str, Value] | Missing,
    theirs: dict[str, Value],
    rules: Rules,
    run_id: str,
    now: int,
) -> int:
    """Bring the conflicts of a record up to what Git has now (``theirs``); give how many are open then.

    One in which a side went back to the base, or both came to agree, is settled; the others say what Git says.
    """
    settled: set[str] = set()
    for row in list(tx.execute(sa.select(conflicts).where(_open(scope, key)))):
        base, mine, new = _field(row.base), _at(ours, row.pointer), _at(theirs, row.pointer)
        # A conflict of the whole record is about its being there; one of a field ends where a side has no record.
        apart = bool(row.pointer) != isinstance(ours, Missing)
        this = sa.and_(scope.where(conflicts), conflicts.c.id == row.id)
        if apart and unsettled(base, mine, new, rules.at(row.pointer)):
            tx.execute(sa.update(conflicts).where(this).values(theirs=field_text(new)))
        else:
            settled.add(row.pointer)
            tx.execute(sa.update(conflicts).where(this).values(state="settled", resolved_at=now))
    left = [conflict for conflict in found if conflict.pointer not in settled]
    return open_conflicts(tx, scope, key, left, run_id=run_id, now=now)


def settle_conflicts(tx: sa.Connection, scope: Scope, keys: Sequence[int], now: int) -> None:
    """Close the open conflicts of records whose two sides came to agree by themselves."""
    for key in keys:
        tx.execute(sa.update(conflicts).where(_open(scope, key)).values(state="settled", resolved_at=now))


def still_open(tx: sa.Connection, scope: Scope, key: int) -> int:
    """Count the open conflicts of a record."""
    return int(tx.execute(sa.select(sa.func.count()).select_from(conflicts).where(_open(scope, key))).scalar_one())


def count_conflicts(tx: sa.Connection, scope: Scope) -> int:
    """Count the open conflicts of a workspace."""
    query = sa.select(sa.func.count()).select_from(conflicts)
    return int(tx.execute(query.where(scope.where(conflicts), conflicts.c.state == "open")).scalar_one())


def held_files(tx: sa.Connection, scope: Scope, collection_id: str) -> dict[bytes, sa.Row[Any]]:
    """Give a collection's quarantine by path."""
    query = sa.select(quarantine).where(scope.where(quarantine), quarantine.c.collection_id == collection_id)
    return {bytes(row.path): row for row in tx.execute(query)}


def hold_files(tx: sa.Connection, scope: Scope, collection_id: str, files: Iterable[RejectedFile]) -> None:
    """Put files in quarantine, or renew why they are there."""
    rows = [
        {
            **scope.columns(),
            "collection_id": collection_id,
            "path": file.path,
            "record_id": _storable(file.record_id),
            "blob": file.blob,
            "rule": file.rule,
            "line": file.line,
            "column": file.column,
            "pointer": _storable(file.pointer),
            "message": _storable(file.message),
            "other_paths": json.dumps([path.decode("latin-1") for path in file.other_paths]),
        }
        for file in files
    ]
    bulk.upsert(tx, quarantine, rows)


def _storable(text: str) -> str:
    """Give a text for people without NUL, which PostgreSQL cannot store; a schema's message may quote it."""
    return text.replace("\0", "\ufffd")


def clear_files(tx: sa.Connection, scope: Scope, collection_id: str, paths: Iterable[bytes]) -> None:
    """Take files out of quarantine."""
    for path in paths:
        tx.execute(
            sa.delete(quarantine).where(
                scope.where(quarantine),
                quarantine.c.collection_id == collection_id,
                quarantine.c.path == path,
            ),
        )


def list_quarantine(
    tx: sa.Connection, scope: Scope, size: int, token: str, filters: Sequence[sa.ColumnElement[bool]] = ()
) -> tuple[list[sa.Row[Any]], str]:
    """Give a page of files in quarantine by path, and the token of the next one."""
    query = (
        sa.select(quarantine)
        .where(scope.where(quarantine), *filters)
        .order_by(quarantine.c.path, quarantine.c.collection_id)
        .limit(size + 1)
    )
    after = paging.decode(token, (str, str))
    if after:
        place = sa.tuple_(sa.literal(str(after[0]).encode("latin-1")), sa.literal(after[1]))
        query = query.where(sa.tuple_(quarantine.c.path, quarantine.c.collection_id) > place)
    rows = list(tx.execute(query))
    if len(rows) <= size:
        return rows, ""
    last = rows[size - 1]
    return rows[:size], paging.encode([bytes(last.path).decode("latin-1"), last.collection_id])


def count_quarantine(tx: sa.Connection, scope: Scope, filters: Sequence[sa.ColumnElement[bool]] = ()) -> int:
    """Count the files of a workspace in quarantine."""
    query = sa.select(sa.func.count()).select_from(quarantine).where(scope.where(quarantine), *filters)
    return int(tx.execute(query).scalar_one())


def _at(value: dict[str, Value] | Missing, pointer: str) -> Field:
    return value if isinstance(value, Missing) else at(value, pointer)


def _field(text: str | None) -> Field:
    return MISSING if text is None else loads(text.encode())


def _open(scope: Scope, key: int) -> sa.ColumnElement[bool]:
    return sa.and_(scope.where(conflicts), conflicts.c.record_key == key, conflicts.c.state == "open")
