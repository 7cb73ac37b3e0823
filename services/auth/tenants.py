"""Tenants and their people."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from services.auth import names, store
from services.auth.audit import Audit
from services.auth.models import Tenant, User
from services.auth.paging import Page, PageRequest
from services.auth.repeats import Repeat, once
from services.auth.sessions import issue
from services.auth.tokens import DEFAULT_SECONDS
from services.auth.vault import Secret
from services.core.errors import FieldViolation, ForbiddenError, InvalidInputError
from services.runtime.database import Database
from services.runtime.identity import Identity, Role

FIRST_TOKEN = "first token"  # noqa: S105  a label


@dataclass(frozen=True)
class Person:
    """A person to be added."""

    username: str
    name: str
    email: str

    def checked(self, prefix: str = "") -> "Person":
        """Give the person with checked fields, the sign-in name standing in for a missing full name."""
        username = names.username(self.username, f"{prefix}username")
        name = names.full_name(self.name, f"{prefix}name") or username
        return Person(username, name, names.email(self.email, f"{prefix}email"))


class Tenants:
    """Makes and lists tenants and users."""

    def __init__(self, database: Database, audit: Audit, clock: Callable[[], float], ids: Callable[[], str]) -> None:
        """Take the database, the audit log, the clock in seconds and the maker of ids."""
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def create(self, caller: Identity, name: str, admin: Person, request_id: str = "") -> tuple[Tenant, Secret | None]:
        """Make a tenant with its first administrator; give the administrator's token, None at a repeat."""
        require_operator(caller)
        name, admin = names.tenant(name), admin.checked("admin_")
        now = int(self._clock())
        repeat = Repeat(request_id, caller.tenant_id, "CreateTenant", (name, admin))
        token: list[Secret] = []

        def make() -> Tenant:
            tenant = Tenant(self._ids(), name, now)
            store.add_tenant(tx, tenant)
            self._database.enter(tx, tenant.id)
            token.append(self.add_person(tx, tenant.id, admin, Role.ADMIN)[1])
            self._database.enter(tx, caller.tenant_id)
            self._audit.record(tx, caller.tenant_id, caller.username, "tenant.create", name)
            return tenant

        taken = store.taken(f"there is a tenant '{name}' already", "choose another name")
        with taken, self._database.begin(caller.tenant_id) as tx:
            tenant = once(tx, repeat, now, Tenant, make)
        return tenant, token[0] if token else None

    def page(self, caller: Identity, request: PageRequest) -> Page[Tenant]:
        """Give the tenants of the installation, by name."""
        require_operator(caller)
        with self._database.read(caller.tenant_id) as tx:
            found = store.list_tenants(tx, request)
        return Page.of(found, request, lambda tenant: tenant.name)

    def create_user(
        self, caller: Identity, person: Person, role: int, request_id: str = ""
    ) -> tuple[User, Secret | None]:
        """Add a user to the caller's tenant; give the user's first token, None at a repeat."""
        caller.require(Role.ADMIN)
        person, wanted = person.checked(), _role(role)
        if wanted > caller.role:
            own, above = caller.role.name.lower(), wanted.name.lower()
            raise ForbiddenError(
                f"{caller.username} has the role {own} and cannot give {above}",
                remedy="give a role not above your own",
            )
        now = int(self._clock())
        repeat = Repeat(request_id, caller.tenant_id, "CreateUser", (person, wanted))
        token: list[Secret] = []

        def make() -> User:
            user, first = self.add_person(tx, caller.tenant_id, person, wanted)
            token.append(first)
            self._audit.record(tx, caller.tenant_id, caller.username, "user.create", person.username)
            return user

        taken = store.taken(f"there is a user '{person.username}' already", "choose another sign-in name")
        with taken, self._database.begin(caller.tenant_id) as tx:
            user = once(tx, repeat, now, User, make)
        return user, token[0] if token else None

    def users(self, caller: Identity, request: PageRequest) -> Page[User]:
        """Give the users of the caller's tenant, by sign-in name."""
        caller.require(Role.VIEWER)
        with self._database.read(caller.tenant_id) as tx:
            found = store.list_users(tx, caller.tenant_id, request)
        return Page.of(found, request, lambda user: user.username)

    def add_person(
        self, tx: sa.Connection, tenant_id: str, person: Person, role: Role, ttl: int = DEFAULT_SECONDS
    ) -> tuple[User, Secret]:
        """Add a checked person and a first token that lives ``ttl`` seconds, 0 for ever."""
        now = int(self._clock())
        user = User(self._ids(), person.username, person.name, person.email, role, now)
        store.add_user(tx, tenant_id, user)
        ends = now + ttl if ttl else 0
        return user, issue(tx, tenant_id, user.id, FIRST_TOKEN, now, ends, self._ids())[0]


def require_operator(caller: Identity) -> None:
    """Raise ForbiddenError unless an operator calls: services act within a tenant, never on tenants."""
    if caller.service:
        raise ForbiddenError(f"the service {caller.service} may not do this", remedy="call it as an operator")
    caller.require(Role.OPERATOR)


def _role(number: int) -> Role:
    if number not in list(Role):
        message = "the user's role is missing or unknown"
        known = ", ".join(role.name.lower() for role in Role)
        raise InvalidInputError(message, remedy=f"give one of: {known}", violations=[FieldViolation("role", message)])
    return Role(number)
