"""Conflicts and merges: messages to API models, and back."""

from typing import Any, Final

from gateway import models
from gateway.convert import record, shown, value
from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError
from services.core.values import dumps

TAKES: Final = {"ours": sync_pb2.TAKE_OURS, "theirs": sync_pb2.TAKE_THEIRS, "both": sync_pb2.TAKE_BOTH}


def conflict(message: sync_pb2.Conflict) -> models.Conflict:
    """Give the model of a conflict."""
    return models.Conflict(
        id=message.id,
        record=message.record_id,
        collection=message.collection,
        field=message.pointer,
        state=message.state,
        base=value(message.base),
        ours=value(message.ours),
        theirs=value(message.theirs),
        has_base=bool(message.base),
        has_ours=bool(message.ours),
        has_theirs=bool(message.theirs),
        run=message.run_id,
        created_at=message.created_at,
        resolved_by=message.resolved_by,
        resolved_at=message.resolved_at,
        ours_change=_change(message, "ours_change"),
        theirs_change=_change(message, "theirs_change"),
    )


def resolved(
    message: sync_pb2.ResolveConflictResponse | sync_pb2.UndoResolutionResponse,
) -> models.Resolved:
    """Give the model of a conflict that was just settled, or opened again."""
    return models.Resolved(conflict=conflict(message.conflict), record=record(message.record))


def choice(body: models.Resolution | models.Resolutions) -> tuple[sync_pb2.Take.ValueType, bytes]:
    """Give the side and the value in JSON of a resolution; raise InvalidInputError when it names not one of both."""
    by_value = "value" in body.model_fields_set
    if (body.take is None) != by_value:
        raise InvalidInputError(
            "a conflict is settled by a side or by a value",
            remedy="give either take (ours, theirs or both) or value",
        )
    return TAKES[body.take] if body.take else sync_pb2.TAKE_UNSPECIFIED, dumps(body.value) if by_value else b""


def conflict_filter(model: models.ConflictFilter) -> sync_pb2.ConflictFilter:
    """Give the message of a filter."""
    return sync_pb2.ConflictFilter(
        collection=model.collection, record_id=model.record, field=model.field, whole_record=model.whole_record
    )


def many_resolved(message: sync_pb2.ResolveConflictsResponse) -> models.ManyResolved:
    """Give the model of what settling many conflicts did."""
    return models.ManyResolved(
        matched=message.matched,
        settled=message.settled,
        unresolved=[
            models.Unresolved(id=item.conflict_id, record=item.record_id, field=item.pointer, message=item.message)
            for item in message.unresolved
        ],
    )


def merge(message: sync_pb2.GetMergeResponse) -> models.Merge:
    """Give the model of a merge."""
    return models.Merge(
        run=message.run_id,
        commit=message.commit_oid,
        revision=message.revision,
        time=message.time,
        old_path=shown(message.old_path),
        path=shown(message.path),
        fields=[_merged_field(item) for item in message.fields],
    )


def _merged_field(message: sync_pb2.MergedField) -> models.MergedField:
    verdict: Any = message.verdict
    return models.MergedField(
        field=message.pointer,
        verdict=verdict,
        base=value(message.base),
        ours=value(message.ours),
        theirs=value(message.theirs),
        result=value(message.result),
        has_base=bool(message.base),
        has_ours=bool(message.ours),
        has_theirs=bool(message.theirs),
        has_result=bool(message.result),
        ours_change=_change(message, "ours_change"),
        theirs_change=_change(message, "theirs_change"),
    )


def _change(message: sync_pb2.Conflict | sync_pb2.MergedField, side: Any) -> models.Change | None:
    if not message.HasField(side):
        return None
    change: sync_pb2.Change = getattr(message, side)
    return models.Change(author=change.author, time=change.time, commit=change.commit_oid)
