"""The command line does the whole job: import, edit, propose, merge, settle."""

import io
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote


def test_edits_travel_to_the_target_branch_and_are_recognised(
    lockstep: Lockstep, workspace: str, remote: Remote
) -> None:
    """Two edits and an addition become one pull request; merged, database and Git are in step."""
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=7.50")
    lockstep("records", "edit", "b", "-w", workspace, "--set", "place.town=Oban")
    lockstep("records", "add", "-w", workspace, "--set", "id=d", "--set", "title=Dog")
    status = lockstep("git-status", "-w", workspace, "--json").json
    assert (status["in_sync"], status["pending"]) == (False, 3)

    made = lockstep("create-pr", "-w", workspace, "--json").json
    assert set(made) == {"pr_url", "pr_number", "branch", "commit", "events_count"}
    assert (made["events_count"], made["pr_number"]) == (3, 1)
    assert made["pr_url"].startswith("http://127.0.0.1:")
    assert remote.head(made["branch"]) == made["commit"]

    [listed] = lockstep("publications", "list", "-w", workspace, "--open", "--json").json["publications"]
    assert listed["state"] == "opened"
    merged = lockstep("publications", "merge", "1", "-w", workspace, "--json").json
    assert merged["publication"]["state"] == "merged"
    assert remote.head() == merged["merge_commit"]
    assert b'"size": 7.50,\n  "big": 12345678901234567890123' in remote.read("data/a.json")
    assert remote.read("data/b.yaml") == b"id: b\ntitle: Bee  # a comment\nsize: 4\nplace:\n  town: Oban\n"

    status = lockstep("git-status", "-w", workspace, "--json").json
    assert status == {
        "in_sync": True,
        "remote_commit": remote.head(),
        "imported_commit": remote.head(),
        "commits_behind": 0,
        "pending": 0,
        "conflicts": 0,
        "quarantined": 0,
        "last_sync": status["last_sync"],
        "open_pull_requests": 0,
    }


