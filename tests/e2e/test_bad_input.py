"""Bad input: one line that names the thing and the remedy, the right exit code and status, nothing changed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.cli.connect import admin_token, running_address
from tests.e2e.conftest import FILES
from tests.e2e.installation import Answer, Installation
from tests.remote import Remote
from tests.standins.github_app import GitHubStandIn

SCHEMA = """\
name: strict
path: data
schema:
  type: object
  properties:
    size: {type: integer}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give one running installation for all cases."""
    found = Installation(tmp_path_factory.mktemp("bad-input") / "data")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def name(place: Installation, tmp_path: Path) -> str:
    """Give a workspace with three records of a collection with a schema."""
    remote = Remote.create(tmp_path / "remote.git", FILES)
    config = tmp_path / "things.yaml"
    config.write_text(SCHEMA)
    workspace = tmp_path.name.replace("_", "-")[-40:].strip("-")
    place.do("workspace", "add", workspace, "--repo", str(remote.path), "--config", str(config))
    place.do("git-pull", workspace)
    return workspace


def state(place: Installation, workspace: str) -> Any:
    """Give all that must not change."""
    records = place.do("records", "list", "-w", workspace)["records"]
    return records, place.do("publications", "list", "-w", workspace), place.do("workspace", "show", workspace)


def http(place: Installation, method: str, path: str, body: Any = None) -> httpx2.Response:
    """Send a request to the API as the administrator."""
    headers = {"Authorization": f"Bearer {admin_token(place.data)}"}
    url = f"{running_address(place.data)}/api/v1{path}"
    return httpx2.request(method, url, json=body, headers=headers, trust_env=False, timeout=60)


def refused(answer: Answer, code: int, *words: str) -> None:
    """Check that a command failed as it should."""
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.err.count("\n") == 1
    assert answer.err.startswith("lockstep: ")
    for word in words:
        assert word in answer.err, answer.err


def problem(response: httpx2.Response, status: int, *words: str) -> None:
    """Check that a request was refused as it should be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    document = response.json()
    assert document["status"] == status
    assert document["remedy"], document
    for word in words:
        assert word in document["detail"] + document["remedy"], document


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("records", "edit", "a", "--set", "colour=red"), 2, ("a", "colour", "--allow-new")),
        (("records", "edit", "a", "--set", 'size="big"'), 2, ("a", "/size")),
        (("records", "edit", "nobody", "--set", "size=1"), 1, ("nobody", "records list")),
        (("records", "edit", "a"), 2, ("--set",)),
        (("records", "add", "--id", "x/y", "--set", "title=X"), 2, ("x/y", "slash")),
        (("records", "add", "--id", "a", "--set", "title=X"), 1, ("a", "another id")),
        (("records", "delete", "nobody"), 1, ("nobody",)),
        (("records", "history", "nobody"), 1, ("nobody",)),
        (("create-pr",), 1, ("nothing to publish", "records edit")),
        (("create-pr", "--events", "a"), 1, ("a", "as in Git")),
        (("create-pr", "--events", "nobody"), 1, ("nobody",)),
        (("publications", "merge", "99"), 1, ("99",)),
        (("conflicts", "resolve", "nobody", "--take", "ours"), 1, ("nobody",)),
        (("runs", "show", "nobody"), 1, ("nobody",)),
        (("records", "list", "--state", "blue"), 2, ("state", "pending")),
    ],
)
def test_commands_on_a_workspace(
    place: Installation, name: str, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    """Each is refused, and records, publications and settings stay as they were."""
    before = state(place, name)
    refused(place.run(*arguments, "-w", name), code, *words)
    assert state(place, name) == before


def test_a_workspace_name_with_a_slash(place: Installation, tmp_path: Path) -> None:
    """A name is part of addresses and folders: letters, digits, dots and dashes."""
    refused(place.run("workspace", "add", "a/b", "--repo", str(tmp_path)), 2, "a/b")
    problem(http(place, "POST", "/workspaces", {"name": "a/b", "repo": "https://example.org/x.git"}), 400, "a/b")


def test_a_collection_name_with_a_slash(place: Installation, tmp_path: Path) -> None:
    """And no workspace is left behind."""
    before = place.do("workspace", "list")
    remote = Remote.create(tmp_path / "remote.git", FILES)
    refused(place.run("workspace", "add", "slashed", "--repo", str(remote.path), "--collection", "x/y=data"), 2, "x/y")
    assert place.do("workspace", "list") == before


def unknown(path: Path) -> tuple[str, ...]:
    """Name a repository that is not there."""
    return ("--repo", str(path / "nowhere.git"))


def empty(path: Path) -> tuple[str, ...]:
    """Name a repository without a commit."""
    return ("--repo", str(Remote.create(path / "empty.git").path))


def branchless(path: Path) -> tuple[str, ...]:
    """Name a branch that is not there."""
    return ("--repo", str(Remote.create(path / "some.git", FILES).path), "--branch", "gone")


def folderless(path: Path) -> tuple[str, ...]:
    """Name a folder that the branch does not have."""
    return ("--repo", str(Remote.create(path / "some.git", FILES).path), "--collection", "things=elsewhere")


def silent(path: Path) -> tuple[str, ...]:
    """Name a host where nothing listens."""
    return ("--repo", "http://127.0.0.1:9/team/records.git")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (unknown, 404, ("nowhere.git",)),
        (empty, 404, ("empty", "first commit")),
        (branchless, 404, ("gone",)),
        (folderless, 409, ("elsewhere", "--collection")),
        (silent, 503, ("127.0.0.1:9",)),
    ],
)
def test_remotes_that_cannot_be_imported(
    place: Installation,
    tmp_path: Path,
    arguments: Callable[[Path], tuple[str, ...]],
    status: int,
    words: tuple[str, ...],
) -> None:
    """The workspace stays, nothing is imported, and both command and API say why."""
    name = f"remote-{arguments.__name__}"
    assert place.run("workspace", "add", name, *arguments(tmp_path)).code == 0
    refused(place.run("git-pull", name), 1, *words)
    problem(http(place, "POST", f"/workspaces/{name}/imports", {}), status, *words)
    assert place.do("records", "list", "-w", name)["records"] == []


