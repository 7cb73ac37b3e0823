"""Users, tenants, tokens, and what was done."""

from typing import Literal

from pydantic import Field

from gateway.models.base import Answer, Request, RoleName


class User(Answer):
    """A person of a tenant."""

    id: str
    username: str
    name: str
    email: str
    role: RoleName
    created_at: int


class Me(Answer):
    """The signed-in user."""

    user: User
    tenant_id: str


class NewUser(Request):
    """A person to add."""

    username: str
    name: str
    email: str
    role: RoleName = "editor"


class UserPage(Answer):
    """Users by sign-in name."""

    users: list[User]
    next_page: str


class UserWithToken(Answer):
    """A new user and the first token, shown once."""

    user: User
    token: str


class Tenant(Answer):
    """A team."""

    id: str
    name: str
    created_at: int


class TenantPage(Answer):
    """Tenants by name."""

    tenants: list[Tenant]
    next_page: str


class NewTenant(Request):
    """A team to add with its first administrator."""

    name: str
    admin_username: str
    admin_name: str
    admin_email: str


class TenantWithToken(Answer):
    """A new tenant and its administrator's token, shown once."""

    tenant: Tenant
    admin_token: str


class Session(Answer):
    """A sign-in or access token, without the token."""

    id: str
    label: str
    created_at: int
    expires_at: int


class SessionPage(Answer):
    """Sessions, newest first."""

    tokens: list[Session]
    next_page: str


class NewToken(Request):
    """An access token to make; 30 days when ``ttl_seconds`` is 0."""

    label: str = ""
    ttl_seconds: int = Field(default=0, ge=0)


class TokenOnce(Answer):
    """A new access token, shown once."""

    token: str
    session: Session


class LoginTicket(Answer):
    """An address that signs a browser in, once, within ten minutes."""

    url: str
    expires_in: int


class ForgeToken(Request):
    """A personal access token to check at its forge."""

    forge: Literal["github", "gitlab"]
    token: str = Field(repr=False)
    base_url: str = ""


class ForgeProfile(Answer):
    """Whose a token is. ``expires_at`` is 0 where the forge does not say."""

    id: str
    username: str
    name: str
    email: str
    scopes: list[str]
    expires_at: int


class AuditEvent(Answer):
    """One thing that was done."""

    id: str
    time: int
    actor: str
    action: str
    subject: str


class AuditPage(Answer):
    """What was done, newest first."""

    events: list[AuditEvent]
    next_page: str
