import jwt
import pytest

from protos.auth.v1 import auth_pb2 as pb
from services.core.errors import ForbiddenError, InvalidInputError, NotFoundError, SignInError
from services.runtime import clients
from services.runtime.identity import Role
from tests.integration.auth.world import INTERNAL_KEY, World

DAY = 24 * 60 * 60


def test_a_token_is_exchanged_for_an_identity_that_services_can_check_offline(world: World) -> None:
    """The identity names tenant, user and role, is signed with a listed key, and ends soon."""
    operator = world.operator()
    identity = world.verifier.verify(operator.identity)
    assert (identity.tenant_id, identity.username, identity.role) == (operator.tenant_id, "admin", Role.OPERATOR)
    assert (identity.name, identity.email) == ("Op", "op@example.org")
    keys = world.stub.ListVerificationKeys(pb.ListVerificationKeysRequest()).keys
    assert jwt.get_unverified_header(operator.identity)["kid"] == keys[0].key_id
    assert len(keys[0].public_key) == 32


@pytest.mark.parametrize("token", ["", "lks_", "lks_" + "A" * 43, "ghp_abcdefghijklmnop", "lks_\u00e9"])
def test_an_unknown_token_lets_nobody_in_and_is_not_repeated(world: World, token: str) -> None:
    """Whatever is sent as a token: a clean refusal that does not hold it."""
    with pytest.raises(SignInError) as refused:
        world.person(token)
    assert refused.value.remedy
    assert not token or token == "lks_" or token not in str(refused.value)


def test_a_token_ends_when_its_time_is_over(world: World) -> None:
    """A token made for an hour works before, not after, and is listed no longer."""
    operator = world.operator()
    request = pb.CreateSessionRequest(label="an hour", ttl_seconds=3600)
    made = world.stub.CreateSession(request, metadata=operator.metadata)
    assert made.session.expires_at - made.session.created_at == 3600
    world.clock.ahead = 3590
    world.person(made.token)
    world.clock.ahead = 3601
    with pytest.raises(SignInError, match="expired"):
        world.person(made.token)
    listed = world.stub.ListSessions(pb.ListSessionsRequest(), metadata=operator.metadata).sessions
    assert [session.label for session in listed] == ["first token"]


def test_the_default_lifetime_is_thirty_days_and_a_silly_one_is_refused(world: World) -> None:
    """Zero means 30 days; negative and endless lifetimes are invalid."""
    metadata = world.operator().metadata
    made = world.stub.CreateSession(pb.CreateSessionRequest(label="x"), metadata=metadata)
    assert made.session.expires_at - made.session.created_at == 30 * DAY
    for seconds in (-1, 10_000 * DAY):
        with pytest.raises(InvalidInputError):
            world.stub.CreateSession(pb.CreateSessionRequest(ttl_seconds=seconds), metadata=metadata)


@pytest.mark.parametrize("by", ["id", "token"])
def test_a_revoked_token_lets_nobody_in(world: World, by: str) -> None:
    """A session is ended by its id or by its token; ending it twice does no harm."""
    operator = world.operator()
    made = world.stub.CreateSession(pb.CreateSessionRequest(label="gone soon"), metadata=operator.metadata)
    world.person(made.token)
    request = (
        pb.RevokeSessionRequest(session_id=made.session.id)
        if by == "id"
        else pb.RevokeSessionRequest(session_token=made.token)
    )
    for _ in range(2):
        world.stub.RevokeSession(request, metadata=operator.metadata)
    with pytest.raises(SignInError, match="revoked"):
        world.person(made.token)


def test_only_its_owner_or_an_administrator_ends_a_session(world: World) -> None:
    """A colleague cannot end my session; an administrator of the tenant can."""
    admin = world.tenant("team")
    one = world.user(admin, "one", pb.ROLE_EDITOR)
    two = world.user(admin, "two", pb.ROLE_EDITOR)
    made = world.stub.CreateSession(pb.CreateSessionRequest(label="mine"), metadata=one.metadata)
    request = pb.RevokeSessionRequest(session_id=made.session.id)
    with pytest.raises(NotFoundError):
        world.stub.RevokeSession(request, metadata=two.metadata)
    world.person(made.token)
    world.stub.RevokeSession(request, metadata=admin.metadata)
    with pytest.raises(SignInError):
        world.person(made.token)


