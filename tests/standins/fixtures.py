"""Fixtures with running stand-ins; import them in a test package's conftest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.github_app import GitHubStandIn
from tests.standins.gitlab_app import GitLabStandIn

__all__ = ["github_standin", "gitlab_standin"]


@pytest.fixture
def github_standin(tmp_path: Path) -> Iterator[GitHubStandIn]:
    """Give a fresh GitHub with no repositories and no users."""
    standin = GitHubStandIn(tmp_path / "github")
    yield standin
    standin.stop()


@pytest.fixture
def gitlab_standin(tmp_path: Path) -> Iterator[GitLabStandIn]:
    """Give a fresh GitLab with no projects and no users."""
    standin = GitLabStandIn(tmp_path / "gitlab")
    yield standin
    standin.stop()
