"""Sessions and access tokens, and the signed identities they are exchanged for."""

import hmac
from collections.abc import Callable
from typing import Final

import jwt
import sqlalchemy as sa

from services.auth import names, store
from services.auth.audit import Audit
from services.auth.keyring import NO_TENANT, Signer
from services.auth.models import Session, User
from services.auth.paging import Page, PageRequest
from services.auth.tokens import DEFAULT_SECONDS, LONGEST_SECONDS, PREFIX, hash_of, new_token
from services.auth.vault import Secret
from services.core.errors import ForbiddenError, InvalidInputError, NotFoundError, SignInError
from services.runtime.database import Database
from services.runtime.identity import LEEWAY_SECONDS, Identity, Role

SERVICES: Final = frozenset({"git", "sync", "pr", "gateway"})
_PROOF_ALGORITHM: Final = "HS256"
_PROOF_AUDIENCE: Final = "auth"
_SIGN_IN: Final = "sign in again, or ask an administrator for a token"


def issue(
    tx: sa.Connection,
    tenant_id: str,
    user_id: str,
    label: str,
    now: int,
    expires_at: int,
    session_id: str,
) -> tuple[Secret, Session]:
    """Make a session in a transaction; give its token, which is stored nowhere."""
    token = new_token()
    session = Session(session_id, user_id, label, now, expires_at)
    store.add_session(tx, tenant_id, session, hash_of(token.reveal()))
    return token, session


class Sessions:
    """Gives and ends sessions, and signs identities for them."""

    def __init__(
        self,
        database: Database,
        signer: Signer,
        audit: Audit,
        internal_key: bytes,
        clock: Callable[[], float],
        ids: Callable[[], str],
    ) -> None:
        """Take the signer, the deployment's internal key, the clock in seconds and the maker of ids."""
        self._database = database
        self._signer = signer
        self._audit = audit
        self._internal_key = internal_key
        self._clock = clock
        self._ids = ids

    def exchange(self, token: str) -> tuple[Secret, int, User, str]:
        """Give identity, its end, the user and the tenant's id; SignInError when the token lets nobody in."""
        tenant_id, session = self._live(token)
        with self._database.read(tenant_id) as tx:
            user = store.user_by_id(tx, tenant_id, session.user_id)
        if user is None:
            raise SignInError("the user of this token is gone", remedy=_SIGN_IN)
        identity = Identity(tenant_id, user.id, user.username, user.name, user.email, user.role)
        signed, expires_at = self._signer.sign(identity, int(self._clock()))
        return signed, expires_at, user, tenant_id

    def service_identity(self, proof: str, tenant_id: str) -> tuple[Secret, int]:
        """Give a service its identity in a tenant; SignInError when the proof is not good."""
        service = self._prover(proof)
        with self._database.read(NO_TENANT) as tx:
            if not store.tenant_exists(tx, tenant_id):
                raise NotFoundError(f"there is no tenant {tenant_id[:40]!r}", remedy="ask for one that exists")
        identity = Identity(tenant_id, f"service:{service}", service, service, "", Role.ADMIN, service)
        return self._signer.sign(identity, int(self._clock()))

    def create(self, caller: Identity, label: str, ttl_seconds: int) -> tuple[Secret, Session]:
        """Make an access token for the caller that lives ``ttl_seconds``; 0 means 30 days."""
        if caller.service:
            raise ForbiddenError("a service has no sessions", remedy="call it as a user")
        if not 0 <= ttl_seconds <= LONGEST_SECONDS:
            raise InvalidInputError(
                f"ttl_seconds is {ttl_seconds}", remedy=f"give at most {LONGEST_SECONDS} (366 days)"
            )
        now, label = int(self._clock()), names.label(label)
        ends = now + (ttl_seconds or DEFAULT_SECONDS)
        with self._database.begin(caller.tenant_id) as tx:
            token, session = issue(tx, caller.tenant_id, caller.user_id, label, now, ends, self._ids())
            self._audit.record(tx, caller.tenant_id, caller.username, "session.create", session.id)
        return token, session

    def revoke(self, caller: Identity, session_id: str, token: str) -> None:
        """End a session of the caller, or as an administrator anybody's of the tenant. Twice does no harm."""
        if not session_id and not token:
            raise InvalidInputError("neither a session nor a token is named", remedy="give session_id or session_token")
        with self._database.begin(caller.tenant_id) as tx:
            session = self._named(tx, caller, session_id, token)
            store.revoke_session(tx, caller.tenant_id, session.id, int(self._clock()))
            self._audit.record(tx, caller.tenant_id, caller.username, "session.revoke", session.id)

    def page(self, caller: Identity, request: PageRequest) -> Page[Session]:
        """Give the caller's sessions that still let somebody in, newest first."""
        with self._database.read(caller.tenant_id) as tx:
            now = int(self._clock())
            found = store.list_sessions(tx, caller.tenant_id, caller.user_id, now, request)
        return Page.of(found, request, lambda session: session.id)

    def _live(self, token: str) -> tuple[str, Session]:
        if not token.startswith(PREFIX):
            raise SignInError("this is not a token of Lockstep", remedy=f"give one that begins with {PREFIX}")
        token_hash = hash_of(token)
        with self._database.read(NO_TENANT) as tx:
            row = store.session_row(tx, token_hash)
        if row is None or not hmac.compare_digest(bytes(row.token_hash), token_hash):
            raise SignInError("this token is not known here", remedy=_SIGN_IN, reason="TOKEN_UNKNOWN")
        if row.revoked_at:
            raise SignInError("this token was revoked", remedy=_SIGN_IN, reason="TOKEN_REVOKED")
        if row.expires_at and row.expires_at <= self._clock():
            raise SignInError("this token has expired", remedy=_SIGN_IN, reason="TOKEN_EXPIRED")
        return row.tenant_id, store.session_of(row)

    def _named(self, tx: sa.Connection, caller: Identity, session_id: str, token: str) -> Session:
        session: Session | None
        if session_id:
            session = store.session_by_id(tx, caller.tenant_id, session_id)
        else:
            row = store.session_row(tx, hash_of(token))
            session = store.session_of(row) if row is not None and row.tenant_id == caller.tenant_id else None
        allowed = caller.service or caller.role >= Role.ADMIN
        if session is None or (session.user_id != caller.user_id and not allowed):
            raise NotFoundError("there is no such session", remedy="list yours, and name one of them")
        return session

    def _prover(self, proof: str) -> str:
        try:
            claims = jwt.decode(
                proof,
                self._internal_key,
                algorithms=[_PROOF_ALGORITHM],
                audience=_PROOF_AUDIENCE,
                # Judged below by the clock that was passed in.
                options={"require": ["exp", "iat", "sub", "aud"], "verify_exp": False, "verify_iat": False},
            )
            good = claims["sub"] in SERVICES and float(claims["exp"]) + LEEWAY_SECONDS > self._clock()
        except (jwt.InvalidTokenError, TypeError, ValueError):
            good = False
        if not good:
            raise SignInError(
                "the service's proof is not good",
                remedy="give all services the same secrets.internal_key and the same time",
                reason="SERVICE_PROOF",
            )
        return str(claims["sub"])
