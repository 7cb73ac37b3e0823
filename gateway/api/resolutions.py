"""How conflicts are settled, one or many at once, and taken back; and what merges made of records."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway import convert_conflicts as convert
from gateway import models
from gateway.api.records import CollectionName
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import LONG_SECONDS, call
from gateway.sessions import SignedIn, Stubs
from protos.sync.v1 import sync_pb2

router = APIRouter(route_class=ExactRoute, tags=["conflicts"])


@router.post("/workspaces/{workspace}/conflicts/{conflict}/resolve", response_model=models.Resolved)
async def resolve_conflict(
    conflict: str,
    body: models.Resolution,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Settle one conflict by a side, by both, or by a value."""
    take, value = convert.choice(body)
    request = sync_pb2.ResolveConflictRequest(
        workspace_id=workspace.id, conflict_id=conflict, take=take, value=value, request_id=caller.request_id
    )
    return answer(convert.resolved(await call(services.sync.ResolveConflict, request, caller.identity)))


@router.post("/workspaces/{workspace}/conflicts/{conflict}/undo", response_model=models.Resolved)
async def undo_resolution(conflict: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Take a person's resolution back; refused once the record was edited or published."""
    request = sync_pb2.UndoResolutionRequest(
        workspace_id=workspace.id, conflict_id=conflict, request_id=caller.request_id
    )
    return answer(convert.resolved(await call(services.sync.UndoResolution, request, caller.identity)))


@router.post("/workspaces/{workspace}/conflict-resolutions", response_model=models.ManyResolved)
async def resolve_conflicts(
    body: models.Resolutions, workspace: InWorkspace, caller: SignedIn, services: Stubs
) -> Response:
    """Settle many open conflicts alike, or say how many there are. One that cannot be settled so stays open."""
    take, value = (sync_pb2.TAKE_UNSPECIFIED, b"") if body.count_only else convert.choice(body)
    request = sync_pb2.ResolveConflictsRequest(
        workspace_id=workspace.id,
        conflict_ids=body.conflicts,
        filter=None if body.filter is None else convert.conflict_filter(body.filter),
        take=take,
        value=value,
        count_only=body.count_only,
        expected_count=body.expected,
        request_id=caller.request_id,
    )
    found = await call(services.sync.ResolveConflicts, request, caller.identity, LONG_SECONDS)
    return answer(convert.many_resolved(found))


@router.get("/workspaces/{workspace}/record-merges/{record:path}", response_model=models.Merge)
async def get_merge(
    record: str,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: CollectionName = "",
    revision: Annotated[int, Query(ge=0, description="Revision that the merge made; the newest merge when 0.")] = 0,
) -> Response:
    """Explain field by field what an import made of a record with edits: base, database, Git, result, who and when."""
    request = sync_pb2.GetMergeRequest(
        workspace_id=workspace.id, record_id=record, collection=collection, revision=revision
    )
    return answer(convert.merge(await call(services.sync.GetMerge, request, caller.identity, LONG_SECONDS)))
