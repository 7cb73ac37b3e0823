"""Files in Git over HTTP and the command line: content, history, origins, differences, tags, restoring, keys."""

import base64
import re
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote
from tests.standins.ssh_host import SshHost, make_key


@pytest.fixture
def moved(remote: Remote, workspace: str, lockstep: Lockstep) -> tuple[str, str, str]:
    """Change record a, then move its file; give the commits, oldest first."""
    first = remote.head()
    remote.git("tag", "-a", "-m", "the first\n\nof all", "v1", first)
    content = remote.git("show", "main:data/a.json")
    second = remote.commit({"data/a.json": content.replace("Ant", "Aardvark") + "\n"}, message="rename the ant")
    moved_content = remote.git("show", "main:data/a.json") + "\n"
    third = remote.commit({"data/a.json": None, "data/new/ä.json": moved_content}, message="move it")
    lockstep("git-pull", workspace)
    return first, second, third


def test_a_record_has_the_history_of_its_file_through_a_rename(
    lockstep: Lockstep, workspace: str, moved: tuple[str, str, str]
) -> None:
    """By record or by path, as a table or as JSON, at any commit."""
    first, second, third = moved
    found = lockstep("files", "history", "--record", "a", "-w", workspace, "--json").json["versions"]
    assert [(v["commit"], v["change"], v["path"]) for v in found] == [
        (third, "renamed", "data/new/ä.json"),
        (second, "modified", "data/a.json"),
        (first, "added", "data/a.json"),
    ]
    assert found[0]["old_path"] == "data/a.json"
    shown = lockstep("files", "history", "data/a.json", "--at", second, "-w", workspace, "--limit", "1").out
    assert shown.split("\t")[0] == second[:12]
    assert "rename the ant" in shown
    lockstep("files", "history", "never.json", "-w", workspace, code=1)
    lockstep("files", "history", "-w", workspace, code=2)


def test_a_file_is_shown_as_it_was(
    lockstep: Lockstep, workspace: str, moved: tuple[str, str, str], remote: Remote, installation: Installation
) -> None:
    """Bytes for bytes at a tag, a branch or a commit's beginning; what is no text comes as base64."""
    first, _, third = moved
    old = remote.git("show", f"{first}:data/a.json") + "\n"
    assert lockstep("files", "show", "data/a.json", "--at", "v1", "-w", workspace).out == old
    assert lockstep("files", "show", "data/a.json", "--at", first[:9], "-w", workspace).out == old
    found = lockstep("files", "show", "--record", "a", "-w", workspace, "--json").json
    assert (found["commit"], found["path"], found["mode"]) == (third, "data/new/ä.json", "100644")
    remote.commit({"data/binary.bin": b"\x00\xff"})
    with installation.http() as http:
        path = f"/api/v1/workspaces/{workspace}/files/content"
        answer = http.get(path, params={"path": "data/binary.bin", "commit": "main"}).json()
        assert (answer["encoding"], base64.b64decode(answer["content"])) == ("base64", b"\x00\xff")
        assert http.get(path, params={"path": "../etc/passwd"}).status_code == 400
        assert http.get(path, params={"path": "a", "record": "b"}).status_code == 400


def test_blame_says_who_wrote_each_line(lockstep: Lockstep, workspace: str, moved: tuple[str, str, str]) -> None:
    """One line for each line of the file, with the commit that wrote it."""
    first, second, _ = moved
    lines = lockstep("files", "blame", "--record", "a", "-w", workspace).out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == [first[:12], first[:12], second[:12]]
    assert lines[2].endswith('3    "title": "Aardvark",')
    part = lockstep("files", "blame", "--record", "a", "--lines", "3,3", "-w", workspace, "--json").json
    assert [hunk["lines"] for hunk in part["hunks"]] == [['  "title": "Aardvark",']]
    lockstep("files", "blame", "--record", "a", "--lines", "900,901", "-w", workspace, code=2)


def test_commits_and_files_are_compared(
    lockstep: Lockstep, workspace: str, moved: tuple[str, str, str], tmp_path: Path
) -> None:
    """Two commits with the rename as one, narrowed to paths, and a file that is here with one that is there."""
    assert moved
    patch = lockstep("files", "diff", "--from", "v1", "--to", "main", "-w", workspace).out
    assert "rename to data/new/ä.json" in patch
    assert '-  "title": "Ant",\n+  "title": "Aardvark",' in patch
    assert lockstep("files", "diff", "data/b.yaml", "--from", "v1", "-w", workspace).out == ""
    (tmp_path / "b.yaml").write_text("id: b\ntitle: Wasp\n")
    patch = lockstep("files", "diff", "data/b.yaml", "--with", str(tmp_path / "b.yaml"), "-w", workspace).out
    assert "+title: Wasp" in patch
    assert patch.startswith("diff --git a/data/b.yaml b/data/b.yaml\n")
    lockstep("files", "diff", "-w", workspace, code=2)


