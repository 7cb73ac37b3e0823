"""Signed commits, and commits whose author and committer are two people."""

from dataclasses import replace
from pathlib import Path

import pytest

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2
from services.core import errors
from services.git.ports import RemoteAddress, Token
from tests.integration.git.conftest import META, TENANT, WORKSPACE, Service, commit_file, fetch
from tests.standins.git_http import git
from tests.standins.ssh_host import make_key

AUTHOR = common_pb2.Person(name="Ada Ü", email="ada@lockstep.invalid")
COMMITTER = common_pb2.Person(name="Lock Step", email="lockstep@lockstep.invalid")


def sign_with(service: Service, private: str) -> None:
    """Give the workspace a signing key."""
    known: RemoteAddress = service.workspaces.known[TENANT, WORKSPACE]
    service.workspaces.known[TENANT, WORKSPACE] = replace(known, signing_key=Token(private))


def make(service: Service, base: str, **fields: object) -> str:
    """Make a commit on a base; give it."""
    header = git_pb2.CommitHeader(
        workspace_id=WORKSPACE,
        base_oid=base,
        message="a change\n\nwith a body\n",
        author=AUTHOR,
        committer=COMMITTER,
        time=1_700_000_000,
        keep_as="publications/p1",
        **fields,  # type: ignore[arg-type]
    )
    edits = git_pb2.CommitEdits(edits=[git_pb2.TreeEdit(path=b"records/r1.json", content=b'{"id": 8}\n')])
    parts = [git_pb2.CreateCommitRequest(header=header), git_pb2.CreateCommitRequest(edits=edits)]
    return service.stub().CreateCommit(iter(parts), metadata=META).commit_oid


def verified(service: Service, commit: str, public: str, tmp_path: Path) -> str:
    """Give what git says of a good signature; fail for a bad one."""
    (tmp_path / "allowed").write_text(f'* namespaces="git" {public}')
    config = ("-c", f"gpg.ssh.allowedSignersFile={tmp_path}/allowed", "-c", "gpg.format=ssh")
    return git(service.mirror(), *config, "log", "-1", "--format=%G? %GF", commit)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_git_finds_the_signature_good_and_it_is_the_same_each_time(
    service: Service, remote: Path, tmp_path: Path, kind: str
) -> None:
    """`git log` verifies it with ssh-keygen; a commit that is made again has the same name."""
    private, public = make_key(tmp_path / "key", kind)
    sign_with(service, private)
    base = git(remote, "rev-parse", "main")
    made = make(service, base)
    assert verified(service, made, public, tmp_path).startswith("G SHA256:")
    assert make(service, base) == made
    assert "fatal" not in git(service.mirror(), "fsck", "--strict")


def test_merges_and_restored_paths_are_signed_too(service: Service, remote: Path, tmp_path: Path) -> None:
    """Whatever Lockstep commits in the workspace carries its signature."""
    private, public = make_key(tmp_path / "key")
    sign_with(service, private)
    stub = service.stub()
    old, base = git(remote, "rev-parse", "main~1"), git(remote, "rev-parse", "main")
    made = make(service, base)
    theirs = commit_file(remote, "records/other.json", "{}")
    merge = git_pb2.CreateMergeCommitRequest(
        workspace_id=WORKSPACE,
        ours_oid=made,
        theirs_oid=theirs,
        message="merge\n",
        author=AUTHOR,
        committer=COMMITTER,
        time=1_700_000_000,
    )
    merged = stub.CreateMergeCommit(merge, metadata=META).commit_oid
    restore = git_pb2.RestorePathRequest(
        workspace_id=WORKSPACE, base_oid=base, from_oid=old, path=b"README.md", author=AUTHOR, time=1_700_000_000
    )
    restored = stub.RestorePath(restore, metadata=META).commit_oid
    for commit in (merged, restored):
        assert verified(service, commit, public, tmp_path).startswith("G ")
    assert git(service.mirror(), "log", "-1", "--format=%an/%cn", merged) == "Ada Ü/Lock Step"


def test_without_a_key_commits_are_as_they_always_were(service: Service, remote: Path) -> None:
    """No signature, and lists say which commits have one."""
    base = git(remote, "rev-parse", "main")
    plain = make(service, base)
    assert "gpgsig" not in git(service.mirror(), "cat-file", "commit", plain)


def test_a_list_tells_author_and_committer_and_signature(service: Service, remote: Path, tmp_path: Path) -> None:
    """Both people, both times, and that there is a signature; messages are what they were."""
    sign_with(service, make_key(tmp_path / "key")[0])
    made = make(service, git(remote, "rev-parse", "main"), author_time=1_600_000_000)
    request = git_pb2.ListCommitsRequest(workspace_id=WORKSPACE, to_oid=made, page_size=2)
    first, second = service.stub().ListCommits(request, metadata=META).commits
    assert (first.author, first.committer) == (AUTHOR, COMMITTER)
    assert (first.time, first.commit_time) == (1_600_000_000, 1_700_000_000)
    assert (first.message, first.signed, second.signed) == ("a change\n\nwith a body\n", True, False)


def test_a_key_that_cannot_be_read_stops_the_commit_and_is_not_shown(service: Service, remote: Path) -> None:
    """No commit goes out unsigned by mistake."""
    fetch(service.stub())
    sign_with(service, "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0LXN0dWZm\n-----END OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(errors.StateError) as refused:
        make(service, git(remote, "rev-parse", "main"))
    assert refused.value.reason == "BAD_KEY"
    assert "c2VjcmV0" not in str(refused.value)
