"""A network that hangs and breaks, and remotes that change under one's feet."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.hostile import outcome, working_gits
from tests.integration.git.lone import until
from tests.integration.git.test_reading import raw_commit
from tests.integration.git.test_writing import commit, push
from tests.standins.git_http import GitHost, git
from tests.standins.tcp_proxy import TcpProxy


@pytest.fixture
def line(service: Service, host: GitHost, canary: str) -> Iterator[TcpProxy]:
    """Give the line that the service reaches the host through."""
    proxy = TcpProxy(host.url)
    service.workspaces.put(f"{proxy.url}/records.git", token=canary)
    yield proxy
    proxy.stop()


# Within the first answer, within the list of refs, and far into the pack of 3 MB.
PLACES = [0, 100, 700, 500_000, 2_000_000]


@pytest.fixture
def large(bare: Path) -> str:
    """Give a commit of the remote that brings 3 MB of what cannot be compressed."""
    noise = random.Random(1)  # noqa: S311  the same bytes every time
    return raw_commit(bare, {b"large-%d" % n: noise.randbytes(330_000) for n in range(9)})


@pytest.mark.parametrize("after", PLACES)
def test_a_line_that_is_cut_in_a_clone(service: Service, line: TcpProxy, large: str, after: int) -> None:
    """Told as a fault of the network; nothing of the half clone is left; the next one works."""
    line.cut(after)
    stub = service.stub()
    with pytest.raises(errors.UnavailableError) as failed:
        fetch(stub)
    assert failed.value.reason == "NO_NETWORK"
    assert not service.mirror().exists()
    line.heal()
    assert fetch(stub).new_oid == large
    assert not list(service.mirror().parent.glob("*.tmp-*"))


@pytest.mark.parametrize("after", PLACES)
def test_a_line_that_hangs_in_a_clone(service: Service, line: TcpProxy, large: str, after: int) -> None:
    """The call ends at its deadline, its gits with it, and the next one works."""
    line.hang(after)
    stub = service.stub()
    request = git_pb2.FetchRequest(workspace_id=WORKSPACE)
    with pytest.raises(errors.TimeoutExceededError):
        list(stub.Fetch(request, metadata=META, timeout=2))
    until(lambda: not working_gits())
    line.heal()
    assert fetch(stub).new_oid == large
    assert not list(service.mirror().parent.glob("*.tmp-*"))


@pytest.mark.parametrize("fault", ["cut", "hang"])
@pytest.mark.parametrize("after", [0, 100, 300, 600])
def test_a_push_whose_answer_is_lost_can_be_repeated(
    service: Service, line: TcpProxy, bare: Path, fault: str, after: int
) -> None:
    """Whether the push arrived or not: an error now, and the same call again leads to the same end, once."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    request = git_pb2.PushRequest(workspace_id=WORKSPACE, branch="main", new_oid=made, expected_old_oid=head)
    line.cut(after) if fault == "cut" else line.hang(after)
    told = outcome(lambda: stub.Push(request, metadata=META, timeout=3))
    assert told in ("", "UnavailableError", "TimeoutExceededError")
    line.heal()
    until(lambda: not working_gits())
    push(stub, "main", made, head)
    assert git(bare, "rev-list", "--count", f"{head}..main") == "1"
    assert git(bare, "rev-parse", "main") == made
    assert not push(stub, "main", made, head)


def test_a_remote_that_is_gone_leaves_what_is_known(service: Service, remote: Path) -> None:
    """The repository is deleted: fetching says so, reading and committing go on, and its return is noticed."""
    stub = service.stub()
    head = fetch(stub).new_oid
    gone = remote.with_name("gone.git")
    remote.rename(gone)
    for _ in range(2):
        with pytest.raises(errors.NotFoundError) as failed:
            fetch(stub)
        assert failed.value.reason == "NO_REPOSITORY"
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    assert stub.ReadFile(request, metadata=META).content == b"version 2\n"
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    with pytest.raises(errors.NotFoundError):
        push(stub, "main", made, head)
    gone.rename(remote)
    assert push(stub, "main", made, head)


def test_a_remote_that_is_gone_with_the_mirror_damaged(service: Service, remote: Path) -> None:
    """There is nothing left to rebuild from: a typed error that names the remote, and all well when it is back."""
    stub = service.stub()
    head = fetch(stub).new_oid
    gone = remote.with_name("gone.git")
    remote.rename(gone)
    service.servicer.parts.pool.evict(service.mirror())
    shutil.rmtree(service.mirror() / "objects")
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    with pytest.raises((errors.NotFoundError, errors.StateError)):
        stub.ReadFile(request, metadata=META)
    gone.rename(remote)
    service.servicer.parts.rebuilt.clear()
    assert stub.ReadFile(request, metadata=META).content == b"version 2\n"


def test_a_force_push_upstream_is_taken_as_it_is(service: Service, remote: Path) -> None:
    """The branch has another history now: it is followed, the old commits can still be read, ours still pushed."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    other = git(remote, "commit-tree", f"{head}^{{tree}}", "-m", "rewritten")
    git(remote, "update-ref", "refs/heads/main", other)
    with pytest.raises(errors.MovedError) as moved:
        push(stub, "main", made, head)
    assert moved.value.reason == "STALE_REF"
    result = fetch(stub)
    assert (result.old_oid, result.new_oid) == (head, other)
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=made, path=b"x")
    assert stub.ReadFile(request, metadata=META).content == b"1"
    assert push(stub, "publication", made, "")
    git(service.mirror(), "fsck", "--strict", "--no-dangling")


def test_a_branch_that_is_deleted_or_renamed(service: Service, remote: Path) -> None:
    """The target branch goes away and comes back under another name, even one below the old one."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    git(remote, "branch", "-m", "main", "trunk")
    with pytest.raises(errors.NotFoundError) as failed:
        fetch(stub)
    assert failed.value.reason == "NO_BRANCH"
    assert "branch" in failed.value.remedy
    with pytest.raises(errors.MovedError):
        push(stub, "main", made, head)
    service.workspaces.put(f"file://{remote}", branch="trunk")
    assert fetch(stub).new_oid == head
    git(remote, "branch", "-m", "trunk", "trunk/a")
    service.workspaces.put(f"file://{remote}", branch="trunk/a")
    assert fetch(stub).new_oid == head
    assert push(stub, "trunk/a", made, head)


def test_a_branch_deleted_while_a_publication_is_on_it(service: Service, remote: Path) -> None:
    """Somebody deletes the branch that was pushed: the next push says what it found, and can start it again."""
    stub = service.stub()
    head = fetch(stub).new_oid
    first = commit(stub, head, {b"x": b"1"}).commit_oid
    assert push(stub, "publication", first, "")
    second = commit(stub, first, {b"x": b"2"}).commit_oid
    git(remote, "update-ref", "-d", "refs/heads/publication")
    with pytest.raises(errors.MovedError) as moved:
        push(stub, "publication", second, first)
    assert moved.value.metadata["oid"] == ""
    assert push(stub, "publication", second, "")


def test_an_upstream_commit_during_a_publication_is_not_lost(service: Service, remote: Path) -> None:
    """Nobody's commit is pushed over: not with the old value, not with the new one and no merge."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    theirs = commit_file(remote, "records/theirs.json", "{}")
    with pytest.raises(errors.MovedError):
        push(stub, "main", made, head)
    fetch(stub)
    with pytest.raises(errors.StateError) as refused:
        push(stub, "main", made, theirs)
    assert refused.value.reason == "NOT_FAST_FORWARD"
    assert git(remote, "rev-parse", "main") == theirs
