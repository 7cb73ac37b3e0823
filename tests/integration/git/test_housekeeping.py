"""Housekeeping: mirrors stay small and fast, go when nobody uses them, and stay within their quota."""

import fcntl
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from services.git import server, upkeep
from services.git.housekeeping import FEW_PACKS, GRACE_DAYS, KEPT_DAYS, Housekeeping, Schedule, giving_way
from services.git.mirror import Mirror
from services.git.remotes import Policy
from tests.integration.git.conftest import META, TENANT, WORKSPACE, Service, fetch, make_repository
from tests.standins.git_http import git

DAY = 24 * 3600
PERSON = common_pb2.Person(name="Ada", email="ada@lockstep.invalid")


def commit(
    stub: git_pb2_grpc.GitServiceStub, base: str, number: int, *, keep_as: str = "", when: float = 1_700_000_000
) -> str:
    """Make a commit of one file on a base."""
    header = git_pb2.CommitHeader(
        workspace_id=WORKSPACE,
        base_oid=base,
        message=f"commit {number}",
        author=PERSON,
        committer=PERSON,
        time=int(when),
        keep_as=keep_as,
    )
    edit = git_pb2.TreeEdit(path=b"records/new.json", content=os.urandom(2000) + b"%d" % number)
    parts = [
        git_pb2.CreateCommitRequest(header=header),
        git_pb2.CreateCommitRequest(edits=git_pb2.CommitEdits(edits=[edit])),
    ]
    return stub.CreateCommit(iter(parts), metadata=META).commit_oid


def has(service: Service, oid: str) -> bool:
    """Say whether the mirror has an object; asked anew, not from a process that may hold it open."""
    try:
        return git(service.mirror(), "cat-file", "-t", oid) == "commit"
    except RuntimeError:
        return False


def housekeeping(service: Service, *, days: float = 0, idle_days: float = 0) -> Housekeeping:
    """Give the housekeeping of a service as it will be in some days."""
    return Housekeeping(service.servicer.parts, Schedule(idle_days=idle_days), clock=lambda: time.time() + days * DAY)


def test_packs_are_put_together_and_the_commit_graph_is_written(service: Service, remote: Path) -> None:
    """Many small packs become few; everything that was kept can be read afterwards."""
    stub = service.stub()
    oid = fetch(stub).new_oid
    made = [commit(stub, oid, number, keep_as=f"publications/{number}") for number in range(FEW_PACKS + 2)]
    assert upkeep.count_packs(service.mirror()) > FEW_PACKS
    housekeeping(service).round()
    assert upkeep.count_packs(service.mirror()) <= FEW_PACKS
    assert (service.mirror() / "objects" / "info" / "commit-graph").is_file()
    for oid in made:
        request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=oid, path=b"records/new.json")
        assert stub.ReadFile(request, metadata=META).content
    assert git(service.mirror(), "fsck", "--no-dangling") == ""


def test_what_no_ref_reaches_is_dropped_after_a_grace(service: Service, remote: Path) -> None:
    """A commit that is not kept is there for the length of the grace, and gone later; a kept one stays."""
    stub = service.stub()
    base = fetch(stub).new_oid
    loose = commit(stub, base, 1)
    kept = commit(stub, base, 2, keep_as="publications/p", when=time.time())
    housekeeping(service, days=GRACE_DAYS - 1).round()
    assert has(service, loose)
    housekeeping(service, days=2 * GRACE_DAYS).round()
    assert not has(service, loose)
    assert has(service, kept)
    assert has(service, base)


def test_what_was_kept_long_ago_is_let_go(service: Service, remote: Path) -> None:
    """The names under refs/lockstep/ do not grow for ever."""
    stub = service.stub()
    base = fetch(stub).new_oid
    commit(stub, base, 1, keep_as="publications/old", when=time.time() - DAY)
    commit(stub, base, 2, keep_as="publications/new", when=time.time() + 30 * DAY)
    housekeeping(service, days=KEPT_DAYS).round()
    listed = git(service.mirror(), "for-each-ref", "--format=%(refname)", "refs/lockstep/")
    assert listed.splitlines() == ["refs/lockstep/publications/new"]


def test_a_request_ends_the_housekeeping_that_is_in_its_way(service: Service, remote: Path) -> None:
    """Dropping holds the writer lock and gives way: a commit does not wait for it to end."""
    stub = service.stub()
    base = fetch(stub).new_oid
    mirror = Mirror(service.servicer.parts, TENANT, WORKSPACE)
    began = threading.Event()
    seen: list[BaseException] = []

    def long_work() -> None:
        try:
            with giving_way(mirror):
                began.set()
                mirror.runner.run(["-c", "alias.wait=!sleep 60", "wait"], at=mirror.path)
        except errors.CancelledError as error:
            seen.append(error)

    thread = threading.Thread(target=long_work)
    thread.start()
    assert began.wait(10)
    started = time.monotonic()
    commit(stub, base, 1)
    assert time.monotonic() - started < 10
    thread.join(10)
    assert len(seen) == 1


