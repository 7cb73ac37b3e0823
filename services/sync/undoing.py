"""Takes a resolution back: the conflict is open again, and its field what it was before.

That can be done until the record was edited or published since; then it would take back more than the resolution.
"""

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import StateError
from services.core.fields import MISSING, Field, Missing, at, with_field
from services.core.importing import as_object
from services.core.merge import unsettled
from services.core.values import Value, dumps, loads
from services.runtime.identity import Identity
from services.sync import conflict_store, inbox_store, record_store, store
from services.sync.deriving import derived
from services.sync.editing import Editor
from services.sync.store import Scope, StoredCollection
from services.sync.tables import record_revisions, reservations

# Versions that are no edit of a person's own.
_NO_EDIT = frozenset({"import", "merge", "resolve", "undo"})


class Undoer:
    """Takes resolutions back for one caller in one transaction under the workspace's lock."""

    def __init__(self, tx: sa.Connection, scope: Scope, identity: Identity, clock: Callable[[], float]) -> None:
        """Take what an ``Editor`` takes."""
        self._tx = tx
        self._scope = scope
        self._who = identity
        self._now = int(clock())
        self._editor = Editor(tx, scope, identity, clock)

    def undo(self, conflict_id: str) -> None:
        """Open a conflict again; raise StateError, naming why, where that cannot be done any more."""
        conflict = conflict_store.get(self._tx, self._scope, conflict_id)
        if not conflict.before:
            how = "is open" if conflict.state == "open" else "was settled by no person"
            raise StateError(f"conflict '{conflict_id}' {how}; there is no resolution to take back")
        before: dict[str, Any] = json.loads(conflict.before)
        row = record_store.by_key(self._tx, self._scope, conflict.record_key)
        self._refuse_edited(row, before["after"])
        self._refuse_published(row, before["after"])
        stored = store.find_collection(self._tx, self._scope, row.collection_id)
        theirs = self._field(row, stored, conflict, before) if conflict.pointer else self._whole(row, conflict, before)
        opened = {"state": "open", "resolved_by": "", "resolved_at": 0, "before": "", "theirs": theirs}
        conflict_store.change(self._tx, self._scope, conflict_id, opened)
        count = inbox_store.still_open(self._tx, self._scope, row.key)
        values = {"open_conflicts": count, "conflicts_settled": max(0, row.conflicts_settled - 1)}
        record_store.update(self._tx, self._scope, row.key, values)

    def _field(
        self, row: sa.Row[Any], stored: StoredCollection, conflict: sa.Row[Any], before: dict[str, Any]
    ) -> str | None:
        """Put a field back; give what Git says of it now."""
        pointer, collection = conflict.pointer, stored.collection
        record = record_store.existing(row)
        was = at(self._content(row, before["revision"]), pointer)
        theirs = at(record.base(), pointer)
        if row.gone or not unsettled(_side(conflict.base), was, theirs, collection.rules.at(pointer)):
            raise StateError(
                f"the field {pointer} of record '{row.id}' is not in dispute any more: Git has moved on",
                remedy="edit the field instead",
            )
        changed = self._editor.store_content(row, collection, with_field(record.value(), pointer, was), "undo")
        if changed.dirty:
            self._credit(row, before["authors"])
        return inbox_store.field_text(theirs)

    def _whole(self, row: sa.Row[Any], conflict: sa.Row[Any], before: dict[str, Any]) -> str | None:
        """Put a record back that was deleted on one side; give what Git says of it."""
        here, there = record_store.existing(row), _side(conflict.theirs)
        moved = bool(row.base_blob) if isinstance(there, Missing) else row.base_blob != before["base_blob"]
        if row.revision != before["after"] or row.id != before["id"] or moved:
            raise StateError(
                f"record '{here.id}' is not in dispute any more: Git has moved on",
                remedy="delete it with `lockstep records delete`, or add it again with `lockstep records add`",
            )
        if row.revision == before["revision"]:
            return str(conflict.theirs) if conflict.theirs is not None else None
        record_store.archive(self._tx, self._scope, [row.key])
        old = self._content(row, before["revision"])
        collection = store.find_collection(self._tx, self._scope, row.collection_id).collection
        values = {name: before[name] for name in ("dirty", "deleted", "authors")}
        version = {"revision": row.revision + 1, "reason": "undo"}
        who = {"updated_by": self._who.username, "updated_at": self._now}
        title, quality = derived(collection, row.id, old)
        content = {"content": dumps(old).decode(), "title": title, "quality": quality, "gone": False}
        record_store.update(self._tx, self._scope, row.key, {**values, **version, **who, **content})
        return str(conflict.theirs) if conflict.theirs is not None else None

    def _content(self, row: sa.Row[Any], revision: int) -> dict[str, Value]:
        """Give the content of a record at a revision."""
        if revision == row.revision:
            return as_object(loads(row.content.encode()))
        mine = sa.and_(self._scope.where(record_revisions), record_revisions.c.record_key == row.key)
        query = sa.select(record_revisions.c.content).where(mine, record_revisions.c.revision == revision)
        return as_object(loads(self._tx.execute(query).scalar_one().encode()))

    def _credit(self, row: sa.Row[Any], authors: str) -> None:
        """Name those who made the edits that are pending again, first those of the field that was put back."""
        people = [*json.loads(authors), *json.loads(row.authors)]
        once = [person for number, person in enumerate(people) if person not in people[:number]]
        record_store.update(self._tx, self._scope, row.key, {"authors": json.dumps(once)})

    def _refuse_edited(self, row: sa.Row[Any], since: int) -> None:
        old = record_store.revisions(self._tx, self._scope, row.key, row.revision - since, None)
        versions = [(row.revision, row.reason, row.updated_by)]
        versions += [(one.revision, one.reason, one.author) for one in old]
        edits = [(revision, who) for revision, why, who in versions if revision > since and why not in _NO_EDIT]
        if edits:
            revision, who = edits[0]
            raise StateError(
                f"record '{row.id}' was edited since (revision {revision}, by {who})",
                remedy="edit the field instead",
                reason="EDITED_SINCE",
            )

    def _refuse_published(self, row: sa.Row[Any], since: int) -> None:
        mine = sa.and_(self._scope.where(reservations), reservations.c.record_key == row.key)
        counts = sa.or_(reservations.c.released_at == 0, reservations.c.merged_at > 0)
        for found in self._tx.execute(sa.select(reservations).where(mine, counts)):
            if sync_pb2.ReservedRecord.FromString(bytes(found.answer)).revision >= since:
                raise StateError(
                    f"record '{row.id}' was published since (publication {found.publication_id})",
                    remedy="edit the field instead",
                    reason="PUBLISHED_SINCE",
                )


def _side(text: str | None) -> Field:
    return MISSING if text is None else loads(text.encode())