def test_tags_are_listed_with_what_they_say(lockstep: Lockstep, workspace: str, moved: tuple[str, str, str]) -> None:
    """Name, commit, who and why."""
    tag = lockstep("files", "tags", "-w", workspace, "--json").json["tags"][0]
    assert (tag["name"], tag["commit"], tag["tagger"], tag["annotated"]) == ("v1", moved[0], "Ada Example", True)
    assert lockstep("files", "tags", "-w", workspace).out.rstrip().endswith("\tthe first")


def test_a_record_is_put_back_as_an_edit_that_can_be_published(
    lockstep: Lockstep, workspace: str, moved: tuple[str, str, str], remote: Remote
) -> None:
    """It takes the file as it was then, under the name it had; the target branch is not touched."""
    first, _, third = moved
    shown = lockstep("records", "restore", "a", "--to", first, "-w", workspace, "--json").json
    assert (shown["content"]["title"], shown["state"]) == ("Ant", "pending")
    assert remote.head() == third
    lockstep("create-pr", "-w", workspace)
    branch = next(ref for ref in remote.git("for-each-ref", "--format=%(refname)").split() if "lockstep/" in ref)
    assert '"title": "Ant"' in remote.git("show", f"{branch}:data/new/ä.json")


def test_an_administrator_puts_a_path_back_on_a_branch(
    lockstep: Lockstep, workspace: str, moved: tuple[str, str, str], remote: Remote
) -> None:
    """A new branch by default, the target branch where it is named; nothing where there is nothing to do."""
    first, _, third = moved
    done = lockstep("files", "restore", "data/a.json", "--to", "v1", "-w", workspace, "--json").json
    assert done["branch"].startswith("lockstep/restore-")
    assert remote.head(done["branch"]) == done["commit"]
    assert remote.git("show", f"{done['commit']}:data/a.json") == remote.git("show", f"{first}:data/a.json")
    assert remote.head() == third
    lockstep("files", "restore", "data/c.md", "--to", "v1", "-w", workspace)
    out = lockstep(
        "files", "restore", "data/a.json", "--to", "v1", "--branch", "main", "-m", "Back", "-w", workspace
    ).out
    assert "on branch main" in out
    assert remote.git("log", "-1", "--format=%s", "main") == "Back"


def test_a_workspace_over_ssh_is_imported_and_its_commits_are_signed(
    lockstep: Lockstep, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys go in by standard input, are shown by their public halves, and are used for remote and commits."""
    host = SshHost(tmp_path / "sshd").start()
    try:
        (tmp_path / "known_hosts").write_text(host.known_hosts)
        _, public = make_key(tmp_path / "signing")
        name = "over-ssh"
        lockstep("workspace", "add", name, "--repo", host.url(remote.path), "--collection", "data=data")
        refused = lockstep("git-pull", name, code=4)
        assert "--ssh-key-stdin" in refused.err
        with (tmp_path / "ssh").open("w+") as stdin:
            stdin.write(host.key)
            stdin.seek(0)
            monkeypatch.setattr("sys.stdin", stdin)
            lockstep("workspace", "set", name, "--ssh-key-stdin", "--known-hosts", str(tmp_path / "known_hosts"))
        (tmp_path / "ssh").unlink()
        with (tmp_path / "signing").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            lockstep("workspace", "set", name, "--signing-key-stdin")
        shown = lockstep("workspace", "show", name).out
        assert " ".join(public.split()[:2]) in shown
        lockstep("git-pull", name)
        lockstep("records", "edit", "a", "--set", "title=Ape", "-w", name)
        made = lockstep("create-pr", "-w", name, "--json").json
        (tmp_path / "allowed").write_text(f"* {public}")
        config = ["-c", f"gpg.ssh.allowedSignersFile={tmp_path}/allowed"]
        assert remote.git(*config, "log", "-1", "--format=%G?", made["commit"]) == "G"
        lockstep("workspace", "set", name, "--forget-key", "signing")
        assert re.search(r"^signing key +none$", lockstep("workspace", "show", name).out, re.MULTILINE)
        lockstep("workspace", "remove", name, "--force")
    finally:
        host.stop()
