"""Whatever is wrong is said in one line with its remedy and the right code, and nothing is changed."""

from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Done, Lockstep
from tests.remote import Remote


def one_line(done: Done, *words: str) -> None:
    """Check that a failed command printed one line that holds the words, and no result."""
    assert done.out == ""
    assert done.err.startswith("lockstep: ")
    assert done.err.count("\n") == 1, done.err
    for word in words:
        assert word in done.err


@pytest.mark.parametrize("name", ["a/b", "..", "-x", ""])
def test_a_name_that_is_none(lockstep: Lockstep, remote: Remote, name: str) -> None:
    """A workspace's name with a slash or the like is refused."""
    one_line(lockstep("workspace", "add", "--repo", remote.url, "--", name, code=2))


def test_credentials_in_an_address(lockstep: Lockstep, canary: str) -> None:
    """A token in a URL is refused, and not repeated."""
    one_line(lockstep("workspace", "add", "x", "--repo", f"https://u:{canary}@example.org/x.git", code=2), "token")


def test_repositories_that_cannot_be_read(lockstep: Lockstep, remote: Remote, tmp_path: Path) -> None:
    """An unknown repository, a missing branch and an empty repository each fail by name at the pull."""
    Remote.create(tmp_path / "empty.git")
    cases = {
        "gone": (f"file://{tmp_path}/nowhere.git", "main", "nowhere.git"),
        "branchless": (remote.url, "nosuch", "nosuch"),
        "empty": (f"file://{tmp_path}/empty.git", "main", "empty"),
        "offline": ("https://no-such-host.invalid/x.git", "main", "no-such-host.invalid"),
    }
    for name, (url, branch, word) in cases.items():
        lockstep("workspace", "add", name, "--repo", url, "--branch", branch)
        one_line(lockstep("git-pull", name, code=1), word)
        assert lockstep("records", "list", "-w", name, "--json").json["total"] == 0
        lockstep("workspace", "remove", name)


def test_a_branch_without_the_folder(lockstep: Lockstep, remote: Remote) -> None:
    """A collection whose folder is not there is named."""
    lockstep("workspace", "add", "folderless", "--repo", remote.url, "--collection", "x=no/such")
    one_line(lockstep("git-pull", "folderless", code=1), "no/such")
    lockstep("workspace", "remove", "folderless")


def test_fields_and_records(lockstep: Lockstep, workspace: str) -> None:
    """Unknown fields, unknown records and edits that are none fail; the record stays as it is."""
    one_line(lockstep("records", "edit", "a", "--set", "nosuch=1", "-w", workspace, code=2), "nosuch", "title")
    one_line(lockstep("records", "edit", "a", "--set", "title", "-w", workspace, code=2), "field=value")
    one_line(lockstep("records", "edit", "zz", "--set", "title=x", "-w", workspace, code=1), "zz")
    one_line(lockstep("records", "add", "--set", "id=a", "-w", workspace, code=1), "a")
    one_line(lockstep("records", "add", "-w", workspace, code=2), "--set")
    assert lockstep("records", "show", "a", "-w", workspace, "--json").json["revision"] == 1


def test_publishing_nothing(lockstep: Lockstep, workspace: str) -> None:
    """With nothing pending no publication is made."""
    one_line(lockstep("create-pr", "-w", workspace, code=1), "nothing")
    assert lockstep("publications", "list", "-w", workspace, "--json").json == {"publications": []}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\npath: data\ncolour: red\n", ("line 3", "colour")),
        ("name: x\npath: [\n", ("line",)),
        ("path: data\n", ("name", "missing")),
        ("name: x\nid: nosuch\n", ("line 2", "id")),
        ("collections:\n  - name: x\n  - name: y\n    schema: nosuch.json\n", ("line 4", "schema", "nosuch.json")),
    ],
)
def test_a_malformed_collection_file(
    lockstep: Lockstep, remote: Remote, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    """File, line and key of what is wrong are named, and no workspace is made."""
    file = tmp_path / "collections.yaml"
    file.write_text(text)
    done = lockstep("workspace", "add", "malformed", "--repo", remote.url, "--config", str(file), code=2)
    one_line(done, "collections.yaml", *words)
    lockstep("workspace", "show", "malformed", code=1)


def test_a_workspace_whose_collection_is_refused_is_undone(lockstep: Lockstep, remote: Remote) -> None:
    """Adding a workspace is all or nothing."""
    add = ("workspace", "add", "half", "--repo", remote.url)
    one_line(lockstep(*add, "--collection", "good=data", "--collection", "bad=../x", code=2), "x")
    lockstep("workspace", "show", "half", code=1)


def test_usage_and_sign_in(lockstep: Lockstep, monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Unknown commands are usage; a wrong token is sign-in; a silent server is a failure."""
    one_line(lockstep("no-such-command", code=2), "--help")
    one_line(lockstep("git-pull", "--no-such-option", code=2), "--help")
    one_line(lockstep("conflicts", "resolve", "x", "--take", "mine", code=2), "ours")
    monkeypatch.setenv("LOCKSTEP_TOKEN", canary)
    one_line(lockstep("workspace", "list", code=4))
    monkeypatch.delenv("LOCKSTEP_TOKEN")
    one_line(lockstep("workspace", "list", code=4), "LOCKSTEP_TOKEN")
    monkeypatch.setenv("LOCKSTEP_TOKEN", canary)
    monkeypatch.setenv("LOCKSTEP_SERVER", "http://127.0.0.1:9")
    one_line(lockstep("workspace", "list", code=1), "lockstep up")
