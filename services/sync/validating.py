"""What schemas and rules find in the records of a workspace, and how good they are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.collection import Collection
from services.core.findings import Finding
from services.core.importing import as_object
from services.core.quality import NO_SCORE, assess
from services.core.schema import validate
from services.core.values import loads
from services.sync import convert, store
from services.sync.editing import find_record
from services.sync.store import Scope
from services.sync.tables import records

MOST: Final = 1_000
_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Checked:
    """One record: what breaks its schema, what its rules note, and its score (NO_SCORE without rules)."""

    record_id: str
    collection: str
    errors: Sequence[Finding]
    notes: Sequence[Finding]
    score: float


def validate_records(
    tx: sa.Connection, scope: Scope, request: sync_pb2.ValidateRecordsRequest
) -> sync_pb2.ValidateRecordsResponse:
    """Check records; raise NotFoundError for one that is not there."""
    chosen = {c.collection.id: c.collection for c in store.list_collections(tx, scope)}
    if request.collection:
        only = store.find_collection(tx, scope, request.collection).collection
        chosen = {only.id: only}
    for record_id in request.record_ids:
        find_record(tx, scope, record_id, request.collection)
    answer = sync_pb2.ValidateRecordsResponse()
    for one in _checked(tx, scope, chosen, request.record_ids):
        answer.checked += 1
        answer.passed += not one.errors and not one.notes
        answer.findings.extend(islice(_messages(one), max(0, MOST - len(answer.findings))))
        if one.score != NO_SCORE and len(answer.scores) < MOST:
            answer.scores.add(record_id=one.record_id, collection=one.collection, quality=one.score)
    return answer


def _checked(
    tx: sa.Connection, scope: Scope, chosen: dict[str, Collection], record_ids: Sequence[str]
) -> Iterator[Checked]:
    """Check the records of some collections that are not deleted, by id, only those named where some are."""
    query = sa.select(records.c.id, records.c.collection_id, records.c.content).where(
        scope.where(records),
        ~records.c.gone,
        ~records.c.deleted,
        records.c.collection_id.in_(chosen),
    )
    if record_ids:
        query = query.where(records.c.id.in_(record_ids))
    for row in tx.execute(query.order_by(records.c.id).execution_options(yield_per=_AT_ONCE)):
        value = as_object(loads(row.content.encode()))
        collection = chosen[row.collection_id]
        score, notes = assess(collection.quality, value)
        yield Checked(row.id, collection.name, validate(collection.schema, value), notes, score)


def _messages(one: Checked) -> Iterable[sync_pb2.Finding]:
    for findings, error in ((one.errors, True), (one.notes, False)):
        for finding in findings:
            yield convert.finding_message(one.record_id, finding, error=error)
