"""Adds and changes many records by the lines of a file: a plan first, then all lines or none.

The file is kept on disk, and the records are looked up and written some hundred at a time, so that a file of any
length needs little memory. Each line is an edit like any other: one entry in the record's history, pending until it
is published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.collection import BadIdError, Collection, check_id
from services.core.errors import FieldViolation, InvalidInputError, LockstepError, MovedError
from services.core.importing import as_object
from services.core.merge import changed
from services.core.schema import validate
from services.core.values import ParseError, Value, equal, loads
from services.sync import inbox_store, record_store, store
from services.sync.editing import Editor, identify, refuse_findings
from services.sync.store import Scope
from services.sync.upload import Upload

MAX_SHOWN: Final = 1_000
_BATCH: Final = 500
_BATCH_BYTES: Final = 8 * 1024 * 1024
_ENVELOPE: Final = frozenset({"content", "id", "collection", "revision"})


@dataclass(frozen=True)
class Line:
    """What one line asks for."""

    number: int
    id: str
    collection: str
    revision: int
    content: dict[str, Value]


@dataclass
class Report:
    """What the lines do, as counts and as far as there is room one by one."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("create", "update", "unchanged", "invalid"), 0)
    )
    lines: list[sync_pb2.LoadedLine] = field(default_factory=list)
    _shown: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def add(self, number: int, action: str, **about: Any) -> None:
        """Count a line and keep it to be shown."""
        self.counts[action] += 1
        bad = action == "invalid"
        if action != "unchanged" and self._shown[bad] < MAX_SHOWN:
            self._shown[bad] += 1
            self.lines.append(sync_pb2.LoadedLine(line=number, action=action, **about))

    def message(self, revision: int, *, applied: bool) -> sync_pb2.LoadRecordsResponse:
        """Give the answer to the call."""
        return sync_pb2.LoadRecordsResponse(
            revision=revision,
            created=self.counts["create"],
            updated=self.counts["update"],
            unchanged=self.counts["unchanged"],
            invalid=self.counts["invalid"],
            lines=sorted(self.lines, key=lambda line: line.line),
            applied=applied,
        )


def plan(tx: sa.Connection, scope: Scope, upload: Upload, editor: Editor) -> sync_pb2.LoadRecordsResponse:
    """Say what a file would do, and for which revision of the database."""
    row = store.workspace_row(tx, scope)
    report = _Loader(tx, scope, editor, upload.header.collection, write=False).load(upload)
    return report.message(row.revision if row else 0, applied=False)


def apply(tx: sa.Connection, scope: Scope, upload: Upload, editor: Editor) -> sync_pb2.LoadRecordsResponse:
    """Write a file under the workspace's lock; raise MovedError (reason PLAN_MOVED) or InvalidInputError."""
    row = store.workspace_row(tx, scope)
    # The lock has counted this very write.
    revision = row.revision - 1 if row else 0
    expected = upload.header.expected_revision
    if expected and expected != revision:
        raise MovedError(
            f"the plan was made for revision {expected} of the database, which is at {revision} now",
            remedy="plan again, look at it, and repeat",
            reason="PLAN_MOVED",
        )
    report = _Loader(tx, scope, editor, upload.header.collection, write=True).load(upload)
    if report.counts["invalid"]:
        bad = [line for line in report.lines if line.action == "invalid"]
        raise InvalidInputError(
            f"{report.counts['invalid']} lines cannot be records; line {bad[0].line}: {bad[0].message}",
            remedy="correct them and load the file again; nothing was changed",
            reason="BAD_LINES",
            violations=[FieldViolation(f"line {line.line}", line.message) for line in bad[:100]],
        )
    return report.message(revision, applied=True)