def test_a_pull_says_what_it_did_in_stable_keys(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """A plan and the pull after it give the same counts under the names of the contract."""
    commit = remote.commit({"data/a.json": '{"id": "a", "title": "Ape"}\n', "data/e.md": "---\nid: e\n---\n"})
    expected = {
        "files": 2,
        "imported": 1,
        "updated": 1,
        "deleted": 0,
        "renamed": 0,
        "unchanged": 0,
        "conflicts": 0,
        "quarantined": 0,
        "excluded": 0,
        "commit": commit,
    }
    planned = lockstep("git-pull", workspace, "--plan", "--json").json
    # A plan also says its name and what it would do to each record.
    assert planned.pop("plan") == f"{commit}@{planned.pop('revision')}"
    assert {change["record"]: change["kind"] for change in planned.pop("changes")} == {"a": "update", "e": "create"}
    assert planned == expected
    assert lockstep("records", "list", "-w", workspace, "--json").json["total"] == 3
    done = lockstep("git-pull", workspace, "--json")
    assert done.json == expected
    assert done.err == ""
    [run, _] = lockstep("runs", "list", "-w", workspace, "--json").json["runs"]
    assert lockstep("runs", "show", run["id"], "-w", workspace, "--json").json["commit"] == commit


def test_a_conflict_needs_a_person(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """A field that both sides changed ends the pull with code 3, and is settled by a side or a value."""
    lockstep("records", "edit", "b", "-w", workspace, "--set", "title=Ours", "--set", "size=40")
    remote.commit({"data/b.yaml": "id: b\ntitle: Theirs\nsize: 44\nplace:\n  town: Ayr\n"})
    assert lockstep("git-pull", workspace, "--json", code=3).json["conflicts"] == 2
    found = lockstep("conflicts", "list", "-w", workspace, "--json").json["conflicts"]
    by_field = {item["field"]: item for item in found}
    assert (by_field["/title"]["ours"], by_field["/title"]["theirs"]) == ("Ours", "Theirs")
    shown = lockstep("conflicts", "show", by_field["/size"]["id"], "-w", workspace).out
    assert "40" in shown
    assert "44" in shown
    lockstep("create-pr", "-w", workspace, code=3)
    lockstep("conflicts", "resolve", by_field["/title"]["id"], "--take", "theirs", "-w", workspace)
    lockstep("conflicts", "resolve", by_field["/size"]["id"], "--value", "42", "-w", workspace)
    content = lockstep("records", "show", "b", "-w", workspace, "--json").json["content"]
    assert (content["title"], content["size"]) == ("Theirs", 42)


def test_a_bad_file_is_quarantined_and_named(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """A file that is no record ends the pull with code 3; the list has path, line and rule."""
    remote.commit({"data/bad.json": '{\n  "id": \n}\n'})
    assert lockstep("git-pull", workspace, "--json", code=3).json["quarantined"] == 1
    [file] = lockstep("quarantine", "list", "-w", workspace, "--json").json["files"]
    assert (file["path"], file["rule"]) == ("data/bad.json", "syntax")
    assert file["line"] > 0


def test_a_repository_in_the_environment_needs_no_workspace(
    lockstep: Lockstep, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOCKSTEP_REPO_URL makes a workspace on the fly, and finds it again."""
    monkeypatch.setenv("LOCKSTEP_REPO_URL", remote.url)
    assert lockstep("git-pull", "--json").json["imported"] == 3
    assert lockstep("git-status", "--json").json["in_sync"] is True
    names = [item["name"] for item in lockstep("workspace", "list", "--json").json["workspaces"]]
    assert names.count("remote") == 1
    lockstep("workspace", "remove", "remote")


def test_records_keep_every_digit_and_their_history(lockstep: Lockstep, workspace: str) -> None:
    """What is shown, edited by file and validated is exact; the history names the fields."""
    shown = lockstep("records", "show", "a", "-w", workspace, "--json").out
    assert '"size":3.10' in shown
    assert '"big":12345678901234567890123' in shown
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=3.1001")
    assert '"size":3.1001' in lockstep("records", "show", "a", "-w", workspace, "--json").out
    history = lockstep("records", "history", "a", "-w", workspace, "--json").json["revisions"]
    assert [item["reason"] for item in history][-1] == "import"
    assert lockstep("records", "validate", "-w", workspace, "--json").json["checked"] == 3
    lockstep("records", "delete", "a", "-w", workspace)
    lockstep("records", "show", "nobody", "-w", workspace, code=1)


def test_a_whole_file_or_an_editor_changes_a_record(
    lockstep: Lockstep, workspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--file takes the record's own format; $EDITOR gets YAML."""
    file = tmp_path / "c.md"
    file.write_text("---\nid: c\ntitle: Cow\nsize: 6\n---\n\nLikes grass.\n")
    lockstep("records", "edit", "c", "-w", workspace, "--file", str(file))
    content = lockstep("records", "show", "c", "-w", workspace, "--json").json["content"]
    assert (content["title"], content["size"], content["body"]) == ("Cow", 6, "Likes grass.")
    monkeypatch.setenv("EDITOR", "sed -i s/Cow/Calf/")
    lockstep("records", "edit", "c", "-w", workspace)
    assert lockstep("records", "show", "c", "-w", workspace, "--json").json["title"] == "Calf"


def test_a_closed_publication_gives_its_records_back(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """Closed without merging: the edits are pending again and the branch is gone."""
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=9")
    made = lockstep("create-pr", "-w", workspace, "--events", "a", "--title", "Mine", "--json").json
    [listed] = lockstep("publications", "list", "-w", workspace, "--json").json["publications"]
    assert listed["title"] == "Mine"
    assert lockstep("publications", "watch", listed["id"], "-w", workspace, "--json").json["state"] == "opened"
    assert lockstep("publications", "close", "1", "-w", workspace, "--json").json["state"] == "closed"
    assert lockstep("git-status", "-w", workspace, "--json").json["pending"] == 1
    assert remote.head(made["branch"]) == ""


def test_a_stored_token_is_never_shown(
    lockstep: Lockstep,
    workspace: str,
    installation: Installation,
    canary: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A token goes in by standard input and comes out nowhere: not in answers, not in the data folder."""
    monkeypatch.setattr("sys.stdin", io.StringIO(canary + "\n"))
    lockstep("workspace", "set", workspace, "--token-stdin")
    shown = lockstep("workspace", "show", workspace, "--json")
    assert shown.json["has_credential"] is True
    assert canary not in shown.out
    with installation.http() as http:
        assert canary not in http.get("/").text
    files = [path for path in installation.data.rglob("*") if path.is_file()]
    assert not [path for path in files if canary.encode() in path.read_bytes()]
    lockstep("workspace", "set", workspace, "--forget-token")
    assert lockstep("workspace", "show", workspace, "--json").json["has_credential"] is False


def test_the_repository_of_a_workspace_can_be_changed(
    lockstep: Lockstep, workspace: str, remote: Remote, tmp_path: Path
) -> None:
    """git-config shows and changes repository and branch; the next pull reads the new one."""
    shown = lockstep("git-config", "--show", "-w", workspace, "--json").json
    assert (shown["repo"], shown["branch"]) == (remote.url, "main")
    other = Remote.create(tmp_path / "other.git", {"data/z.json": '{"id": "z"}\n'})
    lockstep("git-config", "--repo", str(other.path), "-w", workspace)
    counts = lockstep("git-pull", workspace, "--plan", "--json", code=None).json
    assert (counts["imported"], counts["commit"]) == (1, other.head())
