"""Publications: records on their way to the target branch."""

from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway import convert, convert_plans, events, models
from gateway.api.records import PageSize
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import LONG_SECONDS, Services, call, stream
from gateway.plan_name import PlanName
from gateway.sessions import Caller, SignedIn, Stubs
from protos.pr.v1 import pr_pb2

# As many of a plan's files are shown.
MOST_FILES: Final = 5_000

router = APIRouter(route_class=ExactRoute, tags=["publications"])


@router.post("/workspaces/{workspace}/publications", response_model=models.Publication, status_code=201)
async def create_publication(
    body: models.NewPublication,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Publish records as one pull request; it is stored at once and goes on by itself.

    With the name of a ``plan`` it is refused (409, ``PLAN_MOVED``) when it would not be what was planned.
    """
    plan = PlanName.parse(body.plan)
    request = pr_pb2.CreatePublicationRequest(
        workspace_id=workspace.id,
        record_ids=body.records,
        title=body.title,
        description=body.description,
        override_review=body.override_review,
        request_id=caller.request_id,
        expected_target_oid=plan.commit,
        expected_revision=plan.revision,
    )
    made = await call(services.pr.CreatePublication, request, caller.identity, LONG_SECONDS)
    return answer(convert.publication(made.publication), 201)


@router.post("/workspaces/{workspace}/publications/plan", response_model=models.PublicationPlan)
async def plan_publication(
    body: models.NewPublication,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Say what would be published, with diffs, what would be left out and why; nothing is stored or set aside."""
    request = pr_pb2.PlanPublicationRequest(
        workspace_id=workspace.id,
        record_ids=body.records,
        title=body.title,
        description=body.description,
        override_review=body.override_review,
    )
    head, files = pr_pb2.PublicationPlan(), list[pr_pb2.PlannedFile]()
    async for message in stream(services.pr.PlanPublication, request, caller.identity):
        head = message.plan if message.HasField("plan") else head
        files += message.files.files[: MOST_FILES - len(files)]
    return answer(convert_plans.publication_plan(head, files))


@router.get("/workspaces/{workspace}/publications", response_model=models.PublicationPage)
async def list_publications(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    open: bool = False,  # noqa: A002, FBT001, FBT002  a query parameter
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List publications, newest first; only open ones when asked for."""
    request = pr_pb2.ListPublicationsRequest(
        workspace_id=workspace.id,
        open_only=open,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.pr.ListPublications, request, caller.identity)
    publications = [convert.publication(item) for item in found.publications]
    return answer(models.PublicationPage(publications=publications, next_page=found.next_page_token))


@router.get("/workspaces/{workspace}/publications/{publication}", response_model=models.Publication)
async def get_publication(publication: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Read a publication, named by its id or the number of its pull request, with body and items."""
    return answer(convert.publication(await find(services, caller, publication, workspace.id)))


@router.get("/workspaces/{workspace}/publications/{publication}/events")
async def watch_publication(
    publication: str,
    request: Request,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Stream a publication until it is open, settled or stuck: events ``progress`` and ``publication``."""
    found = await find(services, caller, publication, workspace.id)
    return await events.respond(_events(services, caller, found.id), request.app.state.streams)


@router.post("/workspaces/{workspace}/publications/{publication}/refresh", response_model=models.Publication)
async def refresh_publication(publication: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Ask the forge and the target branch now, and settle what is settled."""
    found = await find(services, caller, publication, workspace.id)
    request = pr_pb2.RefreshPublicationRequest(publication_id=found.id)
    changed = await call(services.pr.RefreshPublication, request, caller.identity, LONG_SECONDS)
    return answer(convert.publication(changed.publication))


@router.post("/workspaces/{workspace}/publications/{publication}/merge", response_model=models.Merged)
async def merge_publication(publication: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Merge the pull request of a plain-Git publication."""
    found = await find(services, caller, publication, workspace.id)
    request = pr_pb2.MergePublicationRequest(publication_id=found.id, request_id=caller.request_id)
    merged = await call(services.pr.MergePublication, request, caller.identity, LONG_SECONDS)
    return answer(
        models.Merged(publication=convert.publication(merged.publication), merge_commit=merged.merge_commit_oid),
    )


@router.post("/workspaces/{workspace}/publications/{publication}/close", response_model=models.Publication)
async def close_publication(publication: str, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Close a publication; its records become pending again."""
    found = await find(services, caller, publication, workspace.id)
    request = pr_pb2.ClosePublicationRequest(publication_id=found.id, request_id=caller.request_id)
    closed = await call(services.pr.ClosePublication, request, caller.identity, LONG_SECONDS)
    return answer(convert.publication(closed.publication))


async def find(services: Services, caller: Caller, publication: str, workspace_id: str = "") -> pr_pb2.Publication:
    """Give a publication by its id or, in a workspace, by the number of its pull request."""
    request = pr_pb2.GetPublicationRequest(workspace_id=workspace_id, publication=publication)
    found: pr_pb2.Publication = (await call(services.pr.GetPublication, request, caller.identity)).publication
    return found


async def _events(services: Services, caller: Caller, publication_id: str) -> AsyncIterator[events.Event]:
    request = pr_pb2.WatchPublicationRequest(publication_id=publication_id)
    async for message in stream(services.pr.WatchPublication, request, caller.identity):
        if message.HasField("progress"):
            yield "progress", convert.progress(message.progress)
        yield "publication", convert.publication(message.publication)
