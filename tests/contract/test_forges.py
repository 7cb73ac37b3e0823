"""Both adapters keep the same promises, each on a stand-in of its own."""

import pytest

from tests.contract.suite import FaultContract, ForgeContract
from tests.contract.world import GITHUB_ENDPOINTS, GITLAB_ENDPOINTS, World
from tests.standins.github_app import GitHubStandIn
from tests.standins.gitlab_app import GitLabStandIn


class TestGitHub(ForgeContract, FaultContract):
    @pytest.fixture
    def world(self, github_standin: GitHubStandIn) -> World:
        return World(github_standin, "", "team", GITHUB_ENDPOINTS)


class TestGitLab(ForgeContract, FaultContract):
    @pytest.fixture
    def world(self, gitlab_standin: GitLabStandIn) -> World:
        return World(gitlab_standin, "", "plant/cnc/records", GITLAB_ENDPOINTS)

    def test_a_token_that_is_no_personal_one_has_no_scopes(self, world: World) -> None:
        """GitLab tells scopes and end of personal tokens only; the owner is told all the same."""
        path = world.repository("project-token")
        world.standin.faults.next("GET /personal_access_tokens/self", status=404)
        profile = world.connect(path).profile()
        assert (profile.username, profile.scopes, profile.expires_at) == ("alice", (), 0)
