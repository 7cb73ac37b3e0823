"""Edits of records: add, change, delete, validate, look back. Each is one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from services.core.collection import BadIdError, Collection, check_id
from services.core.errors import (
    AlreadyExistsError,
    FieldViolation,
    InvalidInputError,
    MovedError,
    StateError,
)
from services.core.findings import Finding
from services.core.formats import format_of
from services.core.importing import as_object
from services.core.schema import properties, validate
from services.core.values import ParseError, Value, dumps, equal, loads, remove_at, set_at
from services.runtime.identity import Identity
from services.sync import inbox_store, record_store, store
from services.sync.deriving import derived
from services.sync.store import Scope
from services.sync.tables import records


@dataclass(frozen=True)
class Edit:
    """What to change: single fields (pointer, JSON text or b"" to remove), or the whole content."""

    fields: Sequence[tuple[str, bytes]] = ()
    content: bytes = b""
    file_content: bytes = b""
    expected_revision: int = 0
    known_fields_only: bool = False


class Editor:
    """Changes records for one caller in one transaction, given by the servicer."""

    def __init__(self, tx: sa.Connection, scope: Scope, identity: Identity, clock: Callable[[], float]) -> None:
        """Take a transaction under the workspace's lock."""
        self._tx = tx
        self._scope = scope
        self._who = identity
        self._now = int(clock())

    def create(self, collection_name: str, record_id: str, content: bytes) -> sa.Row[Any]:
        """Add a record; give its row."""
        stored = store.find_collection(self._tx, self._scope, collection_name)
        collection = self.in_style(stored.collection)
        value = read_content(content)
        record_id, value = identify(collection, record_id, value)
        refuse_findings(record_id, validate(collection.schema, value))
        path = collection.path_for(record_id, value)
        # Under the rules stem and path the name of the file decides.
        record_id = collection.id_of(path, value)
        gone = self._room_for(collection, record_id, path)
        if gone and not gone.gone:
            return self._revive(gone, collection, value)
        key = gone.key if gone else store.take_keys(self._tx, self._scope, 1)
        if gone:
            record_store.archive(self._tx, self._scope, [gone.key])
        row = self.new_row(collection, record_id, path, value, key, gone.revision + 1 if gone else 1, "create")
        record_store.write(self._tx, [row])
        return record_store.by_key(self._tx, self._scope, key)

    def new_row(
        self,
        collection: Collection,
        record_id: str,
        path: bytes,
        value: dict[str, Value],
        key: int,
        revision: int,
        reason: str,
    ) -> dict[str, Any]:
        """Give the row of a record that is in no file yet."""
        return {
            **self._scope.columns(),
            "key": key,
            "collection_id": collection.id,
            "id": record_id,
            "path": path,
            "base_blob": "",
            "base_raw": b"",
            "dirty": True,
            "deleted": False,
            "gone": False,
            "file_rejected": False,
            "open_conflicts": 0,
            "conflicts_settled": 0,
            "publication_id": "",
            "authors": record_store.authors_with("[]", self._who.name, self._who.email),
            **self._version(revision, reason),
            **_derived(collection, record_id, value),
        }

    def _revive(self, row: sa.Row[Any], collection: Collection, value: dict[str, Value]) -> sa.Row[Any]:
        """Take a deletion back that is not in Git yet."""
        if row.open_conflicts:
            raise StateError(
                f"record '{row.id}' is deleted here and was changed in Git",
                remedy="settle that with `lockstep conflicts list` and `lockstep conflicts resolve`",
            )
        return self.store_content(row, collection, value, "create")

    def update(self, record_id: str, collection_name: str, edit: Edit) -> sa.Row[Any]:
        """Change a record; give its row as it is then."""
        row, collection = self._find(record_id, collection_name)
        if edit.expected_revision and edit.expected_revision != row.revision:
            raise MovedError(
                f"record '{record_id}' is at revision {row.revision}, not {edit.expected_revision}",
                remedy="read it again and repeat the edit",
                reason="STALE_REVISION",
            )
        if row.deleted:
            raise StateError(f"record '{record_id}' is deleted", remedy="add it again with `lockstep records add`")
        old = as_object(loads(row.content.encode()))
        new = _edited(row, old, edit)
        if edit.known_fields_only:
            _refuse_unknown(record_id, old, new, collection)
        if collection.id_rule == "field" and not equal(old.get("id"), new.get("id")):
            raise InvalidInputError(
                f"the id of record '{record_id}' cannot be edited",
                remedy="add a record with the new id and delete this one",
            )
        refuse_findings(record_id, validate(collection.schema, new))
        return self.store_content(row, collection, new, "edit")

    def store_content(
        self,
        row: sa.Row[Any],
        collection: Collection,
        new: dict[str, Value],
        reason: str,
    ) -> sa.Row[Any]:
        """Write new content of a record, and whether it differs from its base."""
        values = self.changed_columns(row, collection, new, reason)
        if not values:
            return row
        record_store.archive(self._tx, self._scope, [row.key])
        record_store.update(self._tx, self._scope, row.key, values)
        return record_store.by_key(self._tx, self._scope, row.key)

    def changed_columns(
        self,
        row: sa.Row[Any],
        collection: Collection,
        new: dict[str, Value],
        reason: str,
    ) -> dict[str, Any]:
        """Give the columns that new content of a record changes; none where it is what the record holds."""
        record = record_store.existing(row)
        if equal(record.value(), new) and not row.deleted:
            return {}
        dirty = not (record.base_blob and equal(record.base(), new))
        authors = record_store.authors_with(row.authors, self._who.name, self._who.email) if dirty else "[]"
        return {
            "dirty": dirty,
            "deleted": False,
            "authors": authors,
            **self._version(row.revision + 1, reason),
            **_derived(collection, row.id, new),
        }

    def delete(self, record_id: str, collection_name: str) -> None:
        """Delete a record; one that is in Git stays as a deletion to be published."""
        row, _ = self._find(record_id, collection_name)
        if row.deleted:
            return
        record_store.archive(self._tx, self._scope, [row.key])
        in_git = bool(row.base_blob) or bool(row.publication_id)
        values = {
            "deleted": True,
            "dirty": in_git,
            "gone": not in_git,
            "authors": record_store.authors_with(row.authors, self._who.name, self._who.email),
            **self._version(row.revision + 1, "delete"),
        }
        # Whatever was disputed in it, the person has seen it and lets the whole record go.
        inbox_store.settle_conflicts(self._tx, self._scope, [row.key], self._now)
        values["open_conflicts"] = 0
        record_store.update(self._tx, self._scope, row.key, values)

    def _find(self, record_id: str, collection_name: str) -> tuple[sa.Row[Any], Collection]:
        return find_record(self._tx, self._scope, record_id, collection_name)

    def in_style(self, collection: Collection) -> Collection:
        """Give the collection with a template in the format of its newest file, where it has none of its own."""
        mine = sa.and_(self._scope.where(records), records.c.collection_id == collection.id, records.c.base_blob != "")
        newest = sa.select(records.c.path).where(mine).order_by(records.c.key.desc()).limit(1)
        path = None if collection.new_path else self._tx.execute(newest).scalar()
        if path is None:
            return collection
        suffix = bytes(path).rpartition(b".")[2].decode()
        return replace(collection, new_path=f"{{id}}.{suffix}")

    def _room_for(self, collection: Collection, record_id: str, path: bytes) -> sa.Row[Any] | None:
        """Give the deleted record that has or had the id; raise AlreadyExistsError when id or path is taken."""
        mine = sa.and_(self._scope.where(records), records.c.collection_id == collection.id)
        same_id = self._tx.execute(sa.select(records).where(mine, records.c.id == record_id)).first()
        if same_id is not None and same_id.deleted and not same_id.gone:
            return same_id
        if same_id is not None and not same_id.gone:
            raise AlreadyExistsError(
                f"there is a record '{record_id}' already",
                remedy="edit it with `lockstep records edit`, or choose another id",
            )
        same_path = self._tx.execute(sa.select(records.c.id).where(mine, records.c.path == path, ~records.c.gone))
        holder = same_path.scalar()
        if holder is not None or path in inbox_store.held_files(self._tx, self._scope, collection.id):
            raise AlreadyExistsError(
                f"the file '{path.decode('utf-8', 'replace')}' is there already",
                remedy="choose another id, or another new_path for the collection",
            )
        return same_id

    def _version(self, revision: int, reason: str) -> dict[str, Any]:
        return {
            "revision": revision,
            "reason": reason,
            "updated_by": self._who.username,
            "updated_at": self._now,
        }


