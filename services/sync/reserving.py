"""Sets records aside for a publication and says what their files shall hold."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from protos.common.v1 import common_pb2
from protos.sync.v1 import sync_pb2
from services.core.collection import Collection
from services.core.errors import InvalidInputError, LockstepError, NeedsPersonError, StateError
from services.core.formats import format_of
from services.core.importing import ExistingRecord
from services.core.merge import changed
from services.core.schema import assess, validate
from services.core.values import dumps
from services.sync import record_store, store
from services.sync.convert import finding_message
from services.sync.editing import refuse_findings
from services.sync.placing import place
from services.sync.store import Scope
from services.sync.tables import conflicts, records, reservations

_MESSAGE_BYTES: Final = 1024 * 1024
# What a publication does to a record's file, the base and the proposed content as JSON text.
_Answer: TypeAlias = tuple[sync_pb2.ReservedRecord, str, str | None]


@dataclass(frozen=True)
class Reserved:
    """The commit that the contents are made for, and one answer a record."""

    base_commit: str
    answers: list[sync_pb2.ReservedRecord]


def reserve(tx: sa.Connection, scope: Scope, publication_id: str, record_ids: Sequence[str]) -> Reserved:
    """Reserve pending records; asked again with the same publication, give the same answer.

    Raises StateError (reason NOTHING_TO_PUBLISH) when nothing is pending, NotFoundError for an unknown id,
    NeedsPersonError for one in conflict, StateError for one in another open publication.
    """
    # The lock first: the same publication may ask twice at once.
    workspace = store.lock(tx, scope)
    before = record_store.reservations_of(tx, scope, publication_id)
    if before:
        answers = [sync_pb2.ReservedRecord.FromString(bytes(row.answer)) for row in before]
        return Reserved(before[0].base_commit, answers)
    if not workspace.imported_commit:
        raise StateError(
            "the workspace was never imported, or its collections changed since",
            remedy="run `lockstep git-pull` first",
            reason="IMPORT_FIRST",
        )
    rows = _chosen(tx, scope, record_ids) if record_ids else _pending(tx, scope)
    rules = {stored.collection.id: stored.collection for stored in store.list_collections(tx, scope)}
    answers = []
    for row, (answer, base, value) in _answered(tx, scope, rows, rules, all_pending=not record_ids):
        answers.append(answer)
        tx.execute(
            sa.insert(reservations).values(
                **scope.columns(),
                publication_id=publication_id,
                record_key=row.key,
                record_id=row.id,
                base_commit=workspace.imported_commit,
                base=base,
                value=value,
                answer=answer.SerializeToString(),
            ),
        )
        record_store.update(tx, scope, row.key, {"publication_id": publication_id, "path": answer.path})
    return Reserved(workspace.imported_commit, answers)


def batches(reserved: Reserved) -> Iterator[sync_pb2.ReserveRecordsResponse]:
    """Give the answers in messages of at most 1 MiB each."""
    message = sync_pb2.ReserveRecordsResponse(base_commit_oid=reserved.base_commit)
    size = 0
    for answer in reserved.answers:
        if size and size + answer.ByteSize() > _MESSAGE_BYTES:
            yield message
            message, size = sync_pb2.ReserveRecordsResponse(), 0
        message.records.append(answer)
        size += answer.ByteSize()
    yield message


def release(tx: sa.Connection, scope: Scope, publication_id: str, now: int) -> int:
    """Give the records of a publication that are not merged back as pending; give how many."""
    mine = sa.and_(scope.where(reservations), reservations.c.publication_id == publication_id)
    tx.execute(
        sa.update(reservations)
        .where(mine, reservations.c.merged_at == 0, reservations.c.released_at == 0)
        .values(released_at=now),
    )
    held = sa.and_(scope.where(records), records.c.publication_id == publication_id)
    # Added, proposed, deleted, and never in Git: with the proposal nothing is left of it.
    never = {"gone": True, "dirty": False, "authors": "[]", "publication_id": ""}
    nothing = sa.and_(held, records.c.deleted, ~records.c.gone, records.c.base_blob == "")
    tx.execute(sa.update(records).where(nothing).values(**never))
    return int(tx.execute(sa.update(records).where(held).values(publication_id="")).rowcount)


def _answered(
    tx: sa.Connection,
    scope: Scope,
    rows: Sequence[sa.Row[Any]],
    rules: Mapping[str, Collection],
    *,
    all_pending: bool,
) -> Iterator[tuple[sa.Row[Any], _Answer]]:
    """Give the records with their answers; of all that are pending, those that can be published.

    The others stay pending: one record that has no place, or breaks its schema, stops nothing.
    """
    problem: LockstepError | None = None
    answered = 0
    for row in rows:
        collection = rules[row.collection_id]
        try:
            answer = _answer(row, place(tx, scope, record_store.existing(row), collection), collection)
        except (StateError, InvalidInputError) as error:
            problem = error
            if not all_pending:
                raise
            continue
        answered += 1
        yield row, answer
    if problem is not None and not answered:
        raise problem


def _pending(tx: sa.Connection, scope: Scope) -> list[sa.Row[Any]]:
    free = sa.and_(records.c.dirty, records.c.publication_id == "", ~records.c.file_rejected)
    query = sa.select(records).where(scope.where(records), ~records.c.gone, free)
    rows = list(tx.execute(query.where(records.c.open_conflicts == 0).order_by(records.c.collection_id, records.c.id)))
    if not rows:
        waiting = record_store.count(tx, scope, records.c.open_conflicts > 0)
        if waiting:
            raise NeedsPersonError(
                f"nothing can be published: {waiting} records are in conflict",
                why="conflict",
                ids=_conflict_ids(tx, scope, None),
                remedy="settle them with `lockstep conflicts list` and `lockstep conflicts resolve`",
            )
        raise StateError(
            "there is nothing to publish",
            remedy="edit a record first, for example with `lockstep records edit ID --set field=value`",
            reason="NOTHING_TO_PUBLISH",
        )
    return rows


def _chosen(tx: sa.Connection, scope: Scope, record_ids: Sequence[str]) -> list[sa.Row[Any]]:
    rows = []
    for record_id in dict.fromkeys(record_ids):
        row = record_store.find(tx, scope, record_id)
        if row.open_conflicts:
            raise NeedsPersonError(
                f"record '{record_id}' is in conflict",
                why="conflict",
                ids=_conflict_ids(tx, scope, row.key),
                remedy="settle it with `lockstep conflicts list` and `lockstep conflicts resolve`",
            )
        if row.publication_id:
            raise StateError(
                f"record '{record_id}' is in publication {row.publication_id} already",
                remedy="merge or close that one first (`lockstep publications list`)",
                reason="ALREADY_PROPOSED",
            )
        if not row.dirty or row.file_rejected:
            what = "its file in Git cannot be read" if row.file_rejected else "it is as in Git"
            raise StateError(
                f"record '{record_id}' has nothing to publish: {what}",
                remedy="`lockstep records list --state pending` shows what is pending",
                reason="NOTHING_TO_PUBLISH",
            )
        rows.append(row)
    return rows


def _conflict_ids(tx: sa.Connection, scope: Scope, key: int | None) -> list[str]:
    query = sa.select(conflicts.c.id).where(scope.where(conflicts), conflicts.c.state == "open").limit(100)
    return list(tx.execute(query if key is None else query.where(conflicts.c.record_key == key)).scalars())


def _answer(row: sa.Row[Any], path: bytes, collection: Collection) -> _Answer:
    """Give what a publication does to a record's file, the base and the proposed content as JSON text."""
    record = replace(record_store.existing(row), path=path)
    value, base = record.value(), record.base()
    if not record.deleted:
        refuse_findings(record.id, validate(collection.schema, value))
    score, notes = assess(collection.quality, value)
    date = value.get("date")
    answer = sync_pb2.ReservedRecord(
        record_key=record.key,
        record_id=record.id,
        collection=collection.name,
        revision=record.revision,
        path=record.path,
        file_content=b"" if record.deleted else _file_content(record),
        delete=record.deleted,
        create=not record.base_blob,
        title=row.title,
        date=date if isinstance(date, str) else "",
        changed=[] if record.deleted else changed(base, value),
        quality=score,
        findings=[finding_message(record.id, note, error=False) for note in notes],
        authors=[common_pb2.Person(name=p["name"], email=p["email"]) for p in _people(row.authors)],
        conflicts_settled=row.conflicts_settled,
    )
    return answer, dumps(base).decode(), None if record.deleted else row.content


def _file_content(record: ExistingRecord) -> bytes:
    form = format_of(record.path)
    if form is None:
        raise InvalidInputError(f"record '{record.id}' has no file format", remedy="rename its file")
    try:
        return form.edit(record.base_raw, record.value()) if record.base_blob else form.new(record.value())
    except LockstepError as error:
        raise type(error)(f"record '{record.id}' cannot be written: {error.message}", remedy=error.remedy) from error


def _people(text: str) -> list[dict[str, str]]:
    people: list[dict[str, str]] = json.loads(text)
    return people
