from collections.abc import Iterator
from pathlib import Path

import pytest

from protos.auth.v1 import auth_pb2 as pb
from services.core.errors import InvalidInputError, LockstepError, SignInError, StateError
from services.runtime.database import Database
from tests.integration.auth.world import World, running
from tests.standins.github_app import GitHubStandIn
from tests.standins.gitlab_app import GitLabStandIn


@pytest.fixture
def forged(
    database: Database, socket_folder: Path, github_standin: GitHubStandIn, gitlab_standin: GitLabStandIn
) -> Iterator[World]:
    """Give a running auth whose configured forges are the stand-ins."""
    with running(database, socket_folder, github_url=github_standin.url, gitlab_url=gitlab_standin.url) as world:
        yield world


def validate(world: World, forge: pb.Forge.ValueType, token: str) -> pb.ValidateForgeTokenResponse:
    """Check a token at the configured forge."""
    request = pb.ValidateForgeTokenRequest(forge=forge, token=token)
    return world.stub.ValidateForgeToken(request, metadata=world.operator().metadata)


def test_a_token_is_checked_at_either_forge(
    forged: World, github_standin: GitHubStandIn, gitlab_standin: GitLabStandIn
) -> None:
    """The profile says whose it is."""
    for forge, standin in ((pb.FORGE_GITHUB, github_standin), (pb.FORGE_GITLAB, gitlab_standin)):
        profile = validate(forged, forge, standin.token("alice", name="Alice A"))
        assert (profile.username, profile.name) == ("alice", "Alice A")
        assert profile.id
        assert list(profile.scopes) == list(standin.default_scopes)


def test_a_wrong_token_is_refused_without_being_repeated(forged: World) -> None:
    """The error says that the forge refused it."""
    for forge in (pb.FORGE_GITHUB, pb.FORGE_GITLAB):
        with pytest.raises(SignInError) as refused:
            validate(forged, forge, "wr0ng-t0k3n")
        assert refused.value.reason == "FORGE_TOKEN"
        assert "wr0ng" not in str(refused.value)


def test_a_repository_is_checked_with_the_workspaces_token(
    forged: World, github_standin: GitHubStandIn, gitlab_standin: GitLabStandIn
) -> None:
    """The project is described as its forge sees it, with what the token may do there."""
    operator = forged.operator()
    kinds = (("gh", pb.FORGE_GITHUB, github_standin), ("gl", pb.FORGE_GITLAB, gitlab_standin))
    for name, forge, standin in kinds:
        standin.create_repository("team/records", {"a.json": b"{}"})
        made = forged.workspace(operator, name, repository_url=standin.git_url("team/records"), token=standin.token())
        assert made.forge == forge
        request = pb.CheckRepositoryRequest(workspace=name)
        project = forged.stub.CheckRepository(request, metadata=operator.metadata).project
        assert (project.path, project.permission, project.default_branch) == ("team/records", "write", "main")
        metadata = forged.service("pr", operator.tenant_id)
        resolved = forged.stub.ResolveWorkspace(pb.ResolveWorkspaceRequest(workspace_id=made.id), metadata=metadata)
        assert resolved.forge_api_url == standin.api_url


def test_a_repository_that_the_token_cannot_see_is_an_error(forged: World, github_standin: GitHubStandIn) -> None:
    """It is the forge's answer, in one sentence, without the token."""
    token = github_standin.token()
    forged.workspace(forged.operator(), "x", repository_url=github_standin.git_url("team/nothing"), token=token)
    with pytest.raises(LockstepError) as refused:
        forged.stub.CheckRepository(pb.CheckRepositoryRequest(workspace="x"), metadata=forged.operator().metadata)
    assert token not in str(refused.value)


def test_a_forge_without_url_is_off(database: Database, socket_folder: Path) -> None:
    """Checking there says that it is off and how to turn it on; a workspace of that host is plain."""
    with running(database, socket_folder) as world:
        with pytest.raises(StateError) as refused:
            validate(world, pb.FORGE_GITLAB, "x")
        assert refused.value.reason == "FORGE_OFF"
        assert "LOCKSTEP_GITLAB__URL" in refused.value.remedy
        assert world.workspace(world.operator(), "x").forge == pb.FORGE_PLAIN


def test_a_token_is_sent_to_a_forge_over_tls_only(forged: World) -> None:
    """An address that is no web base of a forge, or in the clear, is refused before anything is sent."""
    for base_url in ("http://git.example.org", "https://u:p@git.example.org", "file:///etc", "git.example.org"):
        request = pb.ValidateForgeTokenRequest(forge=pb.FORGE_GITLAB, token="x", base_url=base_url)
        with pytest.raises(InvalidInputError) as refused:
            forged.stub.ValidateForgeToken(request, metadata=forged.operator().metadata)
        assert refused.value.violations[0].field == "base_url"


def test_a_kind_of_forge_has_to_be_known(forged: World) -> None:
    """Plain Git, nothing, and unknown numbers are refused."""
    for forge in (pb.FORGE_UNSPECIFIED, pb.FORGE_PLAIN, 77):
        with pytest.raises(InvalidInputError):
            validate(forged, forge, "x")  # type: ignore[arg-type]
