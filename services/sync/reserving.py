"""Sets records aside for a publication and says what their files shall hold."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from protos.common.v1 import common_pb2
from protos.sync.v1 import sync_pb2
from services.core.collection import Collection
from services.core.errors import InvalidInputError, LockstepError, MovedError, NeedsPersonError, StateError
from services.core.formats import format_of
from services.core.importing import ExistingRecord
from services.core.merge import changed
from services.core.quality import assess
from services.core.schema import validate
from services.core.values import dumps
from services.sync import record_store, review_store, store
from services.sync.batches import by_size
from services.sync.convert import finding_message
from services.sync.editing import refuse_findings
from services.sync.placing import place
from services.sync.review import NUMBERS
from services.sync.review_store import Standing
from services.sync.store import Scope
from services.sync.tables import conflicts, records, reservations

_MOST_NAMED: Final = 100
_MOST_SHOWN: Final = 5
_UNASKED: Final = sync_pb2.REVIEW_STATE_UNSPECIFIED
# What a publication does to a record's file, the base and the proposed content as JSON text.
_Answer: TypeAlias = tuple[sync_pb2.ReservedRecord, str, str | None]


@dataclass(frozen=True)
class Reserved:
    """The commit that the contents are made for, and one answer a record."""

    base_commit: str
    answers: list[sync_pb2.ReservedRecord]
    # Ids of records that are left out because they are not validated.
    awaiting_review: Sequence[str] = ()


@dataclass(frozen=True)
class Wish:
    """What is to be reserved for a publication: records by id, all that are pending when none is named.

    ``override_review`` says why records that are not validated are taken too; empty when they are not.
    ``expected_revision`` is the revision of the database that a plan was made for; 0 takes any.
    """

    publication_id: str
    record_ids: Sequence[str] = ()
    override_review: str = ""
    expected_revision: int = 0


@dataclass(frozen=True)
class LeftOut:
    """A pending record that a publication leaves out, and the error that says why."""

    row: sa.Row[Any]
    error: LockstepError


@dataclass
class Selection:
    """The records of a publication: the commit they stand on, and what is set aside or left out.

    ``taken`` sets records aside as it is read; ``left_out`` is whole when it was read to its end.
    """

    base_commit: str
    awaiting_review: Sequence[str]
    taken: Iterator[tuple[sa.Row[Any], sync_pb2.ReservedRecord]]
    left_out: list[LeftOut] = field(default_factory=list)


def reserve(tx: sa.Connection, scope: Scope, wish: Wish, now: int) -> Reserved:
    """Reserve pending records; asked again with the same publication, give the same answer.

    Of all that are pending, those that are to be reviewed first are left out; one that is named is refused with
    NeedsPersonError (why "review"). Raises StateError (reason NOTHING_TO_PUBLISH) when nothing is pending,
    NotFoundError for an unknown id, NeedsPersonError for one in conflict, StateError for one in another open
    publication.
    """
    # The lock first: the same publication may ask twice at once.
    workspace = store.lock(tx, scope)
    before = record_store.reservations_of(tx, scope, wish.publication_id)
    if before:
        answers = [sync_pb2.ReservedRecord.FromString(bytes(row.answer)) for row in before]
        return Reserved(before[0].base_commit, answers)
    if wish.expected_revision and wish.expected_revision != workspace.revision:
        raise MovedError(
            f"the plan was made for revision {wish.expected_revision} of the database, "
            f"which is at {workspace.revision} now",
            remedy="plan again, look at it, and repeat",
            reason="PLAN_MOVED",
        )
    selection = select(tx, scope, wish, workspace.imported_commit, now)
    answers = [answer for _, answer in selection.taken]
    return Reserved(selection.base_commit, answers, selection.awaiting_review)


def select(tx: sa.Connection, scope: Scope, wish: Wish, imported: str, now: int) -> Selection:
    """Choose the records that are to be published and set them aside, one after the other; see ``reserve``.

    ``imported`` is the commit that the workspace holds.
    """
    record_ids = wish.record_ids
    if not imported:
        raise StateError(
            "the workspace was never imported, or its collections changed since",
            remedy="run `lockstep git-pull` first",
            reason="IMPORT_FIRST",
        )
    chosen = _chosen(tx, scope, record_ids) if record_ids else _pending(tx, scope)
    reviewed = _Reviewed(review_store.standings(tx, scope, chosen, now), override=bool(wish.override_review))
    rows, awaiting = reviewed.part(chosen, named=bool(record_ids))
    left_out = [LeftOut(row, _unreviewed([row.id], 1)) for row in chosen if row.id in set(awaiting)] if awaiting else []

    def taken() -> Iterator[tuple[sa.Row[Any], sync_pb2.ReservedRecord]]:
        rules = {stored.collection.id: stored.collection for stored in store.list_collections(tx, scope)}
        skipped = None if record_ids else left_out
        for row, (answer, base, value) in _answered(tx, scope, rows, rules, skipped):
            answer.review = reviewed.state(row)
            tx.execute(
                sa.insert(reservations).values(
                    **scope.columns(),
                    publication_id=wish.publication_id,
                    record_key=row.key,
                    record_id=row.id,
                    base_commit=imported,
                    base=base,
                    value=value,
                    answer=answer.SerializeToString(),
                ),
            )
            values = {"publication_id": wish.publication_id, "path": answer.path}
            record_store.update(tx, scope, row.key, values)
            yield row, answer

    return Selection(imported, awaiting, taken(), left_out)


def batches(reserved: Reserved) -> Iterator[sync_pb2.ReserveRecordsResponse]:
    """Give the answers in messages of at most 1 MiB each."""
    waiting = reserved.awaiting_review[:_MOST_NAMED]
    message = sync_pb2.ReserveRecordsResponse(base_commit_oid=reserved.base_commit, awaiting_review=waiting)
    for group in by_size(reserved.answers):
        message.records.extend(group)
        yield message
        message = sync_pb2.ReserveRecordsResponse()


def release(tx: sa.Connection, scope: Scope, publication_id: str, now: int) -> int:
    """Give the records of a publication that are not merged back as pending; give how many."""
    mine = sa.and_(scope.where(reservations), reservations.c.publication_id == publication_id)
    tx.execute(
        sa.update(reservations).where(mine, reservations.c.released_at == 0).values(released_at=now),
    )
    held = records.c.publication_id == publication_id
    # Added, proposed, deleted, and never in Git: with the proposal nothing is left of it.
    never = {"gone": True, "dirty": False, "authors": "[]", "publication_id": ""}
    nothing = sa.and_(held, records.c.deleted, ~records.c.gone, records.c.base_blob == "")
    record_store.update_all(tx, scope, nothing, never)
    return record_store.update_all(tx, scope, held, {"publication_id": ""})


@dataclass(frozen=True)
class _Reviewed:
    """How the review of records stands, by key, where their collections ask for it."""

    standings: Mapping[int, Standing]
    override: bool

    def state(self, row: sa.Row[Any]) -> sync_pb2.ReviewState.ValueType:
        """Give how far the review of a record has come."""
        return NUMBERS[self.standings[row.key].state] if row.key in self.standings else _UNASKED

    def part(self, rows: Sequence[sa.Row[Any]], *, named: bool) -> tuple[Sequence[sa.Row[Any]], list[str]]:
        """Give the records that may be published, and the ids of the others."""
        waiting = {row.key for row in rows if self.state(row) not in (_UNASKED, sync_pb2.REVIEW_STATE_VALIDATED)}
        if self.override or not waiting:
            return rows, []
        ids = [row.id for row in rows if row.key in waiting]
        if named or len(waiting) == len(rows):
            raise _unreviewed(ids, len(rows))
        return [row for row in rows if row.key not in waiting], ids


def _answered(
    tx: sa.Connection,
    scope: Scope,
    rows: Sequence[sa.Row[Any]],
    rules: Mapping[str, Collection],
    skipped: list[LeftOut] | None,
) -> Iterator[tuple[sa.Row[Any], _Answer]]:
    """Give the records with their answers; of all that are pending, those that can be published.

    The others stay pending and are added to ``skipped``: one record that has no place, or breaks its schema, stops
    nothing. Where that is None they were named, and each must do.
    """
    problem: LockstepError | None = None
    answered = 0
    for row in rows:
        collection = rules[row.collection_id]
        try:
            answer = _answer(row, place(tx, scope, record_store.existing(row), collection), collection)
        except (StateError, InvalidInputError) as error:
            if skipped is None:
                raise
            problem = error
            skipped.append(LeftOut(row, error))
            continue
        answered += 1
        yield row, answer
    if problem is not None and not answered:
        raise problem


def _unreviewed(ids: Sequence[str], among: int) -> NeedsPersonError:
    shown = ", ".join(f"'{one}'" for one in ids[:_MOST_SHOWN]) + (" …" if len(ids) > _MOST_SHOWN else "")
    return NeedsPersonError(
        f"{len(ids)} of {among} records are not validated: {shown}",
        why="review",
        ids=ids,
        remedy="review them (`lockstep review next`), or publish with --override-review REASON",
    )


def _pending(tx: sa.Connection, scope: Scope) -> Sequence[sa.Row[Any]]:
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


def _chosen(tx: sa.Connection, scope: Scope, record_ids: Sequence[str]) -> Sequence[sa.Row[Any]]:
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
