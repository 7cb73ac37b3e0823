"""Rows and domain objects to messages."""

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from protos.common.v1 import common_pb2
from protos.sync.v1 import sync_pb2
from services.core.brake import USUAL, Brake
from services.core.collection import DEFAULT_EXCLUDE, DEFAULT_INCLUDE, Collection, IdRule
from services.core.errors import InvalidInputError
from services.core.fields import Field, Missing
from services.core.findings import Finding
from services.core.values import Value, dumps
from services.sync.apply import Counts
from services.sync.conflict_store import Filter
from services.sync.importer import Event, Options, RunResult
from services.sync.settling import Choice, Settled, ours_of

_RULES: Final[dict[int, IdRule]] = {
    sync_pb2.ID_RULE_UNSPECIFIED: "field",
    sync_pb2.ID_RULE_FIELD: "field",
    sync_pb2.ID_RULE_STEM: "stem",
    sync_pb2.ID_RULE_PATH: "path",
}
_RULE_NUMBERS: Final = {
    "field": sync_pb2.ID_RULE_FIELD,
    "stem": sync_pb2.ID_RULE_STEM,
    "path": sync_pb2.ID_RULE_PATH,
}
_TAKES: Final = {
    sync_pb2.TAKE_UNSPECIFIED: "value",
    sync_pb2.TAKE_OURS: "ours",
    sync_pb2.TAKE_THEIRS: "theirs",
    sync_pb2.TAKE_BOTH: "both",
}
_RUN_STATES: Final = {
    "running": sync_pb2.RUN_STATE_RUNNING,
    "succeeded": sync_pb2.RUN_STATE_SUCCEEDED,
    "failed": sync_pb2.RUN_STATE_FAILED,
    "planned": sync_pb2.RUN_STATE_PLANNED,
    "undone": sync_pb2.RUN_STATE_UNDONE,
}


def collection_from(message: sync_pb2.Collection, collection_id: str) -> Collection:
    """Give the collection in a message, with defaults filled in."""
    return Collection(
        id=collection_id,
        name=message.name,
        path=message.path.strip("/"),
        include=tuple(message.include) or DEFAULT_INCLUDE,
        exclude=tuple(dict.fromkeys((*DEFAULT_EXCLUDE, *message.exclude))),
        id_rule=_RULES[message.id_rule],
        new_path=message.new_path,
        schema=message.schema,
        quality=message.quality,
        merge=message.merge,
        review_required=message.review_required,
        schema_path=message.schema_path.strip("/"),
        brake=_brake(message.brake),
    )


def collection_message(collection: Collection) -> sync_pb2.Collection:
    """Give a collection as a message."""
    return sync_pb2.Collection(
        id=collection.id,
        name=collection.name,
        path=collection.path,
        include=collection.include,
        exclude=collection.exclude,
        id_rule=_RULE_NUMBERS[collection.id_rule],
        new_path=collection.template,
        schema=collection.schema,
        quality=collection.quality,
        merge=collection.merge,
        review_required=collection.review_required,
        schema_path=collection.schema_path,
        schema_blob=collection.schema_blob,
        brake=sync_pb2.Brake(records=collection.brake.records, percent=collection.brake.percent),
    )


def _brake(message: sync_pb2.Brake) -> Brake:
    return Brake(
        records=message.records if message.HasField("records") else USUAL.records,
        percent=message.percent if message.HasField("percent") else USUAL.percent,
    )


def record_message(row: sa.Row[Any], collection_name: str, *, with_content: bool) -> sync_pb2.Record:
    """Give a record's row as a message."""
    return sync_pb2.Record(
        id=row.id,
        collection=collection_name,
        path=bytes(row.path),
        content=row.content.encode() if with_content else b"",
        revision=row.revision,
        state=state_of(row),
        deleted=row.deleted,
        base_blob=row.base_blob,
        publication_id=row.publication_id,
        quality=row.quality,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
        title=row.title,
        file_quarantined=row.file_rejected,
    )


def state_of(row: sa.Row[Any]) -> sync_pb2.SyncState.ValueType:
    """Give how a record stands towards Git."""
    if row.open_conflicts:
        return sync_pb2.SYNC_STATE_CONFLICT
    if row.publication_id:
        return sync_pb2.SYNC_STATE_PROPOSED
    return sync_pb2.SYNC_STATE_PENDING if row.dirty else sync_pb2.SYNC_STATE_SYNCED


def finding_message(record_id: str, finding: Finding, *, error: bool) -> sync_pb2.Finding:
    """Give a finding as a message."""
    return sync_pb2.Finding(
        record_id=record_id,
        pointer=finding.pointer,
        rule=finding.rule,
        message=finding.message,
        error=error,
    )


def counts_message(counts: Counts) -> sync_pb2.ImportCounts:
    """Give an import's counts as a message."""
    return sync_pb2.ImportCounts(**vars(counts))


def options_from(message: sync_pb2.RunImportRequest, *, automatic: bool) -> Options:
    """Give how to import; ``automatic`` where no person asks for it."""
    return Options(
        plan=message.plan,
        confirmed=message.confirm_deletes,
        request_id=message.request_id,
        with_changes=message.plan and message.with_changes,
        commit=message.expected_commit_oid,
        revision=message.expected_revision,
        automatic=automatic,
    )


