from pathlib import Path

import pytest

from protos.auth.v1 import auth_pb2 as pb
from services.core.errors import (
    AlreadyExistsError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StateError,
)
from tests.integration.auth.world import Metadata, World


def resolve(world: World, metadata: Metadata, workspace_id: str) -> pb.ResolveWorkspaceResponse:
    """Ask for address and credential."""
    return world.stub.ResolveWorkspace(pb.ResolveWorkspaceRequest(workspace_id=workspace_id), metadata=metadata)


def get(world: World, metadata: Metadata, workspace: str = "") -> pb.Workspace:
    """Read a workspace."""
    request = pb.GetWorkspaceRequest(workspace=workspace)
    return world.stub.GetWorkspace(request, metadata=metadata).workspace


def test_a_workspace_is_read_by_id_by_name_and_as_the_only_one(world: World) -> None:
    """All three ways give what was made, with its defaults filled in."""
    admin = world.tenant("team")
    made = world.workspace(admin, "records")
    assert (made.branch, made.forge, made.has_credential) == ("main", pb.FORGE_GITHUB, False)
    for name in (made.id, "records", ""):
        assert get(world, admin.metadata, name) == made


def test_a_partial_clone_is_asked_for_at_first_or_later(world: World) -> None:
    """Off unless it is asked for; the git service is told; other changes leave it as it is."""
    admin = world.tenant("team")
    assert world.workspace(admin, "whole").partial_clone is False
    request = pb.CreateWorkspaceRequest(name="part", repository_url="https://github.com/t/p.git", partial_clone=True)
    made = world.stub.CreateWorkspace(request, metadata=admin.metadata).workspace
    service = world.service("git", admin.tenant_id)
    assert resolve(world, service, made.id).workspace.partial_clone is True
    for change, then in (({"branch": "next"}, True), ({"partial_clone": False}, False)):
        update = pb.UpdateWorkspaceRequest(workspace="part", **change)
        world.stub.UpdateWorkspace(update, metadata=admin.metadata)
        assert resolve(world, service, made.id).workspace.partial_clone is then


def test_a_workspace_may_have_its_own_interval_of_polling(world: World) -> None:
    """Unset is as the installation has it; 0 is never; what is too short to be fair is refused."""
    admin = world.tenant("team")
    assert not world.workspace(admin, "usual").HasField("poll_seconds")
    url = "https://github.com/t/p.git"
    made = pb.CreateWorkspaceRequest(name="own", repository_url=url, poll_seconds=300)
    assert world.stub.CreateWorkspace(made, metadata=admin.metadata).workspace.poll_seconds == 300
    for change, then in (({"branch": "next"}, 300), ({"poll_seconds": 0}, 0), ({"poll_seconds": 5}, 5)):
        update = pb.UpdateWorkspaceRequest(workspace="own", **change)
        assert world.stub.UpdateWorkspace(update, metadata=admin.metadata).workspace.poll_seconds == then
        assert get(world, admin.metadata, "own").poll_seconds == then
    for wrong in (1, 4, 10_000_000):
        with pytest.raises(InvalidInputError, match="no interval"):
            world.stub.UpdateWorkspace(
                pb.UpdateWorkspaceRequest(workspace="own", poll_seconds=wrong), metadata=admin.metadata
            )
    usual = pb.UpdateWorkspaceRequest(workspace="own", poll_seconds=-1)
    assert not world.stub.UpdateWorkspace(usual, metadata=admin.metadata).workspace.HasField("poll_seconds")


def test_a_name_that_leads_nowhere_tells_the_way(world: World) -> None:
    """Without workspaces the remedy is to add one; with some, to name one."""
    admin = world.tenant("team")
    for name in ("", "records"):
        with pytest.raises(NotFoundError) as none:
            get(world, admin.metadata, name)
        assert none.value.remedy == "add one with `lockstep workspace add`"
    world.workspace(admin, "b")
    world.workspace(admin, "a")
    for name in ("", "records"):
        with pytest.raises(NotFoundError) as several:
            get(world, admin.metadata, name)
        assert several.value.remedy == "name one of: a, b"


