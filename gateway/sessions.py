"""Who calls: a session token from a header or a cookie, exchanged at auth for a signed identity.

An identity is kept for half a minute by the token's hash, so that a revoked token ends within that
time. A login ticket opens a browser that is signed in without showing a token in an address: it can be
used once, within ten minutes.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from gateway.grpc_clients import Services, call
from protos.auth.v1 import auth_pb2
from services.core.errors import ForbiddenError, InvalidInputError, SignInError

COOKIE: Final = "lockstep_session"
CSRF_HEADER: Final = "X-Lockstep"
IDENTITY_SECONDS: Final = 30.0
TICKET_SECONDS: Final = 600.0
BROWSER_SECONDS: Final = 12 * 3600
MAX_HELD: Final = 10_000
MAX_REQUEST_ID: Final = 200
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Caller:
    """The signed-in user of a request. ``identity`` is what services check; it never leaves the server."""

    identity: str
    user: auth_pb2.User
    tenant_id: str
    token: str
    request_id: str = ""

    def __repr__(self) -> str:
        """Show the user only."""
        return f"Caller({self.user.username!r})"


class Sessions:
    """Exchanges session tokens for identities."""

    def __init__(self, services: Services, clock: Callable[[], float]) -> None:
        """Take the services and a clock in seconds."""
        self._services = services
        self._clock = clock
        self._held: dict[bytes, tuple[float, Any]] = {}

    async def exchange(self, token: str, request_id: str = "") -> Caller:
        """Give the caller that a session token stands for; raise SignInError when it is not good."""
        key = hashlib.sha256(token.encode()).digest()
        now = self._clock()
        until, answer = self._held.get(key, (0.0, None))
        if answer is None or until <= now:
            request = auth_pb2.ExchangeSessionRequest(session_token=token)
            answer = await call(self._services.auth.ExchangeSession, request)
            if len(self._held) >= MAX_HELD:
                self._held.clear()
            self._held[key] = (min(now + IDENTITY_SECONDS, answer.expires_at), answer)
        return Caller(answer.identity, answer.user, answer.tenant_id, token, request_id)

    def forget(self, token: str = "") -> None:
        """Drop what is kept of a token; of all tokens without one."""
        if token:
            self._held.pop(hashlib.sha256(token.encode()).digest(), None)
        else:
            self._held.clear()


class LoginTickets:
    """Single-use tickets that stand for a session token; in memory only."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a clock in seconds."""
        self._clock = clock
        self._tickets: dict[str, tuple[float, str]] = {}

    def issue(self, token: str) -> str:
        """Give a ticket for a session token."""
        now = self._clock()
        self._tickets = {key: kept for key, kept in self._tickets.items() if kept[0] > now}
        ticket = secrets.token_urlsafe(32)
        self._tickets[ticket] = (now + TICKET_SECONDS, token)
        return ticket

    def redeem(self, ticket: str) -> str:
        """Give the token of a ticket, which is used up by that; raise SignInError when it is not good."""
        until, token = self._tickets.pop(ticket, (0.0, ""))
        if until <= self._clock():
            raise SignInError("the login link has ended or was used before", remedy="make a new one: `lockstep open`")
        return token


async def signed_in(request: Request) -> Caller:
    """Give the caller of a request (FastAPI dependency).

    A request that changes something and comes with the cookie needs the header X-Lockstep: other sites
    cannot make a browser send it.
    """
    token, by_cookie = presented_token(request)
    if not token:
        raise SignInError("nobody is signed in", remedy="send `Authorization: Bearer <token>`, or sign in at /")
    if by_cookie and request.method not in _SAFE_METHODS and not request.headers.get(CSRF_HEADER):
        raise ForbiddenError(f"the header {CSRF_HEADER} is missing", remedy=f"send `{CSRF_HEADER}: 1` with the cookie")
    request_id = request.headers.get("Idempotency-Key", "")
    if len(request_id) > MAX_REQUEST_ID:
        raise InvalidInputError(f"the Idempotency-Key has more than {MAX_REQUEST_ID} characters")
    sessions: Sessions = request.app.state.sessions
    return await sessions.exchange(token, request_id)


def presented_token(request: Request) -> tuple[str, bool]:
    """Give the session token of a request, and whether it came by cookie; an empty one when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip(), False
    return request.cookies.get(COOKIE, ""), True


def services_of(request: Request) -> Services:
    """Give the services (FastAPI dependency)."""
    services: Services = request.app.state.services
    return services


SignedIn = Annotated[Caller, Depends(signed_in)]
Stubs = Annotated[Services, Depends(services_of)]
