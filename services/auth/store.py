"""The statements on auth's tables. Every one names the tenant, except where a token has to find it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.auth.models import Session, Tenant, User, Workspace
from services.auth.paging import PageRequest
from services.auth.tables import credentials, memberships, sessions, tenants, users, workspace_keys, workspaces
from services.core.errors import AlreadyExistsError
from services.runtime.identity import Role


@dataclass(frozen=True)
class StoredKey:
    """An SSH key as it is stored: the public half and the host keys in the clear, the private half not."""

    public: str
    known_hosts: str
    ciphertext: bytes


_people = users.join(
    memberships,
    sa.and_(memberships.c.tenant_id == users.c.tenant_id, memberships.c.user_id == users.c.id),
)
_has_credential = (
    sa.exists()
    .where(
        credentials.c.tenant_id == workspaces.c.tenant_id,
        credentials.c.workspace_id == workspaces.c.id,
    )
    .label("has_credential")
)


def _public_key(purpose: str) -> sa.Label[str]:
    own = sa.and_(
        workspace_keys.c.tenant_id == workspaces.c.tenant_id,
        workspace_keys.c.workspace_id == workspaces.c.id,
        workspace_keys.c.purpose == purpose,
    )
    return sa.select(workspace_keys.c.public_key).where(own).scalar_subquery().label(f"{purpose}_key")


def add_tenant(tx: sa.Connection, tenant: Tenant) -> None:
    """Insert; IntegrityError when the name is taken."""
    tx.execute(sa.insert(tenants).values(id=tenant.id, name=tenant.name, created_at=tenant.created_at))


def tenant_named(tx: sa.Connection, name: str) -> Tenant | None:
    """Find a tenant by its name."""
    row = tx.execute(sa.select(tenants).where(tenants.c.name == name)).one_or_none()
    return None if row is None else Tenant(row.id, row.name, row.created_at)


def tenant_exists(tx: sa.Connection, tenant_id: str) -> bool:
    """Say whether there is such a tenant."""
    return tx.execute(sa.select(tenants.c.id).where(tenants.c.id == tenant_id)).first() is not None


def list_tenants(tx: sa.Connection, page: PageRequest) -> list[Tenant]:
    """Give one tenant more than the page holds, by name."""
    query = sa.select(tenants).where(tenants.c.name > page.after).order_by(tenants.c.name).limit(page.size + 1)
    return [Tenant(row.id, row.name, row.created_at) for row in tx.execute(query)]


def add_user(tx: sa.Connection, tenant_id: str, user: User) -> None:
    """Insert a user with the role; IntegrityError when the sign-in name is taken."""
    tx.execute(
        sa.insert(users).values(
            tenant_id=tenant_id,
            id=user.id,
            username=user.username,
            name=user.name,
            email=user.email,
            created_at=user.created_at,
        ),
    )
    tx.execute(sa.insert(memberships).values(tenant_id=tenant_id, user_id=user.id, role=int(user.role)))


def user_by_id(tx: sa.Connection, tenant_id: str, user_id: str) -> User | None:
    """Find a user."""
    return _one_user(tx, users.c.tenant_id == tenant_id, users.c.id == user_id)


def user_named(tx: sa.Connection, tenant_id: str, username: str) -> User | None:
    """Find a user by the sign-in name."""
    return _one_user(tx, users.c.tenant_id == tenant_id, users.c.username == username)


def list_users(tx: sa.Connection, tenant_id: str, page: PageRequest) -> list[User]:
    """Give one user more than the page holds, by sign-in name."""
    query = (
        sa.select(users, memberships.c.role)
        .select_from(_people)
        .where(users.c.tenant_id == tenant_id, users.c.username > page.after)
        .order_by(users.c.username)
        .limit(page.size + 1)
    )
    return [_user(row) for row in tx.execute(query)]


def add_session(tx: sa.Connection, tenant_id: str, session: Session, token_hash: bytes) -> None:
    """Insert a session that is not revoked."""
    tx.execute(
        sa.insert(sessions).values(
            tenant_id=tenant_id,
            id=session.id,
            token_hash=token_hash,
            user_id=session.user_id,
            label=session.label,
            created_at=session.created_at,
            expires_at=session.expires_at,
            revoked_at=0,
        ),
    )


def session_row(tx: sa.Connection, token_hash: bytes) -> sa.Row[Any] | None:
    """Find a session of any tenant by the hash of its token."""
    return tx.execute(sa.select(sessions).where(sessions.c.token_hash == token_hash)).one_or_none()


def session_by_id(tx: sa.Connection, tenant_id: str, session_id: str) -> Session | None:
    """Find a session of a tenant."""
    query = sa.select(sessions).where(sessions.c.tenant_id == tenant_id, sessions.c.id == session_id)
    row = tx.execute(query).one_or_none()
    return None if row is None else session_of(row)


def list_sessions(tx: sa.Connection, tenant_id: str, user_id: str, now: int, page: PageRequest) -> list[Session]:
    """Give one session more than the page holds: those of a user that still let somebody in, newest first."""
    query = sa.select(sessions).where(
        sessions.c.tenant_id == tenant_id,
        sessions.c.user_id == user_id,
        sessions.c.revoked_at == 0,
        sa.or_(sessions.c.expires_at == 0, sessions.c.expires_at > now),
    )
    if page.after:
        query = query.where(sessions.c.id < page.after)
    return [session_of(row) for row in tx.execute(query.order_by(sessions.c.id.desc()).limit(page.size + 1))]


def revoke_session(tx: sa.Connection, tenant_id: str, session_id: str, now: int) -> None:
    """End a session."""
    own = sa.and_(sessions.c.tenant_id == tenant_id, sessions.c.id == session_id)
    tx.execute(sa.update(sessions).where(own, sessions.c.revoked_at == 0).values(revoked_at=now))


def revoke_labelled(tx: sa.Connection, tenant_id: str, user_id: str, label: str, now: int) -> None:
    """End all sessions of a user that have a label."""
    own = sa.and_(sessions.c.tenant_id == tenant_id, sessions.c.user_id == user_id, sessions.c.label == label)
    tx.execute(sa.update(sessions).where(own, sessions.c.revoked_at == 0).values(revoked_at=now))


def add_workspace(tx: sa.Connection, tenant_id: str, workspace: Workspace) -> None:
    """Insert; IntegrityError when the name is taken."""
    tx.execute(
        sa.insert(workspaces).values(
            tenant_id=tenant_id,
            id=workspace.id,
            name=workspace.name,
            created_at=workspace.created_at,
            **_changeable(workspace),
        ),
    )


def change_workspace(tx: sa.Connection, tenant_id: str, workspace: Workspace) -> None:
    """Write the fields that may change."""
    own = sa.and_(workspaces.c.tenant_id == tenant_id, workspaces.c.id == workspace.id)
    tx.execute(sa.update(workspaces).where(own).values(**_changeable(workspace)))


def delete_workspace(tx: sa.Connection, tenant_id: str, workspace_id: str) -> None:
    """Delete a workspace; its credential and its keys go along."""
    delete_credential(tx, tenant_id, workspace_id)
    of_workspace = sa.and_(workspace_keys.c.tenant_id == tenant_id, workspace_keys.c.workspace_id == workspace_id)
    tx.execute(sa.delete(workspace_keys).where(of_workspace))
    own = sa.and_(workspaces.c.tenant_id == tenant_id, workspaces.c.id == workspace_id)
    tx.execute(sa.delete(workspaces).where(own))


def find_workspaces(tx: sa.Connection, tenant_id: str, id_or_name: str) -> list[Workspace]:
    """Give those whose id or name it is; the one by id comes first."""
    either = sa.or_(workspaces.c.id == id_or_name, workspaces.c.name == id_or_name)
    query = _workspaces(tenant_id).where(either).order_by(sa.case((workspaces.c.id == id_or_name, 0), else_=1))
    return [_workspace(row) for row in tx.execute(query)]


def list_workspaces(tx: sa.Connection, tenant_id: str, page: PageRequest) -> list[Workspace]:
    """Give one workspace more than the page holds, by name."""
    query = _workspaces(tenant_id).where(workspaces.c.name > page.after).order_by(workspaces.c.name)
    return [_workspace(row) for row in tx.execute(query.limit(page.size + 1))]


def set_credential(
    tx: sa.Connection, tenant_id: str, workspace_id: str, username: str, ciphertext: bytes, now: int
) -> None:
    """Store a credential in place of an older one."""
    delete_credential(tx, tenant_id, workspace_id)
    tx.execute(
        sa.insert(credentials).values(
            tenant_id=tenant_id,
            workspace_id=workspace_id,
            username=username,
            ciphertext=ciphertext,
            updated_at=now,
        ),
    )


def delete_credential(tx: sa.Connection, tenant_id: str, workspace_id: str) -> bool:
    """Delete a credential; say whether there was one."""
    own = sa.and_(credentials.c.tenant_id == tenant_id, credentials.c.workspace_id == workspace_id)
    return tx.execute(sa.delete(credentials).where(own)).rowcount > 0


def credential(tx: sa.Connection, tenant_id: str, workspace_id: str) -> tuple[str, bytes] | None:
    """Find a workspace's credential: username and ciphertext."""
    own = sa.and_(credentials.c.tenant_id == tenant_id, credentials.c.workspace_id == workspace_id)
    row = tx.execute(sa.select(credentials.c.username, credentials.c.ciphertext).where(own)).one_or_none()
    return None if row is None else (row.username, bytes(row.ciphertext))


