"""Rows and domain objects to messages."""

import json
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.collection import DEFAULT_EXCLUDE, DEFAULT_INCLUDE, Collection, IdRule
from services.core.schema import Finding
from services.core.values import Value, dumps
from services.sync.apply import Counts
from services.sync.importer import RunResult
from services.sync.settling import ours_of

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
_RUN_STATES: Final = {
    "running": sync_pb2.RUN_STATE_RUNNING,
    "succeeded": sync_pb2.RUN_STATE_SUCCEEDED,
    "failed": sync_pb2.RUN_STATE_FAILED,
    "planned": sync_pb2.RUN_STATE_PLANNED,
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
        started_by=row.started_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
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
    )


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