class _Loader:
    """Reads the lines in batches, and writes them where they are to be written."""

    def __init__(self, tx: sa.Connection, scope: Scope, editor: Editor, collection: str, *, write: bool) -> None:
        self._tx = tx
        self._scope = scope
        self._editor = editor
        self._default = collection
        self._write = write
        self._report = Report()
        # Which line an id or a path was first in, by collection.
        self._ids: dict[tuple[str, str], int] = {}
        self._paths: dict[tuple[str, bytes], int] = {}
        self._collections: dict[str, Collection] = {}

    def load(self, upload: Upload) -> Report:
        batch: list[Line] = []
        weight = 0
        for number, text in upload.lines():
            try:
                batch.append(self._line(number, text))
            except LockstepError as error:
                self._report.add(number, "invalid", message=_shown(error))
            weight += len(text)
            if len(batch) >= _BATCH or weight > _BATCH_BYTES:
                self._take(batch)
                batch, weight = [], 0
        self._take(batch)
        return self._report

    def _line(self, number: int, text: bytes) -> Line:
        try:
            value = loads(text)
        except ParseError as error:
            raise InvalidInputError(f"column {error.column}: {error.message}") from None
        if not isinstance(value, dict):
            raise InvalidInputError("the line is no object", remedy='write {"id": …, "field": value, …}')
        content, about = value, {}
        if isinstance(value.get("content"), dict) and value.keys() <= _ENVELOPE:
            content, about = as_object(value["content"]), value
        name, record_id, revision = (
            about.get("collection", ""),
            about.get("id", content.get("id")),
            about.get("revision", 0),
        )
        if not isinstance(name, str) or isinstance(revision, bool) or not isinstance(revision, int) or revision < 0:
            raise InvalidInputError("collection is to be a name, and revision a number", remedy="or leave them out")
        if record_id is None or isinstance(record_id, bool) or not isinstance(record_id, str | int):
            raise InvalidInputError("the line has no id", remedy='give it a field "id"')
        try:
            check_id(str(record_id))
        except BadIdError as error:
            raise InvalidInputError(str(error), remedy="choose another") from None
        collection = self._collection(name or self._default)
        first = self._ids.setdefault((collection.id, str(record_id)), number)
        if first != number:
            raise InvalidInputError(f"line {first} is about record '{record_id}' too", remedy="keep one of them")
        return Line(number, str(record_id), collection.id, revision, content)

    def _collection(self, name: str) -> Collection:
        if name not in self._collections:
            collection = store.find_collection(self._tx, self._scope, name).collection
            known = self._collections.get(collection.id) or self._editor.in_style(collection)
            self._collections |= {name: known, collection.id: known}
        return self._collections[name]

    def _take(self, batch: Sequence[Line]) -> None:
        by_collection: dict[str, list[Line]] = {}
        for line in batch:
            by_collection.setdefault(line.collection, []).append(line)
        for collection_id, lines in by_collection.items():
            _Batch(
                self._tx, self._scope, self._editor, self._collections[collection_id], self._report, self._paths
            ).take(lines, write=self._write)


