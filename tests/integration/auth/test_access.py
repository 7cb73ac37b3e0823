"""Nobody gets at another tenant's rows, and nobody does what their role does not allow, whatever they call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from protos.auth.v1 import auth_pb2 as pb
from services.auth.server import PUBLIC_METHODS, SERVICE
from services.core.errors import ForbiddenError, NotFoundError, SignInError
from services.runtime.identity import Role
from tests.integration.auth.world import Person, World


@dataclass(frozen=True)
class Victim:
    """What another tenant has."""

    admin: Person
    workspace: pb.Workspace
    session: pb.Session
    session_token: str


Request = Callable[[Victim], Any]

KEY = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()

# Every method that names something, named with the other tenant's ids and names.
NAMING: dict[str, tuple[Request, ...]] = {
    "RevokeSession": (
        lambda v: pb.RevokeSessionRequest(session_id=v.session.id),
        lambda v: pb.RevokeSessionRequest(session_token=v.session_token),
    ),
    "GetWorkspace": (
        lambda v: pb.GetWorkspaceRequest(workspace=v.workspace.id),
        lambda v: pb.GetWorkspaceRequest(workspace=v.workspace.name),
        lambda _: pb.GetWorkspaceRequest(),
    ),
    "UpdateWorkspace": (
        lambda v: pb.UpdateWorkspaceRequest(workspace=v.workspace.id, branch="stolen"),
        lambda v: pb.UpdateWorkspaceRequest(workspace=v.workspace.name, branch="stolen"),
    ),
    "DeleteWorkspace": (
        lambda v: pb.DeleteWorkspaceRequest(workspace=v.workspace.id),
        lambda v: pb.DeleteWorkspaceRequest(workspace=v.workspace.name),
    ),
    "SetCredential": (lambda v: pb.SetCredentialRequest(workspace=v.workspace.id, token="stolen"),),
    "DeleteCredential": (lambda v: pb.DeleteCredentialRequest(workspace=v.workspace.id),),
    "SetWorkspaceKey": (
        lambda v: pb.SetWorkspaceKeyRequest(workspace=v.workspace.id, kind=pb.KEY_KIND_SIGNING, private_key=KEY),
    ),
    "DeleteWorkspaceKey": (lambda v: pb.DeleteWorkspaceKeyRequest(workspace=v.workspace.id, kind=pb.KEY_KIND_SIGNING),),
    "CheckRepository": (lambda v: pb.CheckRepositoryRequest(workspace=v.workspace.id),),
}
# Every method that lists, with what it lists.
LISTING: dict[str, tuple[Any, str]] = {
    "ListUsers": (pb.ListUsersRequest(), "users"),
    "ListSessions": (pb.ListSessionsRequest(), "sessions"),
    "ListWorkspaces": (pb.ListWorkspacesRequest(), "workspaces"),
    "ListAuditEvents": (pb.ListAuditEventsRequest(), "events"),
}
# Every method with the role it needs; those who have less are refused.
NEEDED: dict[str, tuple[Any, Role]] = {
    "CreateTenant": (pb.CreateTenantRequest(name="x", admin_username="x"), Role.OPERATOR),
    "ListTenants": (pb.ListTenantsRequest(), Role.OPERATOR),
    "CreateUser": (pb.CreateUserRequest(username="x", role=pb.ROLE_VIEWER), Role.ADMIN),
    "CreateWorkspace": (
        pb.CreateWorkspaceRequest(name="x", repository_url="https://github.com/a/b"),
        Role.ADMIN,
    ),
    "UpdateWorkspace": (pb.UpdateWorkspaceRequest(workspace="records", branch="x"), Role.ADMIN),
    "DeleteWorkspace": (pb.DeleteWorkspaceRequest(workspace="records"), Role.ADMIN),
    "SetCredential": (pb.SetCredentialRequest(workspace="records", token="x"), Role.ADMIN),
    "DeleteCredential": (pb.DeleteCredentialRequest(workspace="records"), Role.ADMIN),
    "SetWorkspaceKey": (
        pb.SetWorkspaceKeyRequest(workspace="records", kind=pb.KEY_KIND_SIGNING, private_key="x"),
        Role.ADMIN,
    ),
    "DeleteWorkspaceKey": (pb.DeleteWorkspaceKeyRequest(workspace="records", kind=pb.KEY_KIND_SIGNING), Role.ADMIN),
    "ValidateForgeToken": (
        pb.ValidateForgeTokenRequest(forge=pb.FORGE_GITHUB, token="x", base_url="https://git.invalid"),
        Role.ADMIN,
    ),
}
# Open to every user of the tenant; they touch the caller's own things, or read.
FOR_ALL = {"CreateSession"}
TESTED_ELSEWHERE = {"ResolveWorkspace"}


@pytest.fixture
def victim(world: World) -> Victim:
    """Make a tenant with something to steal."""
    admin = world.tenant("victim")
    made = world.stub.CreateSession(pb.CreateSessionRequest(label="victim"), metadata=admin.metadata)
    return Victim(admin, world.workspace(admin, "secret-plans", token="t0k3n"), made.session, made.token)


def test_every_method_is_in_one_of_these_tables() -> None:
    """A new method is not forgotten."""
    known = set(NAMING) | set(LISTING) | set(NEEDED) | FOR_ALL | TESTED_ELSEWHERE
    public = {method.rpartition("/")[2] for method in PUBLIC_METHODS}
    methods = {method.name for method in pb.DESCRIPTOR.services_by_name["AuthService"].methods}
    assert known | public == methods
    assert all(method.startswith(f"/{SERVICE}/") for method in PUBLIC_METHODS)


def test_another_tenants_things_cannot_be_named(world: World, victim: Victim) -> None:
    """Even an administrator and a service of another tenant are told that there is no such thing."""
    mallory = world.tenant("mallory")
    before = world.stub.GetWorkspace(pb.GetWorkspaceRequest(), metadata=victim.admin.metadata)
    for method, requests in NAMING.items():
        for request in requests:
            for metadata in (mallory.metadata, world.service("pr", mallory.tenant_id)):
                with pytest.raises(NotFoundError):
                    getattr(world.stub, method)(request(victim), metadata=metadata)
    metadata = world.service("git", mallory.tenant_id)
    resolving = pb.ResolveWorkspaceRequest(workspace_id=victim.workspace.id)
    with pytest.raises(NotFoundError) as refused:
        world.stub.ResolveWorkspace(resolving, metadata=metadata)
    assert "secret-plans" not in str(refused.value)
    assert world.stub.GetWorkspace(pb.GetWorkspaceRequest(), metadata=victim.admin.metadata) == before
    world.person(victim.session_token)


def test_another_tenants_things_are_in_no_list(world: World, victim: Victim) -> None:
    """Lists hold what is one's own tenant's, also for the installation's operator."""
    mallory = world.tenant("mallory")
    for person in (mallory, world.operator()):
        for method, (request, field) in LISTING.items():
            answer = getattr(world.stub, method)(request, metadata=person.metadata)
            ids = {item.id for item in getattr(answer, field)}
            theirs = getattr(getattr(world.stub, method)(request, metadata=victim.admin.metadata), field)
            assert theirs, method
            assert not ids & {item.id for item in theirs}, method


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER, Role.ADMIN])
def test_a_role_below_the_needed_one_is_refused(world: World, role: Role) -> None:
    """The refusal names the role that is needed, and nothing has changed."""
    admin = world.tenant("team")
    world.workspace(admin, "records", token="t0k3n")
    person = world.user(admin, "somebody", pb.Role.ValueType(int(role)))
    refused = {method: call for method, call in NEEDED.items() if call[1] > role}
    for method, (request, needed) in refused.items():
        with pytest.raises(ForbiddenError, match=needed.name.lower()):
            getattr(world.stub, method)(request, metadata=person.metadata)
    workspace = world.stub.GetWorkspace(pb.GetWorkspaceRequest(), metadata=person.metadata).workspace
    assert (workspace.branch, workspace.has_credential) == ("main", True)


def test_a_viewer_reads_and_makes_tokens_for_herself(world: World) -> None:
    """What is not refused above works for everybody of the tenant."""
    admin = world.tenant("team")
    viewer = world.user(admin, "vera", pb.ROLE_VIEWER)
    for method, (request, field) in LISTING.items():
        if method != "ListWorkspaces":
            assert getattr(getattr(world.stub, method)(request, metadata=viewer.metadata), field)
    made = world.stub.CreateSession(pb.CreateSessionRequest(label="mine"), metadata=viewer.metadata)
    assert world.person(made.token).user.username == "vera"


def test_an_identity_signed_by_somebody_else_is_refused(world: World) -> None:
    """An identity of another installation, or a changed one, is none."""
    good = world.operator().identity
    head, body, signature = good.split(".")
    for forged in (f"{head}.{body}.{signature[:-6]}AAAAAA", f"{head}.{body}.", "a.b.c"):
        with pytest.raises(SignInError):
            world.stub.ListUsers(pb.ListUsersRequest(), metadata=(("authorization", f"Bearer {forged}"),))
