"""The pages: sign in, how every workspace stands, one publication, the list of the API.

They are rendered here, work without a script and load nothing from elsewhere.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway import convert, models
from gateway.api.imports import status_of
from gateway.api.publications import find
from gateway.api.workspaces import all_workspaces
from gateway.grpc_clients import Services, call
from gateway.problems import status_of as status_of_error
from gateway.sessions import BROWSER_SECONDS, COOKIE, Caller, Stubs, presented_token
from protos.auth.v1 import auth_pb2
from protos.pr.v1 import pr_pb2
from protos.sync.v1 import sync_pb2
from services.core.errors import ForbiddenError, LockstepError, SignInError


class PageRoute(APIRoute):
    """A route whose errors are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Catch what the page raises."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except LockstepError as error:
                status, title = status_of_error(error)
                return _page("error.html", status=status, error=error, title=title)

        return handle_page


router = APIRouter(route_class=PageRoute)

STATUS_SECONDS: Final = 15.0
SHOWN_RUNS: Final = 5
SHOWN_PUBLICATIONS: Final = 20

_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
)


@router.get("/")
async def home(request: Request, services: Stubs) -> Response:
    """Show how the workspaces stand, or the sign-in form."""
    caller = await _visitor(request)
    if caller is None:
        return _page("sign_in.html", error="")
    found = await all_workspaces(services, caller)
    cards = await asyncio.gather(*(_card(services, caller, workspace) for workspace in found))
    return _page("home.html", user=convert.user(caller.user), cards=cards, now=_clock(request))


@router.get("/publications/{publication}")
async def publication_page(publication: str, request: Request, services: Stubs) -> Response:
    """Show one publication."""
    caller = await _visitor(request)
    if caller is None:
        return _page("sign_in.html", status=401, error="Sign in to see this publication.")
    found = convert.publication(await find(services, caller, publication))
    return _page("publication.html", user=convert.user(caller.user), publication=found)


@router.post("/login")
async def login(request: Request, token: Annotated[str, Form()] = "") -> Response:
    """Sign in with an access token."""
    _same_origin(request)
    try:
        await request.app.state.sessions.exchange(token.strip())
    except SignInError as error:
        return _page("sign_in.html", status=401, error=str(error))
    return _signed_in(request, token.strip())


@router.get("/login")
async def login_by_ticket(request: Request, ticket: str = "") -> Response:
    """Sign in with a login ticket, once."""
    try:
        token = request.app.state.tickets.redeem(ticket)
    except SignInError as error:
        return _page("sign_in.html", status=401, error=str(error))
    return _signed_in(request, token)


@router.post("/logout")
async def logout(request: Request, services: Stubs) -> Response:
    """End the browser's session."""
    _same_origin(request)
    caller = await _visitor(request)
    if caller is not None:
        message = auth_pb2.RevokeSessionRequest(session_token=caller.token)
        await call(services.auth.RevokeSession, message, caller.identity)
        request.app.state.sessions.forget(caller.token)
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(COOKIE)
    return response


@router.get("/api/docs")
async def api_docs(request: Request) -> Response:
    """List the API's operations; the whole description is openapi.json."""
    document = request.app.openapi()
    operations = [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    return _page("api.html", operations=operations, version=document["info"]["version"])


async def _visitor(request: Request) -> Caller | None:
    token, _ = presented_token(request)
    if not token:
        return None
    try:
        caller: Caller = await request.app.state.sessions.exchange(token)
    except SignInError:
        return None
    return caller


async def _card(services: Services, caller: Caller, workspace: auth_pb2.Workspace) -> dict[str, Any]:
    """Give what the page shows of a workspace; what cannot be told comes as an error with its next step."""
    card: dict[str, Any] = {"workspace": convert.workspace(workspace), "status": None, "error": None}
    try:
        async with asyncio.timeout(STATUS_SECONDS):
            card["status"] = await status_of(services, caller, workspace)
    except LockstepError as error:
        card["error"] = error
    except TimeoutError:
        card["error"] = LockstepError(f"the remote did not answer in {STATUS_SECONDS:.0f} s", remedy="try again later")
    card["standing"] = _standing(card["status"])
    card["runs"], card["publications"] = await asyncio.gather(
        _runs(services, caller, workspace.id),
        _publications(services, caller, workspace.id),
    )
    return card


def _standing(status: models.Status | None) -> tuple[str, str]:
    """Give a word for how a workspace stands and its kind: good, busy, bad."""
    if status is None:
        return "unknown", "bad"
    if status.in_sync:
        return "in sync", "good"
    if status.conflicts or status.quarantined:
        return "needs you", "bad"
    if status.imported_commit != status.remote_commit:
        return "behind", "busy"
    return ("pending edits", "busy") if status.pending else ("proposed", "busy")


async def _runs(services: Services, caller: Caller, workspace_id: str) -> list[models.Run]:
    request = sync_pb2.ListRunsRequest(workspace_id=workspace_id, page_size=SHOWN_RUNS)
    try:
        return [convert.run(run) for run in (await call(services.sync.ListRuns, request, caller.identity)).runs]
    except LockstepError:
        return []


async def _publications(services: Services, caller: Caller, workspace_id: str) -> list[models.Publication]:
    request = pr_pb2.ListPublicationsRequest(
        workspace_id=workspace_id,
        page_size=SHOWN_PUBLICATIONS,
    )
    try:
        found = await call(services.pr.ListPublications, request, caller.identity)
    except LockstepError:
        return []
    return [convert.publication(item) for item in found.publications]


def _signed_in(request: Request, token: str) -> Response:
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=BROWSER_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.app.state.public_url.startswith("https:"),
    )
    return response


def _same_origin(request: Request) -> None:
    """Refuse a form that another site has sent (it would sign a person in as somebody else)."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin", "")
    if site not in ("same-origin", "none") or (
        origin not in ("", "null") and origin.partition("://")[2] != request.headers.get("Host", "")
    ):
        raise ForbiddenError("this form was sent by another site", remedy="open Lockstep's own page and try again")


def _clock(request: Request) -> str:
    return when(int(request.app.state.clock()))


def when(seconds: int) -> str:
    """Give a time for people; "never" for 0."""
    if not seconds:
        return "never"
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(name).render(when=when, **values), status_code=status)
