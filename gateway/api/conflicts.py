"""What waits for a person: conflicts and quarantine."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from gateway import convert, convert_conflicts, models
from gateway.api.records import CollectionName, PageSize
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import LONG_SECONDS, call
from gateway.sessions import SignedIn, Stubs
from protos.sync.v1 import sync_pb2

router = APIRouter(route_class=ExactRoute, tags=["conflicts"])
Rule = Annotated[str, Query(description="Only files that break this rule, for example syntax or schema.")]


def filtered(
    collection: Annotated[str, Query(description="Only this collection, by name.")] = "",
    record: Annotated[str, Query(description="Only this record, by id.")] = "",
    field: Annotated[str, Query(description="Only this field and what lies in it, by JSON pointer.")] = "",
    whole_record: Annotated[bool, Query(description="Only records that one side deleted.")] = False,  # noqa: FBT002
) -> models.ConflictFilter:
    """Give the filters of a request."""
    return models.ConflictFilter(collection=collection, record=record, field=field, whole_record=whole_record)


@router.get("/workspaces/{workspace}/conflicts", response_model=models.ConflictPage)
async def list_conflicts(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    chosen: Annotated[models.ConflictFilter, Depends(filtered)],
    state: Annotated[models.ConflictState | None, Query(description="open unless settled ones are asked for.")] = None,
    settled: bool = False,  # noqa: FBT001, FBT002  a query parameter
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List conflicts, oldest first; settled ones too when asked for."""
    only = convert_conflicts.conflict_filter(chosen)
    only.state = state or ""
    request = sync_pb2.ListConflictsRequest(
        workspace_id=workspace.id,
        include_settled=settled,
        filter=only,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.sync.ListConflicts, request, caller.identity)
    conflicts = [convert_conflicts.conflict(item) for item in found.conflicts]
    return answer(models.ConflictPage(conflicts=conflicts, total=found.total, next_page=found.next_page_token))


@router.get("/workspaces/{workspace}/conflicts/{conflict}", response_model=models.Conflict)
async def get_conflict(conflict: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Read one conflict with its three values, and who changed either side when."""
    request = sync_pb2.GetConflictRequest(workspace_id=workspace.id, conflict_id=conflict)
    found = await call(services.sync.GetConflict, request, caller.identity, LONG_SECONDS)
    return answer(convert_conflicts.conflict(found.conflict))


@router.get("/workspaces/{workspace}/quarantine", response_model=models.QuarantinePage)
async def list_quarantine(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: CollectionName = "",
    rule: Rule = "",
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List files that could not become records, by path."""
    request = sync_pb2.ListQuarantineRequest(
        workspace_id=workspace.id, collection=collection, rule=rule, page_size=page_size, page_token=page
    )
    found = await call(services.sync.ListQuarantine, request, caller.identity)
    files = [convert.quarantined(item) for item in found.files]
    return answer(models.QuarantinePage(files=files, total=found.total, next_page=found.next_page_token))


@router.get("/workspaces/{workspace}/quarantine/file", response_model=models.QuarantinedText)
async def get_quarantined(
    path: Annotated[str, Query(description="Path from the repository's root.")],
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: CollectionName = "",
) -> Response:
    """Read why one file is in quarantine, with the text around the place that is wrong."""
    request = sync_pb2.GetQuarantinedFileRequest(workspace_id=workspace.id, path=path.encode(), collection=collection)
    return answer(convert.quarantined_text(await call(services.sync.GetQuarantinedFile, request, caller.identity)))