def set_key(tx: sa.Connection, tenant_id: str, workspace_id: str, purpose: str, key: StoredKey, now: int) -> None:
    """Store an SSH key in place of an older one of its purpose."""
    delete_key(tx, tenant_id, workspace_id, purpose)
    tx.execute(
        sa.insert(workspace_keys).values(
            tenant_id=tenant_id,
            workspace_id=workspace_id,
            purpose=purpose,
            public_key=key.public,
            known_hosts=key.known_hosts,
            ciphertext=key.ciphertext,
            updated_at=now,
        ),
    )


def delete_key(tx: sa.Connection, tenant_id: str, workspace_id: str, purpose: str) -> bool:
    """Delete an SSH key; say whether there was one."""
    own = sa.and_(workspace_keys.c.tenant_id == tenant_id, workspace_keys.c.workspace_id == workspace_id)
    return tx.execute(sa.delete(workspace_keys).where(own, workspace_keys.c.purpose == purpose)).rowcount > 0


def keys(tx: sa.Connection, tenant_id: str, workspace_id: str) -> dict[str, StoredKey]:
    """Give the SSH keys of a workspace by purpose."""
    own = sa.and_(workspace_keys.c.tenant_id == tenant_id, workspace_keys.c.workspace_id == workspace_id)
    rows = tx.execute(sa.select(workspace_keys).where(own))
    return {row.purpose: StoredKey(row.public_key, row.known_hosts, bytes(row.ciphertext)) for row in rows}