def import_event(event: Event) -> sync_pb2.RunImportResponse:
    """Give progress, planned changes or the end of an import as a message."""
    if isinstance(event, common_pb2.Progress):
        return sync_pb2.RunImportResponse(progress=event)
    if isinstance(event, sync_pb2.PlannedChanges):
        return sync_pb2.RunImportResponse(changes=event)
    return sync_pb2.RunImportResponse(run=result_message(event))


def undo_event(event: common_pb2.Progress | sync_pb2.Run) -> sync_pb2.UndoRunResponse:
    """Give progress or the end of an undoing as a message."""
    if isinstance(event, common_pb2.Progress):
        return sync_pb2.UndoRunResponse(progress=event)
    return sync_pb2.UndoRunResponse(run=event)


def result_message(result: RunResult) -> sync_pb2.Run:
    """Give a run that has just ended as a message."""
    return sync_pb2.Run(
        id=result.id,
        kind="import",
        state=_RUN_STATES[result.state],
        commit_oid=result.commit,
        old_commit_oid=result.old_commit,
        counts=counts_message(result.counts),
        started_by=result.started_by,
        started_at=result.started_at,
        finished_at=result.finished_at,
        notes=result.notes,
        revision=result.revision,
    )


def run_message(row: sa.Row[Any]) -> sync_pb2.Run:
    """Give a run's row as a message."""
    return sync_pb2.Run(
        id=row.id,
        kind=row.kind,
        state=_RUN_STATES[row.state],
        commit_oid=row.commit,
        old_commit_oid=row.old_commit,
        counts=sync_pb2.ImportCounts(**json.loads(row.counts)),
        error=row.error,
        notes=json.loads(row.notes),
        started_by=row.started_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
        revision=row.revision,
    )


def conflict_message(row: sa.Row[Any], collection_name: str) -> sync_pb2.Conflict:
    """Give a conflict's row, joined with its record, as a message."""
    return sync_pb2.Conflict(
        id=row.id,
        record_id=row.record_id,
        collection=collection_name,
        pointer=row.pointer,
        base=(row.base or "").encode(),
        ours=ours_of(row),
        theirs=(row.theirs or "").encode(),
        run_id=row.run_id,
        created_at=row.created_at,
        state=row.state,
        resolved_by=row.resolved_by,
        resolved_at=row.resolved_at,
    )


def field_bytes(value: Field) -> bytes:
    """Give a field as JSON text; empty for one that is not there."""
    return b"" if isinstance(value, Missing) else dumps(value)


def filter_from(message: sync_pb2.ConflictFilter, state: str = "open") -> Filter:
    """Give the filter in a message; ``state`` is meant where it names none."""
    return Filter(message.collection, message.record_id, message.field, message.whole_record, message.state or state)


def choice_from(message: sync_pb2.ResolveConflictRequest | sync_pb2.ResolveConflictsRequest) -> Choice:
    """Give what a person decides."""
    return Choice(_TAKES[message.take], message.value)


def many_from(message: sync_pb2.ResolveConflictsRequest) -> tuple[Sequence[str], Filter, Choice]:
    """Give which conflicts are meant, by id or by filter, and what a person decides."""
    by_filter = message.HasField("filter")
    if by_filter == bool(message.conflict_ids):
        raise InvalidInputError("conflicts are named by their ids or by a filter", remedy="give one of the two")
    if message.filter.state not in ("", "open"):
        raise InvalidInputError("only open conflicts are settled", remedy="leave the state out")
    return message.conflict_ids, filter_from(message.filter), choice_from(message)


def settled_message(settled: Settled) -> sync_pb2.ResolveConflictsResponse:
    """Give how many conflicts were settled, and which were not."""
    unresolved = [
        sync_pb2.Unresolved(conflict_id=row.id, record_id=row.record_id, pointer=row.pointer, message=why)
        for row, why in settled.unresolved
    ]
    return sync_pb2.ResolveConflictsResponse(matched=settled.matched, settled=settled.settled, unresolved=unresolved)


def quarantine_message(row: sa.Row[Any], collection_name: str) -> sync_pb2.QuarantinedFile:
    """Give a quarantined file's row as a message."""
    return sync_pb2.QuarantinedFile(
        path=bytes(row.path),
        collection=collection_name,
        rule=row.rule,
        line=row.line,
        column=row.column,
        pointer=row.pointer,
        message=row.message,
        blob=row.blob,
        other_paths=[path.encode("latin-1") for path in json.loads(row.other_paths)],
    )


def reservation_message(row: sa.Row[Any]) -> sync_pb2.Reservation:
    """Give a reservation's row as a message."""
    return sync_pb2.Reservation(
        record_key=row.record_key,
        record_id=row.record_id,
        merged=row.merged_at > 0,
        merged_at=row.merged_at,
        merged_commit_oid=row.merged_commit,
    )


def json_bytes(value: dict[str, Value]) -> bytes:
    """Give content as JSON text."""
    return dumps(value)
