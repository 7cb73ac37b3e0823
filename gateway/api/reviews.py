"""Reviews: the queue, reservations, verdicts."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway import convert, models
from gateway.api.records import CollectionName, PageSize
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import call
from gateway.sessions import SignedIn, Stubs
from protos.sync.v1 import sync_pb2

router = APIRouter(route_class=ExactRoute, tags=["reviews"])


@router.get("/workspaces/{workspace}/reviews", response_model=models.ReviewPage)
async def list_reviews(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: Annotated[str, Query(description="Only this collection, by name.")] = "",
    state: models.ReviewStateName | None = None,
    pending: Annotated[bool, Query(description="Only records with edits that are not in Git yet.")] = False,  # noqa: FBT002
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List records to be reviewed by importance (highest first), then date; unreviewed and reserved ones."""
    request = sync_pb2.ListReviewsRequest(
        workspace_id=workspace.id,
        collection=collection,
        state=convert.REVIEW_STATES[state] if state else sync_pb2.REVIEW_STATE_UNSPECIFIED,
        pending_only=pending,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.sync.ListReviews, request, caller.identity)
    records = [convert.record(item) for item in found.records]
    return answer(models.ReviewPage(records=records, next_page=found.next_page_token))


@router.post("/workspaces/{workspace}/review-reservations", response_model=models.Record)
async def reserve_next(
    body: models.ReservationRequest, workspace: InWorkspace, caller: SignedIn, services: Stubs
) -> Response:
    """Reserve the first record of the queue that nobody has taken, for an hour."""
    request = sync_pb2.ReserveReviewRequest(
        workspace_id=workspace.id,
        collection=body.collection,
        pending_only=body.pending,
        request_id=caller.request_id,
    )
    return answer(convert.record((await call(services.sync.ReserveReview, request, caller.identity)).record))


@router.post("/workspaces/{workspace}/review-reservations/{record:path}", response_model=models.Record)
async def reserve_one(
    record: str, body: models.ReservationRequest, workspace: InWorkspace, caller: SignedIn, services: Stubs
) -> Response:
    """Reserve a record for an hour; refused while somebody else has it."""
    request = sync_pb2.ReserveReviewRequest(
        workspace_id=workspace.id,
        record_id=record,
        collection=body.collection,
        request_id=caller.request_id,
    )
    return answer(convert.record((await call(services.sync.ReserveReview, request, caller.identity)).record))


@router.delete("/workspaces/{workspace}/review-reservations/{record:path}", response_model=models.Record)
async def release(
    record: str, workspace: InWorkspace, caller: SignedIn, services: Stubs, collection: CollectionName = ""
) -> Response:
    """Give a reservation back; an administrator may give back anybody's."""
    request = sync_pb2.ReleaseReviewRequest(workspace_id=workspace.id, record_id=record, collection=collection)
    return answer(convert.record((await call(services.sync.ReleaseReview, request, caller.identity)).record))


@router.post("/workspaces/{workspace}/reviews/{record:path}", response_model=models.Record)
async def give_verdict(
    record: str, body: models.Verdict, workspace: InWorkspace, caller: SignedIn, services: Stubs
) -> Response:
    """Say that a record may be published as it is, or why not; the next edit makes it unreviewed again."""
    request = sync_pb2.ReviewRecordRequest(
        workspace_id=workspace.id,
        record_id=record,
        collection=body.collection,
        verdict=convert.REVIEW_STATES[body.verdict],
        reason=body.reason,
        expected_revision=body.expected_revision,
        request_id=caller.request_id,
    )
    return answer(convert.record((await call(services.sync.ReviewRecord, request, caller.identity)).record))