def test_a_revocation_names_something(world: World) -> None:
    """An empty request is an error, not a success that ended nothing."""
    with pytest.raises(InvalidInputError):
        world.stub.RevokeSession(pb.RevokeSessionRequest(), metadata=world.operator().metadata)


def test_sessions_are_listed_by_page_newest_first(world: World) -> None:
    """Pages hold every session once; a foreign page token is refused."""
    operator = world.operator()
    for number in range(4):
        world.stub.CreateSession(pb.CreateSessionRequest(label=f"s{number}"), metadata=operator.metadata)
    first = world.stub.ListSessions(pb.ListSessionsRequest(page_size=3), metadata=operator.metadata)
    rest = world.stub.ListSessions(
        pb.ListSessionsRequest(page_size=3, page_token=first.next_page_token), metadata=operator.metadata
    )
    labels = [session.label for session in (*first.sessions, *rest.sessions)]
    assert sorted(labels) == ["first token", "s0", "s1", "s2", "s3"]
    assert rest.next_page_token == ""
    with pytest.raises(InvalidInputError):
        world.stub.ListSessions(pb.ListSessionsRequest(page_token="%%"), metadata=operator.metadata)


@pytest.mark.parametrize("name", ["git", "sync", "pr", "gateway"])
def test_a_service_that_knows_the_internal_key_gets_an_identity_of_its_own(world: World, name: str) -> None:
    """It is an identity of that service, in the tenant asked for, and no more."""
    operator = world.operator()
    metadata = world.service(name, operator.tenant_id)
    identity = world.verifier.verify(metadata[0][1].removeprefix("Bearer "))
    assert (identity.service, identity.username, identity.tenant_id) == (name, name, operator.tenant_id)
    assert identity.role is Role.ADMIN


def test_a_bad_proof_gives_no_identity(world: World) -> None:
    """Another key, an unknown service, an old proof, another audience, no algorithm: all refused alike."""
    now, tenant_id = int(world.clock()), world.operator().tenant_id
    claims = {"sub": "git", "aud": "auth", "iat": now, "exp": now + 30}
    proofs = [
        "",
        "nonsense",
        clients.prove("git", b"x" * 48, now),
        clients.prove("mallory", INTERNAL_KEY, now),
        clients.prove("git", INTERNAL_KEY, now - 300),
        jwt.encode({**claims, "aud": "other"}, INTERNAL_KEY, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode({"sub": "git", "aud": "auth"}, INTERNAL_KEY, algorithm="HS256"),
        world.operator().identity,
    ]
    for proof in proofs:
        request = pb.IssueServiceIdentityRequest(service_proof=proof, tenant_id=tenant_id)
        with pytest.raises(SignInError):
            world.stub.IssueServiceIdentity(request)


def test_a_service_gets_no_identity_in_a_tenant_that_is_not_there(world: World) -> None:
    """The tenant must exist."""
    with pytest.raises(NotFoundError):
        world.service("git", "0" * 26)


def test_a_service_cannot_act_as_operator_or_make_itself_tokens(world: World) -> None:
    """A stolen service identity stays within its tenant."""
    metadata = world.service("sync", world.operator().tenant_id)
    with pytest.raises(ForbiddenError):
        world.stub.CreateTenant(pb.CreateTenantRequest(name="x", admin_username="x"), metadata=metadata)
    with pytest.raises(ForbiddenError):
        world.stub.ListTenants(pb.ListTenantsRequest(), metadata=metadata)
    with pytest.raises(ForbiddenError):
        world.stub.CreateSession(pb.CreateSessionRequest(label="x"), metadata=metadata)


def test_without_an_identity_only_the_public_methods_answer(world: World) -> None:
    """A call without metadata, or with a session token in place of an identity, is refused."""
    with pytest.raises(SignInError):
        world.stub.ListUsers(pb.ListUsersRequest())
    metadata = (("authorization", f"Bearer {world.operator_token}"),)
    with pytest.raises(SignInError):
        world.stub.ListUsers(pb.ListUsersRequest(), metadata=metadata)
