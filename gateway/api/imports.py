"""Imports from Git, how a workspace stands, and runs."""

from collections.abc import AsyncIterator

import structlog
from fastapi import APIRouter, Request, Response

from gateway import convert, convert_plans, events, models
from gateway.api.records import PageSize
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import Services, call, stream
from gateway.plan_name import PlanName
from gateway.sessions import Caller, SignedIn, Stubs
from protos.auth.v1 import auth_pb2
from protos.pr.v1 import pr_pb2
from protos.sync.v1 import sync_pb2
from services.core.errors import LockstepError, UnavailableError

log = structlog.get_logger(__name__)
LOOKED_AT = 10
# As many changes of a plan fit an answer; a stream of events has all.
MOST_CHANGES = 1_000

router = APIRouter(route_class=ExactRoute, tags=["imports"])


@router.post("/workspaces/{workspace}/imports", response_model=models.ImportRun)
async def run_import(
    request: Request,
    body: models.ImportRequest,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Bring what changed in Git into the database, or say what it would bring.

    With ``Accept: text/event-stream`` it answers with the events ``progress``, for a plan ``changes``, and, last,
    ``run``. With the name of a plan it is refused (409, ``PLAN_MOVED``) when the branch or the database moved.
    """
    named = PlanName.parse(body.apply)
    message = sync_pb2.RunImportRequest(
        workspace_id=workspace.id,
        plan=body.plan,
        confirm_deletes=body.confirm_deletes,
        request_id=caller.request_id,
        with_changes=body.with_changes,
        expected_commit_oid=named.commit,
        expected_revision=named.revision,
    )
    happening = _import_events(services, caller, message)
    if events.wanted(request):
        return await events.respond(happening, request.app.state.streams)
    return answer(await _with_changes(happening))


@router.get("/workspaces/{workspace}/status", response_model=models.Status)
async def get_status(workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Say whether database and Git are in step, having just asked the remote."""
    return answer(await status_of(services, caller, workspace))


@router.get("/workspaces/{workspace}/polling", response_model=models.Polling)
async def get_polling(workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Say how the remote is looked at by itself, without asking the remote."""
    request = sync_pb2.GetPollingRequest(workspace_id=workspace.id)
    return answer(convert.polling((await call(services.sync.GetPolling, request, caller.identity)).polling))


@router.post("/workspaces/{workspace}/polling", response_model=models.Polling, status_code=202)
async def request_import(workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Let an import run soon, by itself: for webhooks. Several requests make one import."""
    request = sync_pb2.RequestImportRequest(workspace_id=workspace.id)
    await call(services.sync.RequestImport, request, caller.identity)
    asked = sync_pb2.GetPollingRequest(workspace_id=workspace.id)
    return answer(convert.polling((await call(services.sync.GetPolling, asked, caller.identity)).polling), 202)


@router.get("/workspaces/{workspace}/runs", response_model=models.RunPage)
async def list_runs(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List runs, newest first."""
    request = sync_pb2.ListRunsRequest(workspace_id=workspace.id, page_size=page_size, page_token=page)
    found = await call(services.sync.ListRuns, request, caller.identity)
    runs = [convert.run(item) for item in found.runs]
    return answer(models.RunPage(runs=runs, next_page=found.next_page_token))


@router.get("/workspaces/{workspace}/runs/{run}", response_model=models.Run)
async def get_run(run: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Read one run."""
    request = sync_pb2.GetRunRequest(workspace_id=workspace.id, run_id=run)
    return answer(convert.run((await call(services.sync.GetRun, request, caller.identity)).run))


@router.post("/workspaces/{workspace}/runs/{run}/undo", response_model=models.Run)
async def undo_run(request: Request, run: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Take the newest import back; give the run that did.

    Refused (409, ``needs_person`` "edited", with ``ids``) where its records were edited, reserved or resolved since.
    With ``Accept: text/event-stream`` it answers with the events ``progress`` and, last, ``run``.
    """
    message = sync_pb2.UndoRunRequest(workspace_id=workspace.id, run_id=run, request_id=caller.request_id)
    happening = _undo_events(services, caller, message)
    if events.wanted(request):
        return await events.respond(happening, request.app.state.streams)
    return answer(await events.last(happening))


async def status_of(services: Services, caller: Caller, workspace: auth_pb2.Workspace) -> models.Status:
    """Ask sync how a workspace stands, and pr how many publications are open."""
    asked = sync_pb2.GetSyncStatusRequest(workspace_id=workspace.id)
    status = await call(services.sync.GetSyncStatus, asked, caller.identity)
    listing = pr_pb2.ListPublicationsRequest(workspace_id=workspace.id, open_only=True, page_size=200)
    found = await call(services.pr.ListPublications, listing, caller.identity)
    return convert.status(status, len(found.publications))


async def _settle(services: Services, caller: Caller, workspace_id: str) -> None:
    """Let open publications look at what an import brought, so that what is merged is shown so at once."""
    listing = pr_pb2.ListPublicationsRequest(workspace_id=workspace_id, open_only=True, page_size=LOOKED_AT)
    try:
        for item in (await call(services.pr.ListPublications, listing, caller.identity)).publications:
            refresh = pr_pb2.RefreshPublicationRequest(publication_id=item.id)
            await call(services.pr.RefreshPublication, refresh, caller.identity)
    except LockstepError as error:
        # The import is done; the publications are looked at again in their own time.
        log.warning("publications were not looked at", workspace=workspace_id, error=str(error))


async def _import_events(
    services: Services,
    caller: Caller,
    request: sync_pb2.RunImportRequest,
) -> AsyncIterator[events.Event]:
    async for message in stream(services.sync.RunImport, request, caller.identity):
        if message.HasField("run"):
            if message.run.counts.files and not request.plan:
                await _settle(services, caller, request.workspace_id)
            yield "run", convert_plans.import_run(message.run)
        elif message.HasField("changes"):
            yield "changes", [convert_plans.planned_change(change).model_dump() for change in message.changes.changes]
        else:
            yield "progress", convert.progress(message.progress)


async def _with_changes(happening: AsyncIterator[events.Event]) -> models.ImportRun:
    """Wait for the end of an import; give the run with as many planned changes as fit an answer."""
    kept: list[models.PlannedChange] = []
    count = 0
    async for name, payload in happening:
        if name == "changes" and isinstance(payload, list):
            count += len(payload)
            kept += [models.PlannedChange(**change) for change in payload[: MOST_CHANGES - len(kept)]]
        elif isinstance(payload, models.ImportRun):
            return payload.model_copy(update={"changes": kept, "changes_count": count})
    raise UnavailableError("the import ended without a word", remedy="look at `lockstep runs list`")


async def _undo_events(
    services: Services, caller: Caller, request: sync_pb2.UndoRunRequest
) -> AsyncIterator[events.Event]:
    async for message in stream(services.sync.UndoRun, request, caller.identity):
        if message.HasField("run"):
            yield "run", convert.run(message.run)
        else:
            yield "progress", convert.progress(message.progress)
