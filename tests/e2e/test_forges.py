"""The main job through the command line against each forge: propose, merge there, be recognised here."""

import pytest

from tests.e2e.conftest import FILES
from tests.e2e.installation import Installation
from tests.standins.forge_server import StandIn
from tests.standins.forge_state import Method

pytestmark = pytest.mark.slow


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> StandIn:
    """Give a forge with a repository of three records."""
    found: StandIn = request.getfixturevalue(f"{request.param}_standin")
    found.create_repository("team/records", {path: text.encode() for path, text in FILES.items()})
    return found


def begin(installation: Installation, forge: StandIn, token: str) -> None:
    """Add the workspace with a token, import, and edit one record."""
    installation.start()
    url = forge.git_url("team/records")
    options = ("--forge", forge.kind, "--collection", "things=data", "--token-stdin")
    installation.do("workspace", "add", "w", "--repo", url, *options, stdin=token)
    installation.do("git-pull")
    installation.do("records", "edit", "b", "--set", "size=40")


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_recognised_as_merged_however_it_was(
    installation: Installation, forge: StandIn, canary: str, method: Method
) -> None:
    """Merge, squash and rebase end in the same: the record is merged because its content is there."""
    token = forge.token("ada", permission="admin", value=canary)
    begin(installation, forge, token)
    found = installation.do("create-pr", "--description", "Counted again.")
    [pull] = forge.pull_requests("team/records")
    assert found["pr_number"] == pull.number
    assert pull.title == "Update Bee"
    assert pull.body.startswith("Counted again.")
    assert installation.status()["open_pull_requests"] == 1
    forge.commit("team/records", "main", {"data/other.json": b'{"id": "other"}\n'}, "Meanwhile")
    forge.merge("team/records", pull.number, method=method)
    installation.wait_state("merged")
    assert installation.status()["in_sync"]
    assert installation.do("records", "show", "b")["content"] == {"id": "b", "title": "Bee", "size": 40}


def test_closed_without_merging_gives_the_record_back(installation: Installation, forge: StandIn, canary: str) -> None:
    """A pull request that is closed on the forge leaves its record pending here."""
    begin(installation, forge, forge.token("ada", permission="admin", value=canary))
    found = installation.do("create-pr")
    forge.close("team/records", found["pr_number"])
    installation.wait_state("closed")
    assert installation.status()["pending"] == 1
    assert installation.do("records", "show", "b")["content"]["size"] == 40


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"cut_after_effect": True},
        {"status": 502},
    ],
)
def test_a_faulty_forge_gets_one_pull_request(
    installation: Installation, forge: StandIn, canary: str, fault: dict[str, object]
) -> None:
    """5xx, rate limits and answers lost after the effect: tried again, never twice."""
    begin(installation, forge, forge.token("ada", permission="admin", value=canary))
    route = "POST /repos/{}/{}/pulls" if forge.kind == "github" else "POST /projects/{}/merge_requests"
    forge.faults.next(route, **fault)  # type: ignore[arg-type]
    installation.run("create-pr", "--json")
    installation.wait_state("opened")
    assert len(forge.pull_requests("team/records")) == 1


def test_a_wrong_token_says_so_and_can_be_replaced(installation: Installation, forge: StandIn, canary: str) -> None:
    """Exit code 4 and one line with the remedy; after a new token everything goes on."""
    installation.start()
    forge.token("ada", permission="admin", value=canary)
    url = forge.git_url("team/records")
    options = ("--forge", forge.kind, "--collection", "things=data", "--token-stdin", "--json")
    installation.run("workspace", "add", "w", "--repo", url, *options, stdin="wrong-token")
    answer = installation.run("git-pull")
    assert answer.code == 4
    assert answer.err.count("\n") == 1
    assert "lockstep workspace set" in answer.err
    assert "wrong-token" not in answer.err
    installation.do("workspace", "set", "w", "--token-stdin", stdin=canary)
    assert installation.do("git-pull")["imported"] == 3