@contextmanager
def taken(message: str, remedy: str) -> Iterator[None]:
    """Turn a broken unique key into AlreadyExistsError; stands around the whole transaction."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise AlreadyExistsError(message, remedy=remedy) from None


def session_of(row: sa.Row[Any]) -> Session:
    """Give the session in a row."""
    return Session(row.id, row.user_id, row.label, row.created_at, row.expires_at)


def _one_user(tx: sa.Connection, *where: sa.ColumnElement[bool]) -> User | None:
    row = tx.execute(sa.select(users, memberships.c.role).select_from(_people).where(*where)).one_or_none()
    return None if row is None else _user(row)


def _user(row: sa.Row[Any]) -> User:
    return User(row.id, row.username, row.name, row.email, Role(row.role), row.created_at)


def _workspaces(tenant_id: str) -> sa.Select[Any]:
    columns = (_has_credential, _public_key("ssh"), _public_key("signing"))
    return sa.select(workspaces, *columns).where(workspaces.c.tenant_id == tenant_id)


def _workspace(row: sa.Row[Any]) -> Workspace:
    return Workspace(
        id=row.id,
        name=row.name,
        repository_url=row.repository_url,
        branch=row.branch,
        upstream_url=row.upstream_url,
        forge=row.forge,
        has_credential=bool(row.has_credential),
        created_at=row.created_at,
        ssh_key=row.ssh_key or "",
        signing_key=row.signing_key or "",
        partial_clone=row.partial_clone,
        poll_seconds=row.poll_seconds,
    )


def _changeable(workspace: Workspace) -> dict[str, str | bool | int | None]:
    return {
        "repository_url": workspace.repository_url,
        "branch": workspace.branch,
        "upstream_url": workspace.upstream_url,
        "forge": workspace.forge,
        "partial_clone": workspace.partial_clone,
        "poll_seconds": workspace.poll_seconds,
    }
