import pytest

from protos.auth.v1 import auth_pb2 as pb
from services.core.errors import AlreadyExistsError, ForbiddenError, InvalidInputError
from tests.integration.auth.world import World


def test_an_operator_makes_a_tenant_whose_administrator_can_sign_in(world: World) -> None:
    """The token in the answer is the administrator's, in the new tenant."""
    admin = world.tenant("shop")
    assert (admin.user.username, admin.user.role, admin.user.email) == ("ada", pb.ROLE_ADMIN, "ada@shop.invalid")
    assert admin.tenant_id != world.operator().tenant_id
    tenants = world.stub.ListTenants(pb.ListTenantsRequest(), metadata=world.operator().metadata).tenants
    assert [tenant.name for tenant in tenants] == ["default", "shop"]


def test_the_same_request_id_gives_the_same_tenant_without_its_token(world: World) -> None:
    """A repeated request makes nothing new, and the token is not kept to be shown again."""
    operator = world.operator()
    request = pb.CreateTenantRequest(name="shop", admin_username="ada", request_id="r1")
    first = world.stub.CreateTenant(request, metadata=operator.metadata)
    again = world.stub.CreateTenant(request, metadata=operator.metadata)
    assert again.tenant == first.tenant
    assert (bool(first.admin_token), again.admin_token) == (True, "")


def test_a_request_id_is_good_for_one_request(world: World) -> None:
    """Another request under a used id is an error, not the earlier answer."""
    operator = world.operator()
    request = pb.CreateUserRequest(username="one", role=pb.ROLE_EDITOR, request_id="r1")
    world.stub.CreateUser(request, metadata=operator.metadata)
    request.username = "two"
    with pytest.raises(InvalidInputError, match="another request"):
        world.stub.CreateUser(request, metadata=operator.metadata)


def test_a_failed_request_may_be_sent_again_under_its_id(world: World) -> None:
    """A refusal is not remembered as the answer."""
    operator = world.operator()
    world.user(operator, "one", pb.ROLE_EDITOR)
    request = pb.CreateUserRequest(username="one", role=pb.ROLE_EDITOR, request_id="r1")
    for _ in range(2):
        with pytest.raises(AlreadyExistsError):
            world.stub.CreateUser(request, metadata=operator.metadata)


def test_names_of_tenants_and_users_are_taken_once(world: World) -> None:
    """A second one of the same name is refused, and leaves nothing behind."""
    world.tenant("shop")
    operator = world.operator()
    with pytest.raises(AlreadyExistsError, match="shop"):
        world.tenant("shop")
    world.user(operator, "one", pb.ROLE_VIEWER)
    with pytest.raises(AlreadyExistsError, match="one"):
        world.user(operator, "one", pb.ROLE_VIEWER)
    users = world.stub.ListUsers(pb.ListUsersRequest(), metadata=operator.metadata).users
    assert [user.username for user in users] == ["admin", "one"]


@pytest.mark.parametrize("name", ["", "Shop", "a b", "-a", "a/b", "ä", "a" * 64])
def test_a_bad_tenant_name_is_refused_by_field(world: World, name: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidInputError) as refused:
        world.tenant(name)
    assert [violation.field for violation in refused.value.violations] == ["name"]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("username", {"username": "a b"}),
        ("username", {"username": ""}),
        ("email", {"email": "nobody"}),
        ("email", {"email": "a@b\nc"}),
        ("name", {"name": "Eve <eve@x>"}),
        ("name", {"name": "Eve\nTrailer: x"}),
        ("role", {"role": pb.ROLE_UNSPECIFIED}),
        ("role", {"role": 9}),
    ],
)
def test_a_user_who_could_not_author_a_commit_is_refused(world: World, field: str, fields: dict[str, object]) -> None:
    """What would break a commit's author line never gets into the database."""
    good: dict[str, object] = {"username": "eve", "name": "Eve", "email": "a@b.c", "role": pb.ROLE_EDITOR}
    request = pb.CreateUserRequest(**{**good, **fields})  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError) as refused:
        world.stub.CreateUser(request, metadata=world.operator().metadata)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_nobody_gives_a_role_above_their_own(world: World) -> None:
    """An administrator makes administrators, not operators."""
    admin = world.tenant("team")
    world.user(admin, "second", pb.ROLE_ADMIN)
    with pytest.raises(ForbiddenError, match="cannot give operator"):
        world.user(admin, "third", pb.ROLE_OPERATOR)


def test_users_are_listed_by_page_and_name(world: World) -> None:
    """Pages hold every user once, in order."""
    admin = world.tenant("team")
    for name in ("zoe", "bob", "kim", "eve"):
        world.user(admin, name, pb.ROLE_VIEWER)
    names, token = [], ""
    while True:
        request = pb.ListUsersRequest(page_size=2, page_token=token)
        page = world.stub.ListUsers(request, metadata=admin.metadata)
        names += [user.username for user in page.users]
        token = page.next_page_token
        if not token:
            break
    assert names == ["ada", "bob", "eve", "kim", "zoe"]


def test_every_change_is_audited_with_its_author(world: World) -> None:
    """The log of a tenant tells who did what to what, newest first."""
    admin = world.tenant("team")
    world.user(admin, "bob", pb.ROLE_EDITOR)
    workspace = world.workspace(admin, "records", token="tok-1")
    session = world.stub.CreateSession(pb.CreateSessionRequest(label="ci"), metadata=admin.metadata).session
    world.stub.RevokeSession(pb.RevokeSessionRequest(session_id=session.id), metadata=admin.metadata)
    world.stub.SetCredential(pb.SetCredentialRequest(workspace="records", token="tok-2"), metadata=admin.metadata)
    world.stub.DeleteCredential(pb.DeleteCredentialRequest(workspace="records"), metadata=admin.metadata)
    change = pb.UpdateWorkspaceRequest(workspace=workspace.id, branch="dev")
    world.stub.UpdateWorkspace(change, metadata=admin.metadata)
    world.stub.DeleteWorkspace(pb.DeleteWorkspaceRequest(workspace="records"), metadata=admin.metadata)
    events = world.stub.ListAuditEvents(pb.ListAuditEventsRequest(), metadata=admin.metadata).events
    assert {event.actor for event in events} == {"ada"}
    assert sorted((event.action, event.subject) for event in events) == sorted(
        [
            ("user.create", "bob"),
            ("workspace.create", "records"),
            ("credential.set", "records"),
            ("session.create", session.id),
            ("session.revoke", session.id),
            ("credential.set", "records"),
            ("credential.delete", "records"),
            ("workspace.update", "records"),
            ("workspace.delete", "records"),
        ]
    )
    assert events[0].action == "workspace.delete"
    assert all(abs(event.time - world.clock()) < 60 for event in events)