def find_record(
    tx: sa.Connection,
    scope: Scope,
    record_id: str,
    collection_name: str,
) -> tuple[sa.Row[Any], Collection]:
    """Give a record and its collection; raise NotFoundError."""
    chosen = store.find_collection(tx, scope, collection_name).collection.id if collection_name else ""
    row = record_store.find(tx, scope, record_id, chosen)
    return row, store.find_collection(tx, scope, row.collection_id).collection


def read_content(content: bytes) -> dict[str, Value]:
    """Give the object in JSON text; raise InvalidInputError when it is none."""
    value = loads(content)
    if not isinstance(value, dict):
        raise InvalidInputError("a record is an object with named fields", remedy='send {"field": value, …}')
    return value


def refuse_findings(record_id: str, findings: Sequence[Finding]) -> None:
    """Raise InvalidInputError with all violations when there are any."""
    if findings:
        first = findings[0]
        raise InvalidInputError(
            f"record '{record_id}' breaks its schema at {first.pointer or 'the top'}: {first.message}",
            remedy="correct the field; nothing was changed",
            reason="SCHEMA",
            violations=[FieldViolation(f.pointer, f.message) for f in findings],
        )


def identify(collection: Collection, record_id: str, value: dict[str, Value]) -> tuple[str, dict[str, Value]]:
    """Give the id of a new record, and its content with the id in it where the rule wants it there."""
    inside = value.get("id")
    found = record_id or (str(inside) if isinstance(inside, str | int) and not isinstance(inside, bool) else "")
    try:
        check_id(found)
    except BadIdError as error:
        raise InvalidInputError(f"a new record needs an id: {error}", remedy="name it, or set its field 'id'") from None
    if "/" in found:
        raise InvalidInputError(f"'{found}' is no id for a new record", remedy="use one without a slash")
    if collection.id_rule == "field":
        if inside is None:
            return found, {"id": found, **value}
        if str(inside) != found:
            raise InvalidInputError(f"the record's field 'id' is '{inside}', not '{found}'", remedy="make them equal")
    return found, value


