"""Publications on plain Git, from the request to the merge."""

from collections.abc import Callable

import pytest

from protos.pr.v1 import pr_pb2
from services.core.errors import ForbiddenError, InvalidInputError, NotFoundError, StateError
from services.runtime.clients import as_tenant
from services.runtime.identity import Role
from tests.fakes.world import World
from tests.integration.pr.installation import TENANT, Installation, identity

OPENED = pr_pb2.PUBLICATION_STATE_OPENED
MERGED = pr_pb2.PUBLICATION_STATE_MERGED
CLOSED = pr_pb2.PUBLICATION_STATE_CLOSED
FAILED = pr_pb2.PUBLICATION_STATE_FAILED
Install = Callable[..., Installation]


def test_a_publication_becomes_a_branch_and_a_pull_request(install: Install, world: World) -> None:
    """A pending record ends up on a branch named after the publication, with a page in Lockstep."""
    pr = install()
    made = pr.create()
    assert (made.state, made.title, made.records_count) == (pr_pb2.PUBLICATION_STATE_PLANNED, "Update Fire", 1)
    events = pr.watch(made.id)
    assert events[-1].publication.state == OPENED
    assert events[-1].progress.done == events[-1].progress.total
    seen = pr.get(made.id)
    assert seen.branch == f"lockstep/{made.id}-update-fire"
    assert world.branches[seen.branch] == seen.commit_oid
    assert world.tree(seen.commit_oid)[b"fire.json"] == b'{"title": 1}'
    assert seen.pr_url == f"http://lockstep.test/publications/{made.id}"
    assert (seen.pr_number, seen.created_by, seen.base_oid) == (1, "grace", world.branches["main"])
    assert [(item.record_id, item.action, item.path) for item in seen.items] == [("fire", "update", b"fire.json")]
    assert f"Lockstep-Publication: {made.id}" in world.commits[seen.commit_oid].message
    assert world.commits[seen.commit_oid].author == "ada@example.org"
    assert "lockstep:begin" in seen.body
    assert pr.get("1", "w1").id == made.id


def test_merging_settles_the_publication_and_removes_the_branch(install: Install, world: World) -> None:
    """`publications merge` merges, imports, and answers with the merged publication and the merge commit."""
    pr = install()
    made = pr.create()
    pr.until(made.id, OPENED)
    world.commit_to("main", {b"other": b"x"})
    answer = pr.merge(made.id)
    assert answer.publication.state == MERGED
    assert answer.publication.merged_count == 1
    assert world.branches == {"main": answer.merge_commit_oid}
    assert world.main()[b"fire.json"] == b'{"title": 1}'
    assert world.main()[b"other"] == b"x"
    assert pr.merge(made.id).merge_commit_oid == answer.merge_commit_oid
    assert pr.get(made.id).items[0].merged_at > 0
    with pytest.raises(StateError, match="is merged"):
        pr.close(made.id)


def test_content_that_arrives_by_hand_counts_as_merged(install: Install, world: World) -> None:
    """Merged means that the target branch holds the content, however it got there."""
    pr = install()
    made = pr.create()
    pr.until(made.id, OPENED)
    world.commit_to("main", {b"fire.json": b'{"title": 1}'})
    assert pr.until(made.id, MERGED).merged_count == 1
    assert list(world.branches) == ["main"]


def test_closing_gives_the_records_back(install: Install, world: World) -> None:
    """A closed publication leaves no branch, and its records are pending again."""
    pr = install()
    made = pr.create()
    pr.until(made.id, OPENED)
    assert not world.pending
    assert pr.close(made.id).state == CLOSED
    assert list(world.pending) == ["fire"]
    assert list(world.branches) == ["main"]
    assert pr.close(made.id).state == CLOSED
    with pytest.raises(StateError, match="closed"):
        pr.merge(made.id)


def test_a_branch_with_a_reviewers_commit_is_neither_deleted_nor_passed_over(install: Install, world: World) -> None:
    """A merge takes a reviewer's commit along; closing leaves the branch with it."""
    pr = install()
    made = pr.until(pr.create().id, OPENED)
    world.commit_to(made.branch, {b"fire.json": b'{"title": 1}', b"note": b"!"})
    assert pr.close(made.id).state == CLOSED
    assert made.branch in world.branches
    again = pr.until(pr.create().id, OPENED)
    world.commit_to(again.branch, {b"note": b"!"})
    assert pr.merge(again.id).publication.state == MERGED
    assert world.main()[b"note"] == b"!"


