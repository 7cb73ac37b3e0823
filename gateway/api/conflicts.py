"""What waits for a person: conflicts and quarantine."""

from fastapi import APIRouter, Response

from gateway import convert, models
from gateway.api.records import PageSize
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import call
from gateway.sessions import SignedIn, Stubs
from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError
from services.core.values import dumps

router = APIRouter(route_class=ExactRoute, tags=["conflicts"])


@router.get("/workspaces/{workspace}/conflicts", response_model=models.ConflictPage)
async def list_conflicts(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    settled: bool = False,  # noqa: FBT001, FBT002  a query parameter
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List conflicts, oldest first; settled ones too when asked for."""
    request = sync_pb2.ListConflictsRequest(
        workspace_id=workspace.id,
        include_settled=settled,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.sync.ListConflicts, request, caller.identity)
    conflicts = [convert.conflict(item) for item in found.conflicts]
    return answer(models.ConflictPage(conflicts=conflicts, next_page=found.next_page_token))


@router.get("/workspaces/{workspace}/conflicts/{conflict}", response_model=models.Conflict)
async def get_conflict(conflict: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Read one conflict with its three values."""
    request = sync_pb2.GetConflictRequest(workspace_id=workspace.id, conflict_id=conflict)
    return answer(convert.conflict((await call(services.sync.GetConflict, request, caller.identity)).conflict))


@router.post("/workspaces/{workspace}/conflicts/{conflict}/resolve", response_model=models.Resolved)
async def resolve_conflict(
    conflict: str,
    body: models.Resolution,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Settle one conflict by a side or by a value."""
    by_value = "value" in body.model_fields_set
    if (body.take is None) != by_value:
        raise InvalidInputError(
            "a conflict is settled by a side or by a value",
            remedy="give either take (ours or theirs) or value",
        )
    request = sync_pb2.ResolveConflictRequest(
        workspace_id=workspace.id,
        conflict_id=conflict,
        take=convert.TAKES[body.take] if body.take else sync_pb2.TAKE_UNSPECIFIED,
        value=dumps(body.value) if by_value else b"",
        request_id=caller.request_id,
    )
    settled = await call(services.sync.ResolveConflict, request, caller.identity)
    return answer(models.Resolved(conflict=convert.conflict(settled.conflict), record=convert.record(settled.record)))


@router.get("/workspaces/{workspace}/quarantine", response_model=models.QuarantinePage)
async def list_quarantine(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List files that could not become records, by path."""
    request = sync_pb2.ListQuarantineRequest(workspace_id=workspace.id, page_size=page_size, page_token=page)
    found = await call(services.sync.ListQuarantine, request, caller.identity)
    files = [convert.quarantined(item) for item in found.files]
    return answer(models.QuarantinePage(files=files, total=found.total, next_page=found.next_page_token))
