"""Whatever moment the process dies at: one branch, one commit, one pull request, no record lost or stuck."""

import time
from collections import Counter
from collections.abc import Callable

import pytest

from protos.pr.v1 import pr_pb2
from services.core.errors import MovedError
from services.runtime.clients import as_tenant
from services.runtime.context import Call, enter
from tests.fakes.forge import FakeForge
from tests.fakes.world import World
from tests.integration.pr.installation import SECONDS, TENANT, Clock, Installation, Killed, identity

OPENED = pr_pb2.PUBLICATION_STATE_OPENED
MERGED = pr_pb2.PUBLICATION_STATE_MERGED
CLOSED = pr_pb2.PUBLICATION_STATE_CLOSED
Install = Callable[..., Installation]
# A worker's thread that dies is what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Killer:
    """Dies at one checkpoint, the first time it is passed."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.dead = False

    def __call__(self, name: str) -> None:
        if name == self.at and not self.dead:
            self.dead = True
            raise Killed(name)

    def wait(self) -> None:
        deadline = time.monotonic() + SECONDS
        while not self.dead:
            assert time.monotonic() < deadline, f"never came to {self.at}"
            time.sleep(0.02)


def restart(install: Install, **more: object) -> Installation:
    """Start another process on the same database, after the leases of the dead one have ended."""
    clock = Clock()
    clock.offset = 120.0
    return install(clock=clock, **more)


def in_process(pr: Installation, method: str, request: object) -> None:
    """Call a handler in this thread, where its process may die."""
    enter(Call(identity()))
    try:
        with pytest.raises(Killed):
            getattr(pr.servicer, method)(request, None)
    finally:
        enter(None)


@pytest.mark.parametrize("step", ["commit", "push", "open"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_publication_goes_on_after_a_crash(install: Install, world: World, step: str, moment: str) -> None:
    """Killed around any effect, another process finishes: nothing is made twice."""
    forge = FakeForge(world)
    killer = Killer(f"{step}:{moment}")
    first = install(checkpoint=killer, connect_forge=forge.connect)
    made = first.create()
    killer.wait()
    first.stop()
    second = restart(install, connect_forge=forge.connect)
    seen = second.until(made.id, OPENED)
    assert world.branches == {"main": world.branches["main"], seen.branch: seen.commit_oid}
    assert len(world.commits) == 2
    assert [known.head_branch for known in forge.pull_requests.values()] == [seen.branch]
    assert seen.pr_number == next(iter(forge.pull_requests))
    assert world.calls["create_pull_request"] == 1
    assert world.calls["Push"] == 1
    world.commit_to("main", {b"fire.json": b'{"title": 1}'})
    assert second.until(made.id, MERGED).merged_count == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_request_that_was_stored_goes_on_after_a_crash(install: Install, world: World, moment: str) -> None:
    """The records were set aside, or not: the publication goes on either way, and once."""
    first = install(checkpoint=Killer(f"reserve:{moment}"), start=False)
    request = pr_pb2.CreatePublicationRequest(workspace_id="w1", request_id="r1")
    in_process(first, "CreatePublication", request)
    second = restart(install)
    listed = second.stub.ListPublications(pr_pb2.ListPublicationsRequest(), metadata=as_tenant(TENANT))
    assert len(listed.publications) == 1
    seen = second.until(listed.publications[0].id, OPENED)
    assert second.create(request_id="r1").id == seen.id
    assert len(world.branches) == 2


@pytest.mark.parametrize("at", ["merge:before", "merge:after", "settle:before"])
def test_a_merge_goes_on_after_a_crash(install: Install, world: World, at: str) -> None:
    """The target branch gets one merge commit, and the publication is settled by the next process."""
    first = install(start=False, checkpoint=Killer(at))
    made = first.create()
    first.worker.run_now(TENANT, made.id, SECONDS)
    in_process(first, "MergePublication", pr_pb2.MergePublicationRequest(publication_id=made.id))
    second = restart(install)
    seen = second.until(made.id, MERGED)
    merge_oid = second.merge(made.id).merge_commit_oid
    assert world.branches == {"main": merge_oid}
    assert world.commits[merge_oid].parents == (seen.base_oid, seen.commit_oid)


@pytest.mark.parametrize("at", ["close:before", "close:after", "release:before", "release:after"])
def test_a_close_goes_on_after_a_crash(install: Install, world: World, at: str) -> None:
    """The records come back once, and no branch is left."""
    first = install(start=False, checkpoint=Killer(at))
    made = first.create()
    first.worker.run_now(TENANT, made.id, SECONDS)
    in_process(first, "ClosePublication", pr_pb2.ClosePublicationRequest(publication_id=made.id))
    second = restart(install)
    assert second.until(made.id, CLOSED).merged_count == 0
    assert list(world.pending) == ["fire"]
    assert list(world.branches) == ["main"]


def test_a_restart_alone_on_its_database_does_not_wait_for_leases(install: Install, world: World) -> None:
    """Where no other process works on the table, what a dead one held goes on at once."""
    killer = Killer("push:after")
    first = install(checkpoint=killer)
    made = first.create()
    killer.wait()
    second = install(start=False)
    second.worker.start(alone=True)
    assert second.until(made.id, OPENED).pr_number == 1


def test_two_processes_publish_each_publication_once(install: Install, world: World) -> None:
    """Two replicas on one database share the work: as many commits, pushes and numbers as publications."""
    world.pending.clear()
    first, second = install(), install()
    ids = []
    for number in range(6):
        world.edit(f"r{number}", b"1")
        ids.append((first, second)[number % 2].create(f"r{number}").id)
    numbers = Counter(first.until(one, OPENED).pr_number for one in ids)
    assert numbers == Counter(range(1, 7))
    assert world.calls["CreateCommit"] == world.calls["Push"] == 6


def test_a_plan_that_does_not_hold_after_a_crash_is_given_up(install: Install, world: World) -> None:
    """What was to be published only as planned is not published otherwise later, nor tried for ever."""
    first = install(checkpoint=Killer("reserve:before"), start=False)
    target = world.branches["main"]
    request = pr_pb2.CreatePublicationRequest(
        workspace_id="w1", request_id="r1", expected_target_oid=target, expected_revision=7
    )
    in_process(first, "CreatePublication", request)
    world.fail("ReserveRecords", MovedError("the plan was made for revision 7", reason="PLAN_MOVED"))
    second = restart(install)
    [made] = second.stub.ListPublications(pr_pb2.ListPublicationsRequest(), metadata=as_tenant(TENANT)).publications
    failed = second.until(made.id, pr_pb2.PUBLICATION_STATE_FAILED)
    assert "revision 7" in failed.error
    assert list(world.pending) == ["fire"]


def test_a_target_branch_that_moved_leaves_no_publication(install: Install, world: World) -> None:
    """The commit that a plan names is asked of the remote before anything is set aside."""
    pr = install()
    old = world.branches["main"]
    world.commit_to("main", {b"other": b"x"})
    with pytest.raises(MovedError, match="which is at") as refused:
        pr.create(expected_target_oid=old)
    assert refused.value.reason == "PLAN_MOVED"
    assert not pr.stub.ListPublications(pr_pb2.ListPublicationsRequest(), metadata=as_tenant(TENANT)).publications
    assert list(world.pending) == ["fire"]
    assert pr.create(expected_target_oid=world.branches["main"]).records_count == 1