def test_workspaces_are_listed_by_name_and_page(world: World) -> None:
    """Pages hold every workspace once, in order."""
    admin = world.tenant("team")
    for name in ("c", "a", "b"):
        world.workspace(admin, name)
    first = world.stub.ListWorkspaces(pb.ListWorkspacesRequest(page_size=2), metadata=admin.metadata)
    request = pb.ListWorkspacesRequest(page_token=first.next_page_token)
    rest = world.stub.ListWorkspaces(request, metadata=admin.metadata)
    assert [w.name for w in first.workspaces] == ["a", "b"]
    assert [w.name for w in rest.workspaces] == ["c"]


@pytest.mark.parametrize("name", ["", "a/b", "-a", ".a", "a b", "ä", "a" * 65])
def test_a_bad_name_is_refused_with_the_rule(world: World, name: str) -> None:
    """A name with a slash, for example, is told apart and the remedy gives the rule."""
    with pytest.raises(InvalidInputError) as refused:
        world.workspace(world.operator(), name, repository_url="https://github.com/a/b")
    assert refused.value.violations[0].field == "name"
    assert repr(name[:80]) in refused.value.message
    assert "letters, digits" in refused.value.remedy


def test_a_name_is_taken_once_in_a_tenant(world: World) -> None:
    """Two teams may use one name, one team may not."""
    one, two = world.tenant("one"), world.tenant("two")
    world.workspace(one, "records")
    world.workspace(two, "records")
    with pytest.raises(AlreadyExistsError, match="records"):
        world.workspace(one, "records")


def test_the_same_request_id_gives_the_same_workspace(world: World) -> None:
    """A retried request makes one workspace."""
    admin = world.tenant("team")
    request = pb.CreateWorkspaceRequest(
        name="records", repository_url="https://github.com/a/b", token="t0k3n", request_id="r"
    )
    first = world.stub.CreateWorkspace(request, metadata=admin.metadata)
    assert world.stub.CreateWorkspace(request, metadata=admin.metadata) == first
    assert first.workspace.has_credential
    change = pb.UpdateWorkspaceRequest(workspace="records", branch="dev", request_id="r")
    updated = world.stub.UpdateWorkspace(change, metadata=admin.metadata)
    world.stub.UpdateWorkspace(pb.UpdateWorkspaceRequest(workspace="records", branch="x"), metadata=admin.metadata)
    assert world.stub.UpdateWorkspace(change, metadata=admin.metadata) == updated
    assert get(world, admin.metadata).branch == "x"


def test_only_the_set_fields_change(world: World) -> None:
    """An update of one field leaves the others; an empty upstream removes it."""
    admin = world.tenant("team")
    made = world.workspace(admin, "records", upstream_url="https://github.com/up/records.git", token="t0k3n")
    request = pb.UpdateWorkspaceRequest(workspace="records", branch="release/1")
    changed = world.stub.UpdateWorkspace(request, metadata=admin.metadata).workspace
    assert (changed.branch, changed.upstream_url) == ("release/1", made.upstream_url)
    request = pb.UpdateWorkspaceRequest(workspace="records", upstream_url="")
    changed = world.stub.UpdateWorkspace(request, metadata=admin.metadata).workspace
    assert (changed.branch, changed.upstream_url, changed.has_credential) == ("release/1", "", True)
    assert get(world, admin.metadata) == changed


def test_a_token_does_not_follow_a_workspace_to_another_host(world: World) -> None:
    """Pointing a workspace elsewhere forgets the token, so that no other host ever gets to see it."""
    admin = world.tenant("team")
    made = world.workspace(admin, "records", token="t0k3n")
    move = pb.UpdateWorkspaceRequest(workspace="records", repository_url="https://evil.invalid/a/b")
    moved = world.stub.UpdateWorkspace(move, metadata=admin.metadata).workspace
    assert (moved.has_credential, moved.forge) == (False, pb.FORGE_PLAIN)
    remote = resolve(world, world.service("git", admin.tenant_id), made.id)
    assert (remote.token, remote.username) == ("", "git")


@pytest.mark.parametrize("service", ["git", "pr"])
def test_git_and_pr_get_address_and_credential(world: World, service: str) -> None:
    """They get what was stored last, with the forge's user name for basic auth and its API."""
    admin = world.tenant("team")
    made = world.workspace(admin, "records", token="first")
    credential = pb.SetCredentialRequest(workspace="records", token=" second\n")
    world.stub.SetCredential(credential, metadata=admin.metadata)
    remote = resolve(world, world.service(service, admin.tenant_id), made.id)
    assert (remote.token, remote.username) == ("second", "x-access-token")
    assert remote.forge_api_url == "https://api.github.com"
    assert remote.workspace == made
    named = pb.SetCredentialRequest(workspace="records", token="third", username="bot")
    world.stub.SetCredential(named, metadata=admin.metadata)
    assert resolve(world, world.service(service, admin.tenant_id), made.id).username == "bot"
    world.stub.DeleteCredential(pb.DeleteCredentialRequest(workspace="records"), metadata=admin.metadata)
    assert resolve(world, world.service(service, admin.tenant_id), made.id).token == ""
    assert not get(world, admin.metadata).has_credential


