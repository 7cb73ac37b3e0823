"""GitHub's own description judges each request of the adapter and each answer of the stand-in."""

from collections.abc import Iterator
from itertools import count

import pytest

from services.core.errors import LockstepError
from tests.contract.suite import ForgeContract
from tests.contract.world import GITHUB_ENDPOINTS, World
from tests.standins import openapi
from tests.standins.github_app import GitHubStandIn

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubStandIn]:
    """Give a GitHub for the whole module: prism is tied to its address."""
    standin = GitHubStandIn(tmp_path_factory.mktemp("github"))
    yield standin
    standin.stop()


@pytest.fixture(scope="module")
def prism(standin: GitHubStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openapi.Prism]:
    """Give a prism before it."""
    prism = openapi.Prism(standin.api_url, tmp_path_factory.mktemp("prism"))
    yield prism
    prism.stop()


@pytest.mark.node
@pytest.mark.skipif(bool(openapi.missing()), reason=openapi.missing())
class TestGitHubThroughItsDescription(ForgeContract):
    @pytest.fixture
    def world(self, standin: GitHubStandIn, prism: openapi.Prism) -> Iterator[World]:
        world = World(standin, prism.url, f"team{next(_NUMBERS)}", GITHUB_ENDPOINTS)
        yield world
        assert prism.complaints() == []

    def test_prism_refuses_what_breaks_the_description(
        self, world: World, standin: GitHubStandIn, prism: openapi.Prism, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The judge is awake: an answer without a required field does not pass."""
        path = world.repository("judged")
        answer = standin.shapes.repository(standin.repository(path), None)
        monkeypatch.setattr(
            "tests.standins.github_shapes.Shapes.repository",
            lambda *_: {name: value for name, value in answer.items() if name != "default_branch"},
        )
        with pytest.raises(LockstepError):
            world.connect(path).project()
        assert prism.complaints()