def test_an_unused_mirror_goes_and_comes_back(service: Service, remote: Path) -> None:
    """A mirror that nobody has used for the set number of days is removed; the next call clones it again."""
    stub = service.stub()
    head = fetch(stub).new_oid
    housekeeping(service, days=9, idle_days=10).round()
    assert service.mirror().is_dir()
    housekeeping(service, days=11, idle_days=10).round()
    assert not service.mirror().exists()
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    assert stub.ReadFile(request, metadata=META).content == b"version 2\n"


@pytest.mark.parametrize("how", ["fetch", "read"])
def test_what_is_used_is_not_idle(service: Service, remote: Path, how: str) -> None:
    """A fetch that finds nothing new is use, and so is reading."""
    stub = service.stub()
    head = fetch(stub).new_oid
    long_ago = time.time() - 100 * DAY
    os.utime(service.mirror() / "HEAD", (long_ago, long_ago))
    if how == "fetch":
        assert not fetch(stub).cloned
    else:
        request = git_pb2.ListChangedPathsRequest(workspace_id=WORKSPACE, new_oid=head)
        assert list(stub.ListChangedPaths(request, metadata=META))
    housekeeping(service, idle_days=10).round()
    assert service.mirror().is_dir()


def test_a_clone_beyond_the_quota_is_refused_and_leaves_nothing(start: Callable[..., Service], bare: Path) -> None:
    """The refusal says how much is used and allowed, what to do, and when to come back."""
    service = start(replace(Policy.standalone(), quota_bytes=1000))
    service.workspaces.put(f"file://{bare}")
    with pytest.raises(errors.BusyError, match=r"MB of 0\.0 MB allowed.*git\.quota_bytes") as raised:
        fetch(service.stub())
    assert raised.value.reason == "QUOTA"
    assert raised.value.retry_after > 0
    assert [path.name for path in service.mirror().parent.iterdir()] == [f"{WORKSPACE}.lock"]


def test_above_the_quota_nothing_grows_but_what_is_there_can_be_read(
    start: Callable[..., Service], tmp_path: Path, bare: Path
) -> None:
    """Commits and clones are refused, reading goes on; when an unused mirror has gone, they go on too."""
    other = make_repository(tmp_path / "remotes", "other")
    service = start()
    service.workspaces.put(f"file://{bare}")
    service.workspaces.put(f"file://{other}", workspace="unused")
    stub = service.stub()
    base = fetch(stub).new_oid
    fetch(stub, "unused")
    parts = service.servicer.parts
    assert parts.quota
    used = parts.quota.used(TENANT)
    parts = replace(parts, quota=replace(parts.quota, allowed=used - 100))
    service.servicer.parts = parts
    with pytest.raises(errors.BusyError, match="allowed"):
        commit(stub, base, 1)
    assert parts.wanted.is_set()
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=base, path=b"README.md")
    assert stub.ReadFile(request, metadata=META).content
    two_hours_ago = time.time() - 7200
    os.utime(service.mirror("unused") / "HEAD", (two_hours_ago, two_hours_ago))
    housekeeping(service).round()
    assert not service.mirror("unused").exists()
    assert service.mirror().is_dir()
    assert commit(stub, base, 1)


def test_the_thread_works_by_itself_and_ends_with_the_service(tmp_path: Path, service: Service, remote: Path) -> None:
    """No call is needed for a round, and closing the service does not wait for the next one."""
    stub = service.stub()
    base = fetch(stub).new_oid
    for number in range(FEW_PACKS + 2):
        commit(stub, base, number, keep_as=f"publications/{number}")
    own = server.wire(service.data, service.workspaces, Policy.standalone(), Schedule(seconds=0.1))
    deadline = time.monotonic() + 20
    while upkeep.count_packs(service.mirror()) > FEW_PACKS:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    started = time.monotonic()
    own.close()
    assert time.monotonic() - started < 5
    assert "git-housekeeping" not in {thread.name for thread in threading.enumerate()}


def test_two_processes_take_turns(service: Service, remote: Path) -> None:
    """While another process looks after a tenant's mirrors, this one leaves them alone."""
    fetch(service.stub())
    with (service.mirror().parent / ".housekeeping").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        housekeeping(service, days=11, idle_days=10).round()
        assert service.mirror().is_dir()
    housekeeping(service, days=11, idle_days=10).round()
    assert not service.mirror().exists()
