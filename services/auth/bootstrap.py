"""The first tenant and its operator, and the token that the owner of the machine signs in with."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.auth import store, tables
from services.auth.audit import Audit
from services.auth.keyring import NO_TENANT
from services.auth.models import Tenant
from services.auth.sessions import issue
from services.auth.tenants import FIRST_TOKEN, Person, Tenants
from services.auth.tokens import hash_of
from services.auth.vault import Secret
from services.core.errors import NotFoundError, UnavailableError
from services.runtime.database import Database
from services.runtime.identity import Role
from services.runtime.ids import new_id
from services.runtime.requests import insert_missing

TENANT: Final = "default"
USERNAME: Final = "admin"
_ACTOR: Final = "first start"
_FOR_EVER: Final = 0


def ensure_first_admin(
    database: Database,
    *,
    clock: Callable[[], float],
    name: str = "",
    email: str = "",
    ids: Callable[[], str] = new_id,
) -> Secret | None:
    """Make tenant "default" with the operator "admin"; give its token, or None when the tenant is there.

    ``name`` and ``email`` go into commits. The token has no end; keep it in a file of mode 0600.
    """
    admin = Person(USERNAME, name, email).checked("admin_")
    now = int(clock())
    audit = Audit(database, clock, ids)
    with database.begin(NO_TENANT) as tx:
        tenant = Tenant(ids(), TENANT, now)
        if not insert_missing(tx, tables.tenants, {"id": tenant.id, "name": TENANT, "created_at": now}):
            return None
        database.enter(tx, tenant.id)
        tenants = Tenants(database, audit, clock, ids)
        _, token = tenants.add_person(tx, tenant.id, admin, Role.OPERATOR, ttl=_FOR_EVER)
        audit.record(tx, tenant.id, _ACTOR, "tenant.create", TENANT)
    return token


def issue_admin_token(database: Database, *, clock: Callable[[], float], ids: Callable[[], str] = new_id) -> Secret:
    """Give the operator "admin" a new token without end, and revoke the ones given this way before."""
    now = int(clock())
    with database.read(NO_TENANT) as tx:
        tenant = store.tenant_named(tx, TENANT)
    if tenant is None:
        raise NotFoundError(f"there is no tenant '{TENANT}' yet", remedy="start Lockstep once")
    with database.begin(tenant.id) as tx:
        admin = store.user_named(tx, tenant.id, USERNAME)
        if admin is None:
            raise NotFoundError(f"the user '{USERNAME}' is gone", remedy="sign in as another operator")
        store.revoke_labelled(tx, tenant.id, admin.id, FIRST_TOKEN, now)
        token, session = issue(tx, tenant.id, admin.id, FIRST_TOKEN, now, _FOR_EVER, ids())
        Audit(database, clock, ids).record(tx, tenant.id, _ACTOR, "session.create", session.id)
    return token


def ensure_admin_token_file(
    database: Database,
    path: Path,
    *,
    clock: Callable[[], float],
    name: str = "",
    email: str = "",
) -> Secret | None:
    """Keep a token of the first operator in ``path``, mode 0600; give the token only when newly made.

    A lost, emptied or foreign file gets a new token. Raises UnavailableError when it cannot be written.
    """
    token = ensure_first_admin(database, clock=clock, name=name, email=email)
    if token is None and not _lets_in(database, path, clock):
        token = issue_admin_token(database, clock=clock)
    if token is not None:
        _write(path, token)
    return token


def _lets_in(database: Database, path: Path, clock: Callable[[], float]) -> bool:
    try:
        held = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return False
    with database.read(NO_TENANT) as tx:
        row = store.session_row(tx, hash_of(held))
    return row is not None and not row.revoked_at and (not row.expires_at or row.expires_at > clock())


def _write(path: Path, token: Secret) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(token.reveal() + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UnavailableError(
            f"the first token cannot be written to {path}: {error.strerror}",
            remedy="make the data folder writable and start again",
        ) from error