def test_nobody_else_gets_a_credential(world: World) -> None:
    """Not the sync service, not the gateway, not the tenant's own administrator."""
    admin = world.tenant("team")
    made = world.workspace(admin, "records", token="t0k3n")
    callers = (admin.metadata, *(world.service(name, admin.tenant_id) for name in ("sync", "gateway")))
    for metadata in callers:
        with pytest.raises(ForbiddenError):
            resolve(world, metadata, made.id)


def test_a_deleted_workspace_takes_its_credential_along(world: World) -> None:
    """A new workspace of the same name begins without one."""
    admin = world.tenant("team")
    world.workspace(admin, "records", token="t0k3n")
    world.stub.DeleteWorkspace(pb.DeleteWorkspaceRequest(workspace="records"), metadata=admin.metadata)
    with pytest.raises(NotFoundError):
        get(world, admin.metadata, "records")
    assert not world.workspace(admin, "records").has_credential


def test_deleting_asks_for_a_name(world: World) -> None:
    """The only workspace is not meant where something is removed or stored."""
    admin = world.tenant("team")
    world.workspace(admin, "records")
    with pytest.raises(NotFoundError):
        world.stub.DeleteWorkspace(pb.DeleteWorkspaceRequest(), metadata=admin.metadata)
    with pytest.raises(NotFoundError):
        world.stub.SetCredential(pb.SetCredentialRequest(token="t0k3n"), metadata=admin.metadata)


@pytest.mark.parametrize("token", ["", " ", "two words", "a\nb", "tökén", "x" * 5000])
def test_what_is_no_token_is_not_stored(world: World, token: str) -> None:
    """It would break the header it goes into; the error does not repeat it."""
    admin = world.tenant("team")
    world.workspace(admin, "records")
    with pytest.raises(InvalidInputError) as refused:
        world.stub.SetCredential(pb.SetCredentialRequest(workspace="records", token=token), metadata=admin.metadata)
    assert len(token.strip()) < 2 or token not in str(refused.value)


def test_a_credential_in_an_address_is_refused_and_not_repeated(world: World) -> None:
    """Neither the error nor the database gets to hold it."""
    for field in ("repository_url", "upstream_url"):
        fields = {"repository_url": "https://github.com/a/b", field: "https://u:hunter22secret@github.com/a/b"}
        with pytest.raises(InvalidInputError) as refused:
            world.workspace(world.operator(), "records", **fields)
        assert "hunter22secret" not in str(refused.value) + repr(refused.value.violations)
        assert refused.value.violations[0].field == field
        assert "--token-stdin" in refused.value.remedy


def test_a_forge_that_is_off_cannot_be_chosen(world: World, tmp_path: Path) -> None:
    """Plain Git works with everything; a forge needs an address that can be on one."""
    request = pb.CreateWorkspaceRequest(name="x", repository_url=str(tmp_path / "repo.git"), forge=pb.FORGE_GITHUB)
    with pytest.raises(InvalidInputError, match="not on a GitHub host"):
        world.stub.CreateWorkspace(request, metadata=world.operator().metadata)
    request.forge = pb.FORGE_UNSPECIFIED
    made = world.stub.CreateWorkspace(request, metadata=world.operator().metadata).workspace
    assert (made.forge, made.repository_url) == (pb.FORGE_PLAIN, (tmp_path / "repo.git").as_uri())


def test_plain_git_has_no_api_to_ask(world: World, tmp_path: Path) -> None:
    """Checking such a repository says so, with its reason."""
    world.workspace(world.operator(), "x", repository_url=str(tmp_path))
    with pytest.raises(StateError, match="no API") as refused:
        world.stub.CheckRepository(pb.CheckRepositoryRequest(workspace="x"), metadata=world.operator().metadata)
    assert refused.value.reason == "PLAIN_FORGE"
