"""Both adapters keep the same promises, each on a stand-in of its own."""

import pytest

from tests.contract.suite import FaultContract, ForgeContract
from tests.contract.world import GITHUB_ENDPOINTS, GITLAB_ENDPOINTS, World
from tests.standins.github_app import GitHubStandIn
from tests.standins.gitlab_app import GitLabStandIn


class TestGitHub(ForgeContract, FaultContract):
    @pytest.fixture
    def world(self, github_standin: GitHubStandIn) -> World:
        return World("github", github_standin, "", "team", GITHUB_ENDPOINTS)


class TestGitLab(ForgeContract, FaultContract):
    @pytest.fixture
    def world(self, gitlab_standin: GitLabStandIn) -> World:
        return World("gitlab", gitlab_standin, "", "plant/cnc/records", GITLAB_ENDPOINTS)
