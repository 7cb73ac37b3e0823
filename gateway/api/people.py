"""Who may come in: the signed-in user, tokens, users, tenants, tokens of forges, what was done."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from gateway import convert, models
from gateway.api.records import PageSize
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import call
from gateway.sessions import BROWSER_SECONDS, TICKET_SECONDS, SignedIn, Stubs
from protos.auth.v1 import auth_pb2

router = APIRouter(route_class=ExactRoute, tags=["people"])


@router.get("/me", response_model=models.Me)
async def get_me(caller: SignedIn) -> Response:
    """Say who is signed in."""
    return answer(models.Me(user=convert.user(caller.user), tenant_id=caller.tenant_id))


@router.get("/tokens", response_model=models.SessionPage)
async def list_tokens(caller: SignedIn, services: Stubs, page_size: PageSize = 50, page: str = "") -> Response:
    """List the caller's sessions and access tokens, newest first, without the tokens."""
    request = auth_pb2.ListSessionsRequest(page_size=page_size, page_token=page)
    found = await call(services.auth.ListSessions, request, caller.identity)
    tokens = [convert.session(item) for item in found.sessions]
    return answer(models.SessionPage(tokens=tokens, next_page=found.next_page_token))


@router.post("/tokens", response_model=models.TokenOnce, status_code=201)
async def create_token(body: models.NewToken, caller: SignedIn, services: Stubs) -> Response:
    """Make an access token for the caller; it is shown in this answer only."""
    request = auth_pb2.CreateSessionRequest(label=body.label, ttl_seconds=body.ttl_seconds)
    made = await call(services.auth.CreateSession, request, caller.identity)
    return answer(models.TokenOnce(token=made.token, session=convert.session(made.session)), 201)


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_token(token_id: str, request: Request, caller: SignedIn, services: Stubs) -> Response:
    """End a session or access token, named by its id; ``current`` ends the one in use."""
    current = token_id == "current"  # noqa: S105  a word in the address
    message = auth_pb2.RevokeSessionRequest(
        session_id="" if current else token_id,
        session_token=caller.token if current else "",
    )
    await call(services.auth.RevokeSession, message, caller.identity)
    request.app.state.sessions.forget()
    return Response(status_code=204)


@router.post("/login-tickets", response_model=models.LoginTicket, status_code=201)
async def create_login_ticket(request: Request, caller: SignedIn, services: Stubs) -> Response:
    """Make an address that signs a browser in as the caller, once, within ten minutes."""
    message = auth_pb2.CreateSessionRequest(label="browser", ttl_seconds=BROWSER_SECONDS)
    made = await call(services.auth.CreateSession, message, caller.identity)
    ticket = request.app.state.tickets.issue(made.token)
    base = request.app.state.public_url or str(request.base_url).rstrip("/")
    url = f"{base}/login?{urlencode({'ticket': ticket})}"
    return answer(models.LoginTicket(url=url, expires_in=int(TICKET_SECONDS)), 201)


@router.post("/forge-tokens/validate", response_model=models.ForgeProfile)
async def validate_forge_token(body: models.ForgeToken, caller: SignedIn, services: Stubs) -> Response:
    """Check a personal access token at its forge and say whose it is; it is not stored."""
    request = auth_pb2.ValidateForgeTokenRequest(
        forge=convert.FORGES[body.forge],
        token=body.token,
        base_url=body.base_url,
    )
    found = await call(services.auth.ValidateForgeToken, request, caller.identity)
    return answer(
        models.ForgeProfile(
            id=found.id,
            username=found.username,
            name=found.name,
            email=found.email,
            scopes=list(found.scopes),
            expires_at=found.expires_at,
        ),
    )


@router.get("/users", response_model=models.UserPage)
async def list_users(caller: SignedIn, services: Stubs, page_size: PageSize = 50, page: str = "") -> Response:
    """List the users of the tenant by sign-in name."""
    request = auth_pb2.ListUsersRequest(page_size=page_size, page_token=page)
    found = await call(services.auth.ListUsers, request, caller.identity)
    return answer(models.UserPage(users=[convert.user(user) for user in found.users], next_page=found.next_page_token))


@router.post("/users", response_model=models.UserWithToken, status_code=201)
async def create_user(body: models.NewUser, caller: SignedIn, services: Stubs) -> Response:
    """Add a user; the first token is shown in this answer only."""
    request = auth_pb2.CreateUserRequest(
        username=body.username,
        name=body.name,
        email=body.email,
        role=convert.ROLES[body.role],
        request_id=caller.request_id,
    )
    made = await call(services.auth.CreateUser, request, caller.identity)
    return answer(models.UserWithToken(user=convert.user(made.user), token=made.token), 201)


@router.get("/tenants", response_model=models.TenantPage)
async def list_tenants(caller: SignedIn, services: Stubs, page_size: PageSize = 50, page: str = "") -> Response:
    """List tenants by name. Operators only."""
    request = auth_pb2.ListTenantsRequest(page_size=page_size, page_token=page)
    found = await call(services.auth.ListTenants, request, caller.identity)
    tenants = [convert.tenant(item) for item in found.tenants]
    return answer(models.TenantPage(tenants=tenants, next_page=found.next_page_token))


@router.post("/tenants", response_model=models.TenantWithToken, status_code=201)
async def create_tenant(body: models.NewTenant, caller: SignedIn, services: Stubs) -> Response:
    """Add a tenant with its first administrator, whose token is shown in this answer only. Operators only."""
    request = auth_pb2.CreateTenantRequest(**body.model_dump(), request_id=caller.request_id)
    made = await call(services.auth.CreateTenant, request, caller.identity)
    return answer(models.TenantWithToken(tenant=convert.tenant(made.tenant), admin_token=made.admin_token), 201)


@router.get("/audit", response_model=models.AuditPage)
async def list_audit(caller: SignedIn, services: Stubs, page_size: PageSize = 50, page: str = "") -> Response:
    """List what was done by whom, newest first."""
    request = auth_pb2.ListAuditEventsRequest(page_size=page_size, page_token=page)
    found = await call(services.auth.ListAuditEvents, request, caller.identity)
    events = [
        models.AuditEvent(id=item.id, time=item.time, actor=item.actor, action=item.action, subject=item.subject)
        for item in found.events
    ]
    return answer(models.AuditPage(events=events, next_page=found.next_page_token))
