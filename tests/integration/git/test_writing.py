"""Writing: commits without a work tree, merges, pushes, branches."""

import concurrent.futures
from pathlib import Path

import pytest

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch, make_repository
from tests.standins.git_http import git

ADA = common_pb2.Person(name="Ada <Lovelace>", email="ada@lockstep.invalid")
BOB = common_pb2.Person(name="Bob", email="bob@lockstep.invalid")


def commit(
    stub: git_pb2_grpc.GitServiceStub,
    base: str,
    edits: dict[bytes, bytes | None],
    *,
    message: str = "Edit\n\nLockstep-Publication: p1\n",
    keep_as: str = "publications/p1",
    time: int = 1_700_000_100,
) -> git_pb2.CreateCommitResponse:
    """Make a commit."""
    header = git_pb2.CommitHeader(
        workspace_id=WORKSPACE,
        base_oid=base,
        message=message,
        author=ADA,
        committer=BOB,
        time=time,
        keep_as=keep_as,
    )
    parts = [git_pb2.CreateCommitRequest(header=header)]
    for path, content in edits.items():
        edit = git_pb2.TreeEdit(path=path, content=content or b"", delete=content is None)
        parts.append(git_pb2.CreateCommitRequest(edits=git_pb2.CommitEdits(edits=[edit])))
    return stub.CreateCommit(iter(parts), metadata=META)


def push(stub: git_pb2_grpc.GitServiceStub, branch: str, new: str, old: str) -> bool:
    """Push; give whether the branch moved."""
    request = git_pb2.PushRequest(workspace_id=WORKSPACE, branch=branch, new_oid=new, expected_old_oid=old)
    *_, last = stub.Push(request, metadata=META)
    return last.result.moved