def _edited(row: sa.Row[Any], old: dict[str, Value], edit: Edit) -> dict[str, Value]:
    if edit.file_content:
        form = format_of(bytes(row.path))
        if form is None:
            raise StateError(f"record '{row.id}' has no file format", remedy="send its content as JSON")
        try:
            return form.parse(edit.file_content)
        except ParseError as error:
            place = f"line {error.line}, column {error.column}: " if error.line else ""
            raise InvalidInputError(f"the file for record '{row.id}': {place}{error.message}") from None
    new: Value = read_content(edit.content) if edit.content else old
    for pointer, text in edit.fields:
        if not pointer:
            raise InvalidInputError("a field is needed", remedy="name it like /title; to replace all send content")
        new = set_at(new, pointer, loads(text)) if text else remove_at(new, pointer)
    return as_object(new)


def _refuse_unknown(record_id: str, old: dict[str, Value], new: dict[str, Value], collection: Collection) -> None:
    known = old.keys() | properties(collection.schema)
    unknown = [key for key in new if key not in known]
    if unknown:
        raise InvalidInputError(
            f"record '{record_id}' has no field '{unknown[0]}'",
            remedy=f"use one of {', '.join(sorted(known))}, or --allow-new to add a field",
            reason="UNKNOWN_FIELD",
        )


def _derived(collection: Collection, record_id: str, value: dict[str, Value]) -> dict[str, Any]:
    title, quality = derived(collection, record_id, value)
    return {"content": dumps(value).decode(), "title": title, "quality": quality}
