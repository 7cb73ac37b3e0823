"""Settles conflicts: a person chooses the database's value, Git's, or a third one."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from services.core.collection import Collection
from services.core.errors import InvalidInputError, NotFoundError, StateError
from services.core.importing import as_object
from services.core.merge import MISSING, Field, Missing, at, with_field
from services.core.schema import validate
from services.core.values import Value, get, loads, remove_at
from services.runtime.identity import Identity
from services.sync import inbox_store, record_store, store
from services.sync.editing import Editor, refuse_findings
from services.sync.store import Scope


class Settler:
    """Settles conflicts for one caller in one transaction under the workspace's lock."""

    def __init__(self, tx: sa.Connection, scope: Scope, identity: Identity, clock: Callable[[], float]) -> None:
        """Take what an ``Editor`` takes."""
        self._tx = tx
        self._scope = scope
        self._who = identity
        self._clock = clock

    def resolve(self, conflict_id: str, take: str, value: bytes) -> None:
        """Settle one conflict; ``take`` is "ours", "theirs" or "value" with JSON text.

        Raises StateError when it is settled already, InvalidInputError when the result breaks the schema.
        """
        conflict = inbox_store.get_conflict(self._tx, self._scope, conflict_id)
        if conflict.state != "open":
            raise StateError(f"conflict '{conflict_id}' is settled already ({conflict.state})")
        if take == "value" and not value:
            raise InvalidInputError("neither a side nor a value is given", remedy="take ours, theirs or a value")
        row = record_store.by_key(self._tx, self._scope, conflict.record_key)
        collection = store.find_collection(self._tx, self._scope, row.collection_id).collection
        values = {"state": take, "resolved_by": self._who.username, "resolved_at": int(self._clock())}
        inbox_store.resolve_conflict(self._tx, self._scope, conflict_id, values)
        if conflict.pointer:
            self._field(row, collection, conflict, take, value)
        else:
            self._whole(row, collection, conflict, take)
        self._recount(row.key)

    def _field(self, row: sa.Row[Any], collection: Collection, conflict: sa.Row[Any], take: str, text: bytes) -> None:
        content = as_object(loads(row.content.encode()))
        if take == "ours":
            return
        chosen: Field = _field(conflict.theirs) if take == "theirs" else loads(text)
        new = _placed(content, conflict.pointer, chosen)
        refuse_findings(row.id, validate(collection.schema, new))
        self._editor().store_content(row, collection, new, "resolve")

    def _whole(self, row: sa.Row[Any], collection: Collection, conflict: sa.Row[Any], take: str) -> None:
        """Settle a record that was deleted on one side and changed on the other."""
        if take == "value":
            raise InvalidInputError("the record was deleted on one side", remedy="take ours or theirs")
        if take == "ours":
            return
        theirs = _field(conflict.theirs)
        if isinstance(theirs, Missing):
            values = {
                "gone": True,
                "deleted": True,
                "dirty": False,
                "base_blob": "",
                "base_raw": b"",
                "authors": "[]",
                "publication_id": "",
                "file_rejected": False,
            }
            inbox_store.settle_conflicts(self._tx, self._scope, [row.key], int(self._clock()))
            record_store.archive(self._tx, self._scope, [row.key])
            version = {"revision": row.revision + 1, "reason": "resolve", "updated_by": self._who.username}
            record_store.update(self._tx, self._scope, row.key, {**values, **version, "updated_at": int(self._clock())})
        else:
            self._editor().store_content(row, collection, as_object(theirs), "resolve")

    def _recount(self, key: int) -> None:
        """Write how many conflicts are left; a record equal to its base has nothing pending."""
        row = record_store.by_key(self._tx, self._scope, key)
        left = inbox_store.still_open(self._tx, self._scope, key)
        settled = {"open_conflicts": left, "conflicts_settled": row.conflicts_settled + 1}
        record_store.update(self._tx, self._scope, key, settled)

    def _editor(self) -> Editor:
        return Editor(self._tx, self._scope, self._who, self._clock)


def ours_of(row: sa.Row[Any]) -> bytes:
    """Give the database's value of a conflict as JSON: the record's own while it is open."""
    if row.state != "open" or not row.pointer:
        return (row.ours or "").encode()
    try:
        return (inbox_store.field_text(get(loads(row.content.encode()), row.pointer)) or "").encode()
    except NotFoundError:
        return b""


def _field(text: str | None) -> Field:
    return MISSING if text is None else loads(text.encode())


def _placed(content: dict[str, Value], pointer: str, chosen: Field) -> dict[str, Value]:
    if not isinstance(chosen, Missing):
        placed = with_field(content, pointer, chosen)
        if isinstance(at(placed, pointer), Missing):
            raise StateError(
                f"the field {pointer} lies in one that was edited meanwhile and has no fields now",
                remedy="take ours, or edit that field first",
            )
        return placed
    try:
        return as_object(remove_at(content, pointer))
    except NotFoundError:
        # It is gone already: an edit after the conflict took it out.
        return content
