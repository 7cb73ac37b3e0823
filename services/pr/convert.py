"""Publications to messages."""

from collections.abc import Iterator
from typing import Final

from protos.common.v1 import common_pb2
from protos.pr.v1 import pr_pb2
from services.pr.model import Item, Publication, State
from services.pr.planning import Plan

_STATES: Final = {
    State.REQUESTED: pr_pb2.PUBLICATION_STATE_REQUESTED,
    State.PLANNED: pr_pb2.PUBLICATION_STATE_PLANNED,
    State.COMMITTED: pr_pb2.PUBLICATION_STATE_COMMITTED,
    State.PUSHED: pr_pb2.PUBLICATION_STATE_PUSHED,
    State.OPENED: pr_pb2.PUBLICATION_STATE_OPENED,
    State.MERGED: pr_pb2.PUBLICATION_STATE_MERGED,
    State.CLOSED: pr_pb2.PUBLICATION_STATE_CLOSED,
    State.FAILED: pr_pb2.PUBLICATION_STATE_FAILED,
}
_PHASES: Final = {
    State.REQUESTED: ("plan", 0),
    State.PLANNED: ("commit", 1),
    State.COMMITTED: ("push", 2),
    State.PUSHED: ("open", 3),
}
_PHASES_IN_ALL: Final = 4
_MESSAGE_BYTES: Final = 1024 * 1024


def publication(source: Publication) -> pr_pb2.Publication:
    """Give a publication without body and items."""
    return pr_pb2.Publication(
        id=source.id,
        workspace_id=source.workspace_id,
        state=_STATES[source.state],
        branch=source.branch,
        base_oid=source.base_oid,
        commit_oid=source.commit_oid,
        pr_number=source.pr_number,
        pr_url=source.pr_url,
        title=source.title or source.wanted_title,
        records_count=source.records_count,
        merged_count=source.merged_count,
        created_by=source.created_by,
        created_at=source.created_at,
        updated_at=source.updated_at,
        error=source.error,
        review_override=source.review_override,
        awaiting_review=source.awaiting_review,
    )


def publication_with_items(source: Publication, items: list[Item]) -> pr_pb2.Publication:
    """Give a publication with body and items."""
    message = publication(source)
    message.body = source.body
    message.items.extend(_item(item) for item in items)
    return message


def plan(source: Plan) -> Iterator[pr_pb2.PlanPublicationResponse]:
    """Give a plan, then its files in messages of about 1 MiB each."""
    preview = source.preview
    head = pr_pb2.PublicationPlan(
        target_oid=source.target_oid,
        revision=preview.revision,
        base_oid=preview.base_oid,
        branch=source.branch,
        title=source.title,
        body=source.body,
        records_count=len(preview.files),
        left_out=[
            pr_pb2.LeftOut(record_id=one.record_id, collection=one.collection, why=one.why, message=one.message)
            for one in preview.left_out
        ],
        left_out_count=preview.left_out_count,
        checks=[pr_pb2.Check(name=one.name, passed=one.passed, message=one.message) for one in source.checks],
    )
    yield pr_pb2.PlanPublicationResponse(plan=head)
    batch, size = pr_pb2.PlannedFiles(), 0
    for file in preview.files:
        message = pr_pb2.PlannedFile(item=_item(file.item), diff=file.diff, diff_cut=file.cut)
        if size and size + message.ByteSize() > _MESSAGE_BYTES:
            yield pr_pb2.PlanPublicationResponse(files=batch)
            batch, size = pr_pb2.PlannedFiles(), 0
        batch.files.append(message)
        size += message.ByteSize()
    if size:
        yield pr_pb2.PlanPublicationResponse(files=batch)


def progress(source: Publication) -> common_pb2.Progress:
    """Say what is being done, in steps of four."""
    phase, done = _PHASES.get(source.state, ("done", _PHASES_IN_ALL))
    return common_pb2.Progress(phase=phase, done=done, total=_PHASES_IN_ALL, message=source.error)


def _item(item: Item) -> pr_pb2.PublicationItem:
    return pr_pb2.PublicationItem(
        record_id=item.record_id,
        collection=item.collection,
        revision=item.revision,
        path=item.path,
        action=item.action,
        blob_oid=item.blob_oid,
        merged_at=item.merged_at,
        title=item.title,
        review=item.review,
    )