def test_a_wrong_token(place: Installation, github_standin: GitHubStandIn) -> None:
    """Exit code 4 with the remedy, for commands to the forge's remote and to the gateway itself."""
    github_standin.create_repository("team/records", {"data/a.json": b"{}"})
    url = github_standin.git_url("team/records")
    options = ("--forge", "github", "--token-stdin")
    assert place.run("workspace", "add", "locked", "--repo", url, *options, stdin="wrong").code == 0
    refused(place.run("git-pull", "locked"), 4, "workspace set")
    here = {"LOCKSTEP_SERVER": running_address(place.data), "LOCKSTEP_TOKEN": "lks_wrong"}
    refused(place.run("workspace", "list", env=here), 4, "token")
    assert httpx2.get(f"{running_address(place.data)}/api/v1/workspaces", trust_env=False).status_code == 401


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("name: things\npath: [", "line 3"),
        ("name: things\ncolour: red\n", "colour"),
        ("- a\n- b\n", "mapping"),
        ("name: things\nid: guess\n", "line 2: id"),
        ("name: things\nschema: {type: 7}\n", "schema"),
        ("path: data\n", "name"),
        ("name: things\nquality: [{min_length: 3}]\n", "quality"),
    ],
)
def test_a_malformed_collection_file(place: Installation, tmp_path: Path, text: str, word: str) -> None:
    """The file, the line or the key is named, and no workspace is made."""
    before = place.do("workspace", "list")
    config = tmp_path / "things.yaml"
    config.write_text(text)
    remote = Remote.create(tmp_path / "remote.git", FILES)
    answer = place.run("workspace", "add", "malformed", "--repo", str(remote.path), "--config", str(config))
    refused(answer, 2, word)
    assert place.do("workspace", "list") == before


def test_the_api_speaks_problem_json(place: Installation, name: str) -> None:
    """Unknown things are 404, wrong content 422 or 400, wrong states 409; a body that is no JSON is 400."""
    records = f"/workspaces/{name}/records"
    problem(http(place, "GET", f"{records}/nobody"), 404, "nobody")
    problem(http(place, "PATCH", f"{records}/a", {"edits": [{"pointer": "/size", "value": "big"}]}), 422, "/size")
    problem(http(place, "POST", f"/workspaces/{name}/publications", {}), 409, "nothing to publish")
    problem(http(place, "GET", "/workspaces/nobody"), 404, "nobody")
    response = httpx2.post(
        f"{running_address(place.data)}/api/v1{records}",
        content=b"{ not json",
        headers={"Authorization": f"Bearer {admin_token(place.data)}", "Content-Type": "application/json"},
        trust_env=False,
    )
    assert response.status_code in (400, 422)
    assert response.headers["content-type"].startswith("application/problem+json")