def test_nothing_pending_is_an_error_that_leaves_nothing(install: Install, world: World) -> None:
    """An immediate error with its reason; no publication is left, and the request id is free again."""
    world.pending.clear()
    pr = install()
    with pytest.raises(StateError) as caught:
        pr.create(request_id="r1")
    assert caught.value.reason == "NOTHING_TO_PUBLISH"
    with pytest.raises(NotFoundError):
        pr.create("unknown")
    listed = pr.stub.ListPublications(pr_pb2.ListPublicationsRequest(), metadata=as_tenant(TENANT))
    assert not listed.publications
    world.edit("fire", b"1")
    assert pr.create(request_id="r1").records_count == 1


def test_one_request_id_makes_one_publication(install: Install, world: World) -> None:
    """The same request gives the same publication; another with that id is refused."""
    pr = install()
    first = pr.create(request_id="r1", title="Mine")
    assert pr.create(request_id="r1", title="Mine").id == first.id
    assert first.title == "Mine"
    with pytest.raises(InvalidInputError, match="another request"):
        pr.create(request_id="r1", title="Other")


def test_an_override_of_the_review_is_part_of_the_request(install: Install, world: World) -> None:
    """It is kept with the publication; the same request id with another reason is another request."""
    pr = install()
    first = pr.create(request_id="r1", override_review=" it is urgent ")
    assert pr.get(first.id).review_override == "it is urgent"
    assert pr.create(request_id="r1", override_review="it is urgent").id == first.id
    with pytest.raises(InvalidInputError, match="another request"):
        pr.create(request_id="r1")
    with pytest.raises(InvalidInputError, match="too long"):
        pr.create(override_review="x" * 501)


def test_creations_deletions_and_renames_travel(install: Install, world: World) -> None:
    """Each kind of change reaches the tree; a path that one record leaves and another takes is written."""
    world.edit("flood", b"", delete=True)
    world.edit("new", b"n", create=True, path=b"flood.json")
    world.edit("moved", b"m", path=b"moved.json", old_path=b"fire.json")
    del world.pending["fire"]
    pr = install()
    made = pr.until(pr.create(title="All of it\nin one", description="Because @me.").id, OPENED)
    assert made.title == "All of it in one"
    assert world.tree(made.commit_oid) == {b"flood.json": b"n", b"moved.json": b"m"}
    seen = pr.get(made.id)
    assert {item.record_id: item.action for item in seen.items} == {
        "flood": "delete",
        "new": "create",
        "moved": "rename",
    }
    assert seen.body.startswith("Because @me.\n\n<!-- lockstep:begin -->")


def test_publications_are_listed_newest_first_in_pages(install: Install, world: World) -> None:
    """Pages follow one another without gaps; open_only leaves settled ones out."""
    pr = install()
    ids = []
    for number in range(3):
        world.edit(f"r{number}", b"1")
        ids.append(pr.create(f"r{number}").id)
    pr.until(ids[0], OPENED)
    pr.close(ids[0])
    seen, token = [], ""
    while True:
        request = pr_pb2.ListPublicationsRequest(page_size=2, page_token=token)
        page = pr.stub.ListPublications(request, metadata=as_tenant(TENANT))
        seen += [publication.id for publication in page.publications]
        token = page.next_page_token
        if not token:
            break
    assert seen == ids[::-1]
    request = pr_pb2.ListPublicationsRequest(workspace_id="w1", open_only=True)
    page = pr.stub.ListPublications(request, metadata=as_tenant(TENANT))
    assert [publication.id for publication in page.publications] == ids[:0:-1]


def test_a_target_that_moves_meanwhile_is_merged_onto(install: Install, world: World) -> None:
    """A push to the target between look and push makes the merge start again, not fail or overwrite."""
    moved: list[str] = []

    def checkpoint(name: str) -> None:
        if name == "merge:before" and not moved:
            moved.append(world.commit_to("main", {b"other": b"x"}))

    pr = install(checkpoint=checkpoint)
    made = pr.until(pr.create().id, OPENED)
    answer = pr.merge(made.id)
    assert answer.publication.state == MERGED
    assert world.holds(world.branches["main"], moved[0])
    assert world.commits[answer.merge_commit_oid].parents == (moved[0], made.commit_oid)