def test_a_commit_edits_only_what_it_names(service: Service, remote: Path) -> None:
    """Added, changed and removed files; author, committer, time and message as given; nothing pushed."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(
        stub,
        head,
        {b"records/r1.json": b"changed", b"records/deep/er/new.json": b"new", b"records/r2.json": None},
    )
    mirror = service.mirror()
    git(mirror, "fsck", "--strict", "--no-dangling")
    assert git(mirror, "diff-tree", "-r", "--name-status", head, made.commit_oid).splitlines() == [
        "A\trecords/deep/er/new.json",
        "M\trecords/r1.json",
        "D\trecords/r2.json",
    ]
    assert git(mirror, "rev-parse", f"{made.commit_oid}^{{tree}}") == made.tree_oid
    assert list(made.blob_oids) == [
        git(mirror, "rev-parse", f"{made.commit_oid}:records/r1.json"),
        git(mirror, "rev-parse", f"{made.commit_oid}:records/deep/er/new.json"),
        "",
    ]
    assert git(mirror, "log", "-1", "--format=%an|%ae|%at|%cn|%ce|%ct|%P|%B", made.commit_oid) == (
        f"Ada Lovelace|ada@lockstep.invalid|1700000100|Bob|bob@lockstep.invalid|1700000100|{head}"
        "|Edit\n\nLockstep-Publication: p1"
    )
    assert git(mirror, "rev-parse", "refs/lockstep/publications/p1") == made.commit_oid
    assert git(remote, "rev-parse", "main") == head


def test_the_same_request_gives_the_same_commit(service: Service, remote: Path) -> None:
    """Once more, in a new mirror too: one name, and no second pack."""
    stub = service.stub()
    head = fetch(stub).new_oid
    edits: dict[bytes, bytes | None] = {b"a/b": b"1", b"c": b"2"}
    first = commit(stub, head, edits)
    packs = len(list(service.mirror().glob("objects/pack/*.pack")))
    assert commit(stub, head, edits) == first
    assert len(list(service.mirror().glob("objects/pack/*.pack"))) == packs
    stub.DropMirror(git_pb2.DropMirrorRequest(workspace_id=WORKSPACE), metadata=META)
    assert commit(stub, head, edits) == first
    assert commit(stub, head, edits, time=1_700_000_101).commit_oid != first.commit_oid


def test_a_base_nobody_has_fetched_is_fetched(service: Service, remote: Path) -> None:
    """A commit of the target branch, or of another branch of the push remote, serves as base without a fetch."""
    stub = service.stub()
    fetch(stub)
    new = commit_file(remote, "records/new.json", "{}")
    assert commit(stub, new, {b"x": b"1"}).commit_oid
    git(remote, "branch", "review", new)
    reviewed = commit_file(remote, "records/r1.json", "reviewer", branch="review")
    assert commit(stub, reviewed, {b"x": b"1"}).commit_oid
    with pytest.raises(errors.StateError) as failed:
        commit(stub, "1" * 40, {b"x": b"1"})
    assert failed.value.reason == "UNKNOWN_COMMIT"


def test_bad_edits_are_refused_by_name(service: Service, remote: Path) -> None:
    """Paths that could do harm, contradictions, links, no author: each is told, nothing is made."""
    stub = service.stub()
    head = fetch(stub).new_oid
    for path in (b"", b"/etc/x", b"../x", b"a//b", b".git/config", b"a/.GIT/x", b"git~1/x", b"a\nb", b"a\0b"):
        with pytest.raises(errors.InvalidInputError):
            commit(stub, head, {path: b"1"})
    with pytest.raises(errors.InvalidInputError, match="both a file and a folder"):
        commit(stub, head, {b"a": b"1", b"a/b": b"2"})
    with pytest.raises(errors.InvalidInputError):
        commit(stub, head, {b"a": b"1"}, keep_as="../../heads/main")
    with pytest.raises(errors.InvalidInputError, match="first message"):
        stub.CreateCommit(iter([git_pb2.CreateCommitRequest(edits=git_pb2.CommitEdits())]), metadata=META)
    assert not (service.mirror() / "refs" / "lockstep").exists()


def test_a_push_moves_a_branch_once(service: Service, remote: Path) -> None:
    """New branch, then forward; saying it again changes nothing; a stale expectation is told as such."""
    stub = service.stub()
    head = fetch(stub).new_oid
    first = commit(stub, head, {b"x": b"1"}).commit_oid
    assert push(stub, "lockstep/p1", first, "")
    assert git(remote, "rev-parse", "lockstep/p1") == first
    assert not push(stub, "lockstep/p1", first, "")
    assert not push(stub, "lockstep/p1", first, first)
    second = commit(stub, first, {b"x": b"2"}).commit_oid
    assert push(stub, "lockstep/p1", second, first)
    third = commit(stub, first, {b"x": b"3"}).commit_oid
    for old in (first, ""):
        with pytest.raises(errors.MovedError) as stale:
            push(stub, "lockstep/p1", third, old)
        assert stale.value.reason == "STALE_REF"
    assert git(remote, "rev-parse", "lockstep/p1") == second


def test_a_push_takes_no_commit_away(service: Service, remote: Path) -> None:
    """Even with the right expectation a branch only goes forward."""
    stub = service.stub()
    head = fetch(stub).new_oid
    aside = commit(stub, git(remote, "rev-parse", "main~1"), {b"x": b"1"}).commit_oid
    with pytest.raises(errors.StateError) as refused:
        push(stub, "main", aside, head)
    assert refused.value.reason == "NOT_FAST_FORWARD"
    assert git(remote, "rev-parse", "main") == head


def test_a_push_of_an_unknown_commit_is_told(service: Service, remote: Path) -> None:
    """A commit that the mirror does not have cannot be pushed."""
    stub = service.stub()
    fetch(stub)
    with pytest.raises(errors.StateError) as refused:
        push(stub, "x", "1" * 40, "")
    assert refused.value.reason == "UNKNOWN_COMMIT"


def test_of_concurrent_pushes_one_wins(service: Service, remote: Path) -> None:
    """Several commits on one base race for the branch: one moves it, the others are told that it moved."""
    stub = service.stub()
    head = fetch(stub).new_oid
    commits = [commit(stub, head, {b"x": b"%d" % n}, keep_as=f"publications/{n}").commit_oid for n in range(4)]

    def race(oid: str) -> str:
        try:
            return "moved" if push(stub, "main", oid, head) else "there"
        except errors.MovedError as error:
            return error.reason

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(race, commits))
    assert outcomes == ["STALE_REF"] * 3 + ["moved"]
    assert git(remote, "rev-parse", "main") in commits


def test_a_refusal_is_told_in_the_words_of_the_remote(service: Service, remote: Path) -> None:
    """A hook or a protected branch says why; the caller hears it."""
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected, open a pull request' >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    with pytest.raises(errors.StateError, match="main is protected, open a pull request") as refused:
        push(stub, "main", made, head)
    assert refused.value.reason == "PUSH_REJECTED"


def test_the_fork_is_pushed_to_and_the_upstream_is_imported_from(service: Service, remote: Path) -> None:
    """With a fork, the push remote is another repository than the target."""
    fork = make_repository(remote.parent, "fork")
    service.workspaces.put(f"file://{remote}", push_url=f"file://{fork}")
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    request = git_pb2.PushRequest(workspace_id=WORKSPACE, remote=git_pb2.REMOTE_PUSH, branch="proposal", new_oid=made)
    *_, last = stub.Push(request, metadata=META)
    assert last.result.moved
    assert git(fork, "rev-parse", "proposal") == made
    assert "proposal" not in git(remote, "branch")


def test_branches_are_created_and_deleted_once(service: Service, remote: Path) -> None:
    """Creating and deleting again changes nothing; another commit in the way is told."""
    stub = service.stub()
    head, older = fetch(stub).new_oid, git(remote, "rev-parse", "main~1")

    def create(oid: str) -> bool:
        request = git_pb2.CreateBranchRequest(workspace_id=WORKSPACE, branch="a/b", oid=oid)
        return stub.CreateBranch(request, metadata=META).created

    def delete(oid: str) -> bool:
        request = git_pb2.DeleteBranchRequest(workspace_id=WORKSPACE, branch="a/b", expected_old_oid=oid)
        return stub.DeleteBranch(request, metadata=META).deleted

    assert create(head)
    assert not create(head)
    with pytest.raises(errors.AlreadyExistsError):
        create(older)
    with pytest.raises(errors.MovedError) as stale:
        delete(older)
    assert stale.value.reason == "STALE_REF"
    assert delete(head)
    assert not delete(head)
    for name in ("-x", "a..b", "a b", "x.lock", "a//b", "/a", "a/", "@", "refs/heads/x", "a\x01", "a~1", ""):
        with pytest.raises(errors.InvalidInputError):
            stub.CreateBranch(git_pb2.CreateBranchRequest(workspace_id=WORKSPACE, branch=name, oid=head), metadata=META)


def test_merges_without_a_work_tree(service: Service, remote: Path) -> None:
    """Both parents, a fixed name; what is merged already is not merged again; a conflict names its paths."""
    stub = service.stub()
    base = fetch(stub).new_oid
    ours = commit(stub, base, {b"records/r0.json": b"ours"}, keep_as="publications/a").commit_oid
    theirs = commit(stub, base, {b"records/r1.json": b"theirs"}, keep_as="publications/b").commit_oid
    against = commit(stub, base, {b"records/r0.json": b"against"}, keep_as="publications/c").commit_oid

    def merge(first: str, second: str) -> str:
        request = git_pb2.CreateMergeCommitRequest(
            workspace_id=WORKSPACE, ours_oid=first, theirs_oid=second, message="Merge", author=ADA, time=1_700_000_200
        )
        return stub.CreateMergeCommit(request, metadata=META).commit_oid

    merged = merge(ours, theirs)
    mirror = service.mirror()
    assert git(mirror, "log", "-1", "--format=%P", merged) == f"{ours} {theirs}"
    assert git(mirror, "show", f"{merged}:records/r0.json") == "ours"
    assert git(mirror, "show", f"{merged}:records/r1.json") == "theirs"
    git(mirror, "fsck", "--strict", "--no-dangling")
    assert merge(ours, theirs) == merged
    assert merge(merged, theirs) == merged
    assert merge(ours, base) == ours
    with pytest.raises(errors.StateError, match=r"records/r0\.json") as conflict:
        merge(ours, against)
    assert conflict.value.reason == "MERGE_CONFLICT"
