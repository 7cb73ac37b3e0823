"""Rows of conflicts as a person sees them: found, counted, settled, taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from services.core.errors import InvalidInputError, NotFoundError
from services.runtime import paging
from services.sync import store
from services.sync.store import Scope
from services.sync.tables import conflicts, records

STATES: Final = ("open", "ours", "theirs", "both", "value", "settled", "any")


@dataclass(frozen=True)
class Filter:
    """Which conflicts are meant; see ``sync.v1.ConflictFilter``."""

    collection: str = ""
    record_id: str = ""
    field: str = ""
    whole_record: bool = False
    state: str = "open"

    def where(self, tx: sa.Connection, scope: Scope) -> sa.ColumnElement[bool]:
        """Give the condition; raise InvalidInputError, or NotFoundError for an unknown collection."""
        if self.state not in STATES:
            raise InvalidInputError(f"'{self.state}' is no state of a conflict", remedy=f"use {', '.join(STATES)}")
        if self.field and not self.field.startswith("/"):
            raise InvalidInputError(f"'{self.field}' names no field", remedy="write a JSON pointer such as /title")
        if self.field and self.whole_record:
            raise InvalidInputError(
                "a conflict of the whole record has no field", remedy="ask either for a field or for whole records"
            )
        conditions = [scope.where(conflicts)]
        if self.collection:
            chosen = store.find_collection(tx, scope, self.collection).collection.id
            conditions.append(records.c.collection_id == chosen)
        if self.record_id:
            conditions.append(records.c.id == self.record_id)
        if self.field:
            inside = conflicts.c.pointer.startswith(f"{self.field}/", autoescape=True)
            conditions.append(sa.or_(conflicts.c.pointer == self.field, inside))
        if self.whole_record:
            conditions.append(conflicts.c.pointer == "")
        if self.state != "any":
            conditions.append(conflicts.c.state == self.state)
        return sa.and_(*conditions)


def get(tx: sa.Connection, scope: Scope, conflict_id: str) -> sa.Row[Any]:
    """Give one conflict with its record's id, collection and content; raise NotFoundError."""
    row = tx.execute(_with_record(scope).where(conflicts.c.id == conflict_id)).first()
    if row is None:
        raise NotFoundError(f"there is no conflict '{conflict_id}'", remedy="`lockstep conflicts list` shows them")
    return row


def page(tx: sa.Connection, scope: Scope, chosen: Filter, size: int, token: str) -> tuple[list[sa.Row[Any]], str]:
    """Give a page of conflicts, oldest first, and the token of the next one."""
    query = _with_record(scope).where(chosen.where(tx, scope)).order_by(conflicts.c.id).limit(size + 1)
    after = paging.decode(token, (str,))
    if after:
        query = query.where(conflicts.c.id > after[0])
    rows = list(tx.execute(query))
    return rows[:size], paging.encode([rows[size - 1].id]) if len(rows) > size else ""


def count(tx: sa.Connection, scope: Scope, chosen: Filter) -> int:
    """Count conflicts."""
    found = _with_record(scope).where(chosen.where(tx, scope)).with_only_columns(conflicts.c.id).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())


def ids(tx: sa.Connection, scope: Scope, chosen: Filter, limit: int) -> Sequence[str]:
    """Give the ids of conflicts, oldest first, at most ``limit``."""
    query = _with_record(scope).where(chosen.where(tx, scope)).with_only_columns(conflicts.c.id)
    return tx.execute(query.order_by(conflicts.c.id).limit(limit)).scalars().all()


def change(tx: sa.Connection, scope: Scope, conflict_id: str, values: Mapping[str, Any]) -> None:
    """Write how a conflict was settled, or that it is open again."""
    mine = sa.and_(scope.where(conflicts), conflicts.c.id == conflict_id)
    tx.execute(sa.update(conflicts).where(mine).values(**values))


def _with_record(scope: Scope) -> sa.Select[Any]:
    joined = conflicts.join(
        records,
        sa.and_(
            records.c.tenant_id == conflicts.c.tenant_id,
            records.c.workspace_id == conflicts.c.workspace_id,
            records.c.key == conflicts.c.record_key,
        ),
    )
    return (
        sa.select(conflicts, records.c.id.label("record_id"), records.c.collection_id, records.c.content)
        .select_from(joined)
        .where(scope.where(conflicts))
    )