class _Batch:
    """Some lines of one collection."""

    def __init__(
        self,
        tx: sa.Connection,
        scope: Scope,
        editor: Editor,
        collection: Collection,
        report: Report,
        paths: dict[tuple[str, bytes], int],
    ) -> None:
        self._tx = tx
        self._scope = scope
        self._editor = editor
        self._collection = collection
        self._report = report
        self._paths = paths
        self._archived: list[int] = []
        self._rows: list[dict[str, Any]] = []

    def take(self, lines: Sequence[Line], *, write: bool) -> None:
        known = record_store.owners(
            self._tx, self._scope, self._collection.id, paths=(), ids=[line.id for line in lines]
        )
        by_id = {row.id: row for _, row in known.values()}
        new: list[Line] = []
        for line in lines:
            row = by_id.get(line.id)
            if row is None or row.gone:
                new.append(line)
            else:
                self._checked(line, lambda line, row=row: self._change(line, row))
        if new:
            self._create(new, by_id)
        if write:
            self._store()

    def _checked(self, line: Line, work: Any) -> None:
        try:
            work(line)
        except LockstepError as error:
            about = {"record_id": line.id, "collection": self._collection.name}
            self._report.add(line.number, "invalid", message=_shown(error), **about)

    def _change(self, line: Line, row: sa.Row[Any]) -> None:
        collection, content = self._collection, line.content
        if collection.id_rule == "field" and "id" not in content:
            content = {"id": line.id, **content}
        old = as_object(loads(row.content.encode()))
        if equal(old, content) and not row.deleted:
            self._report.add(line.number, "unchanged")
            return
        if line.revision and line.revision != row.revision:
            raise InvalidInputError(
                f"record '{row.id}' is at revision {row.revision}, and the line was made from {line.revision}",
                remedy="export it again, or leave the revision out",
            )
        if collection.id_rule == "field" and not equal(old.get("id"), content.get("id")):
            raise InvalidInputError(f"the id of record '{row.id}' cannot be edited", remedy="leave it as it is")
        if row.deleted and row.open_conflicts:
            raise InvalidInputError(
                f"record '{row.id}' is deleted here and was changed in Git", remedy="settle the conflict first"
            )
        refuse_findings(row.id, validate(collection.schema, content))
        columns = self._editor.changed_columns(row, collection, content, "load")
        self._archived.append(row.key)
        self._rows.append({**row._mapping, **columns})  # noqa: SLF001  SQLAlchemy's public accessor
        action = "create" if row.deleted else "update"
        self._report.add(line.number, action, **self._about(row.id), changed=changed(old, content))

    def _create(self, lines: Sequence[Line], gone: Mapping[str, sa.Row[Any]]) -> None:
        placed: list[tuple[Line, str, bytes, dict[str, Value]]] = []
        for line in lines:
            self._checked(line, lambda line: placed.append(self._placed(line)))
        paths = [path for *_, path, _ in placed]
        known = record_store.owners(self._tx, self._scope, self._collection.id, paths=paths, ids=[])
        taken = {bytes(row.path) for _, row in known.values() if not row.gone}
        taken |= inbox_store.held_files(self._tx, self._scope, self._collection.id).keys()
        for line, record_id, path, value in placed:
            self._checked(line, lambda line, place=(record_id, path, value): self._add(line, place, taken, gone))

    def _placed(self, line: Line) -> tuple[Line, str, bytes, dict[str, Value]]:
        collection = self._collection
        record_id, value = identify(collection, line.id, line.content)
        refuse_findings(record_id, validate(collection.schema, value))
        path = collection.path_for(record_id, value)
        if collection.id_of(path, value) != line.id:
            raise InvalidInputError(
                f"the file of record '{line.id}' would make it '{collection.id_of(path, value)}'", remedy="use that id"
            )
        return line, record_id, path, value

    def _add(
        self,
        line: Line,
        place: tuple[str, bytes, dict[str, Value]],
        taken: set[bytes],
        gone: Mapping[str, sa.Row[Any]],
    ) -> None:
        record_id, path, value = place
        first = self._paths.setdefault((self._collection.id, path), line.number)
        if path in taken or first != line.number:
            where = f"that of line {first}" if first != line.number else "there already"
            raise InvalidInputError(f"its file '{path.decode('utf-8', 'replace')}' is {where}", remedy="use another id")
        before = gone.get(record_id)
        revision = before.revision + 1 if before else 1
        if before:
            self._archived.append(before.key)
        key = before.key if before else 0
        self._rows.append(self._editor.new_row(self._collection, record_id, path, value, key, revision, "load"))
        self._report.add(line.number, "create", **self._about(record_id), changed=changed({}, value))

    def _store(self) -> None:
        new = [row for row in self._rows if not row["key"]]
        first = store.take_keys(self._tx, self._scope, len(new)) if new else 0
        for number, row in enumerate(new, first):
            row["key"] = number
        record_store.archive(self._tx, self._scope, self._archived)
        record_store.write(self._tx, self._rows)

    def _about(self, record_id: str) -> dict[str, str]:
        return {"record_id": record_id, "collection": self._collection.name}


def _shown(error: LockstepError) -> str:
    """Give an error in one line, without what it says of a whole request."""
    return str(error).removesuffix(": correct the field; nothing was changed")
