"""Settles conflicts: a person chooses the database's side, Git's, both, or a value of their own."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from services.core.collection import Collection
from services.core.errors import InvalidInputError, LockstepError, MovedError, StateError
from services.core.fields import MISSING, Field, Missing, at, with_field
from services.core.importing import as_object
from services.core.merge import chosen
from services.core.schema import validate
from services.core.values import Value, loads
from services.runtime.identity import Identity
from services.sync import conflict_store, inbox_store, record_store, store
from services.sync.conflict_store import Filter
from services.sync.editing import Editor, refuse_findings
from services.sync.store import Scope

MOST_AT_ONCE: Final = 5_000
_MOST_NAMED: Final = 100


@dataclass(frozen=True)
class Choice:
    """What a person decides: ``take`` is "ours", "theirs", "both", or "value" with JSON text."""

    take: str
    value: bytes = b""

    def check(self) -> None:
        """Raise InvalidInputError when nothing is chosen."""
        if self.take == "value" and not self.value:
            raise InvalidInputError("neither a side nor a value is given", remedy="take ours, theirs, both or a value")


@dataclass(frozen=True)
class Settled:
    """How many conflicts were meant and settled, and those that stay open with the reason."""

    matched: int
    settled: int = 0
    unresolved: Sequence[tuple[sa.Row[Any], str]] = ()


class Settler:
    """Settles conflicts for one caller in one transaction under the workspace's lock."""

    def __init__(self, tx: sa.Connection, scope: Scope, identity: Identity, clock: Callable[[], float]) -> None:
        """Take what an ``Editor`` takes."""
        self._tx = tx
        self._scope = scope
        self._who = identity
        self._now = int(clock())
        self._editor = Editor(tx, scope, identity, clock)

    def resolve(self, conflict_id: str, choice: Choice) -> None:
        """Settle one conflict.

        Raises StateError when it is settled already, InvalidInputError when the choice means nothing there or the
        result breaks the schema; nothing is written then.
        """
        conflict = conflict_store.get(self._tx, self._scope, conflict_id)
        if conflict.state != "open":
            raise StateError(f"conflict '{conflict_id}' is settled already ({conflict.state})")
        choice.check()
        row = record_store.by_key(self._tx, self._scope, conflict.record_key)
        collection = store.find_collection(self._tx, self._scope, row.collection_id).collection
        new = _decided(conflict, as_object(loads(row.content.encode())), collection, choice)
        if new is not None and conflict.pointer and choice.take != "ours":
            refuse_findings(row.id, validate(collection.schema, new))
        before = {name: getattr(row, name) for name in ("id", "revision", "authors", "dirty", "deleted", "base_blob")}
        values = {"state": choice.take, "resolved_by": self._who.username, "resolved_at": self._now}
        conflict_store.change(self._tx, self._scope, conflict_id, values)
        if new is None:
            self._drop(row)
        elif conflict.pointer or choice.take == "theirs":
            self._editor.store_content(row, collection, new, "resolve")
        after = self._recount(row.key)
        kept = json.dumps({**before, "after": after.revision})
        conflict_store.change(self._tx, self._scope, conflict_id, {"before": kept})

    def resolve_many(self, wanted: Sequence[str], chosen_by: Filter, choice: Choice, *, expected: int = 0) -> Settled:
        """Settle the conflicts with these ids, or those of a filter, alike; those that cannot be so stay open.

        Raises MovedError (reason COUNT_MOVED) when there are not as many as ``expected``, NotFoundError for an
        unknown id.
        """
        choice.check()
        matched = self.count(wanted, chosen_by)
        if expected and matched != expected:
            raise MovedError(
                f"there are {matched} such conflicts, not {expected}",
                remedy="look at them again with `lockstep conflicts list`",
                reason="COUNT_MOVED",
            )
        found = wanted or conflict_store.ids(self._tx, self._scope, chosen_by, MOST_AT_ONCE)
        left: list[tuple[sa.Row[Any], str]] = []
        for conflict_id in found:
            row = conflict_store.get(self._tx, self._scope, conflict_id)
            try:
                self.resolve(conflict_id, choice)
            except LockstepError as error:
                # Refused before anything was written: this one stays as it is, the others go on.
                left.append((row, str(error)))
        return Settled(matched, len(found) - len(left), left[:_MOST_NAMED])

    def count(self, wanted: Sequence[str], chosen_by: Filter) -> int:
        """Count the conflicts that are meant; raise InvalidInputError where that cannot be said."""
        if len(wanted) > MOST_AT_ONCE or len(set(wanted)) != len(wanted):
            raise InvalidInputError(
                "these conflicts cannot be settled at once", remedy=f"name each once, and at most {MOST_AT_ONCE}"
            )
        for conflict_id in wanted:
            conflict_store.get(self._tx, self._scope, conflict_id)
        return len(wanted) or conflict_store.count(self._tx, self._scope, chosen_by)

    def _drop(self, row: sa.Row[Any]) -> None:
        """Let a record go with its file."""
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
        inbox_store.settle_conflicts(self._tx, self._scope, [row.key], self._now)
        record_store.archive(self._tx, self._scope, [row.key])
        version = {"revision": row.revision + 1, "reason": "resolve", "updated_by": self._who.username}
        record_store.update(self._tx, self._scope, row.key, {**values, **version, "updated_at": self._now})

    def _recount(self, key: int) -> sa.Row[Any]:
        """Write how many conflicts are left; give the record as it is then."""
        row = record_store.by_key(self._tx, self._scope, key)
        left = inbox_store.still_open(self._tx, self._scope, key)
        settled = {"open_conflicts": left, "conflicts_settled": row.conflicts_settled + 1}
        record_store.update(self._tx, self._scope, key, settled)
        return row


def ours_of(row: sa.Row[Any]) -> bytes:
    """Give the database's value of a conflict as JSON: the record's own while it is open."""
    if row.state != "open" or not row.pointer:
        return (row.ours or "").encode()
    return (inbox_store.field_text(at(loads(row.content.encode()), row.pointer)) or "").encode()


def _decided(
    conflict: sa.Row[Any], content: dict[str, Value], collection: Collection, choice: Choice
) -> dict[str, Value] | None:
    """Give the record as it is to be; None where it is to go."""
    theirs = _field(conflict.theirs)
    if not conflict.pointer:
        if choice.take not in ("ours", "theirs"):
            raise InvalidInputError("the record was deleted on one side", remedy="take ours or theirs")
        if choice.take == "ours":
            return content
        return None if isinstance(theirs, Missing) else as_object(theirs)
    if choice.take == "ours":
        return content
    if choice.take == "value":
        return _placed(content, conflict.pointer, loads(choice.value))
    rules = collection.rules.at(conflict.pointer)
    favour: Any = choice.take
    new = chosen(_field(conflict.base), at(content, conflict.pointer), theirs, rules, favour)
    if choice.take == "both" and isinstance(new, Missing):
        raise InvalidInputError(
            f"the field {conflict.pointer} is not a list or a text of several lines on both sides",
            remedy="take ours, theirs or a value",
        )
    return _placed(content, conflict.pointer, new)


def _field(text: str | None) -> Field:
    return MISSING if text is None else loads(text.encode())


def _placed(content: dict[str, Value], pointer: str, new: Field) -> dict[str, Value]:
    placed = with_field(content, pointer, new)
    if not isinstance(new, Missing) and isinstance(at(placed, pointer), Missing):
        raise StateError(
            f"the field {pointer} has no place in the record: what it lies in was edited meanwhile, or the value is "
            "not that item",
            remedy="take ours, or edit that field first",
        )
    return placed