def test_a_merge_conflict_is_an_error_and_changes_nothing(install: Install, world: World) -> None:
    """The caller gets git's reason; the publication stays open and can still be merged."""
    pr = install()
    made = pr.until(pr.create().id, OPENED)
    world.fail("CreateMergeCommit", StateError("fire.json conflicts", reason="MERGE_CONFLICT"))
    with pytest.raises(StateError) as caught:
        pr.merge(made.id)
    assert caught.value.reason == "MERGE_CONFLICT"
    assert pr.get(made.id).state == OPENED
    assert pr.merge(made.id).publication.state == MERGED


def test_a_lost_mirror_gets_its_commit_again(install: Install, world: World) -> None:
    """A mirror is a cache: the commit is made again, under the same name, where it is missing."""
    pr = install()
    made = pr.until(pr.create().id, OPENED)
    world.mirror.discard(made.commit_oid)
    assert pr.merge(made.id).publication.state == MERGED
    assert world.calls["CreateCommit"] == 2


@pytest.mark.parametrize("key", ["", "another"], ids=["same key", "another signing key"])
def test_a_commit_that_is_lost_before_its_push_is_made_anew(install: Install, world: World, key: str) -> None:
    """Signed with another key it has another name: one branch and one commit come of it all the same."""
    lost: list[str] = []

    def checkpoint(name: str) -> None:
        if name == "push:before" and not lost:
            (oid,) = world.kept.values()
            lost.append(oid)
            world.mirror.discard(oid)
            world.signing_key = key

    pr = install(checkpoint=checkpoint)
    made = pr.until(pr.create().id, OPENED)
    assert (made.commit_oid == lost[0]) is (not key)
    assert {name: oid for name, oid in world.branches.items() if name != "main"} == {made.branch: made.commit_oid}
    assert world.commits[made.commit_oid].parents == (world.branches["main"],)
    assert world.calls["CreateCommit"] == 2
    assert pr.merge(made.id).publication.state == MERGED


def test_roles_and_tenants_are_kept_apart(install: Install, world: World) -> None:
    """A viewer may not publish, an editor may not merge, another tenant sees nothing at all."""
    pr = install()
    made = pr.until(pr.create().id, OPENED)
    viewer, editor = pr.as_(identity(Role.VIEWER)), pr.as_(identity(Role.EDITOR))
    stranger = pr.as_(identity(Role.OPERATOR, "tenant-2"))
    here = as_tenant(TENANT)
    with pytest.raises(ForbiddenError):
        viewer.CreatePublication(pr_pb2.CreatePublicationRequest(workspace_id="w1"), metadata=here)
    with pytest.raises(ForbiddenError):
        viewer.ClosePublication(pr_pb2.ClosePublicationRequest(publication_id=made.id), metadata=here)
    with pytest.raises(ForbiddenError):
        viewer.RefreshPublication(pr_pb2.RefreshPublicationRequest(publication_id=made.id), metadata=here)
    with pytest.raises(ForbiddenError):
        editor.MergePublication(pr_pb2.MergePublicationRequest(publication_id=made.id), metadata=here)
    by_id = {"publication_id": made.id}
    with pytest.raises(NotFoundError):
        stranger.GetPublication(pr_pb2.GetPublicationRequest(publication=made.id), metadata=here)
    with pytest.raises(NotFoundError):
        stranger.MergePublication(pr_pb2.MergePublicationRequest(**by_id), metadata=here)
    with pytest.raises(NotFoundError):
        stranger.ClosePublication(pr_pb2.ClosePublicationRequest(**by_id), metadata=here)
    with pytest.raises(NotFoundError):
        stranger.RefreshPublication(pr_pb2.RefreshPublicationRequest(**by_id), metadata=here)
    with pytest.raises(NotFoundError):
        list(stranger.WatchPublication(pr_pb2.WatchPublicationRequest(**by_id), metadata=here))
    assert not stranger.ListPublications(pr_pb2.ListPublicationsRequest(), metadata=here).publications
    with pytest.raises(NotFoundError):
        pr.get("1", "another-workspace")
