"""The inbox of conflicts: found by filters, settled one or many at once, and taken back while that is safe."""

from typing import Any

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import (
    InvalidInputError,
    LockstepError,
    MovedError,
    NeedsPersonError,
    NotFoundError,
    StateError,
)
from services.core.values import dumps
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote

IDS = ("d", "e", "f")


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    """Three records with a conflict in size and one in title, one of them with a conflict in tags, one deleted."""
    remote.commit(_files(size=1, title="Old", tags=["x"]))
    world.attach(remote.url)
    world.collection(schema=b'{"properties": {"size": {"maximum": 100}}}')
    world.pull()
    for number, record_id in enumerate(IDS):
        world.edit(
            record_id, size=10 + number, title=f"Ours {record_id}", tags=["x", "o"] if record_id == "d" else ["x"]
        )
    world.edit("a", size=30)
    remote.commit({**_files(size=50, title="Theirs", tags=["x", "t"]), "data/a.json": None})
    world.pull()


def _files(**fields: Any) -> dict[str, str]:
    return {f"data/{record_id}.json": dumps({"id": record_id, **fields}).decode() for record_id in IDS}


def found(world: SyncWorld, **filters: Any) -> list[tuple[str, str]]:
    """Give record and field of the conflicts that a filter names."""
    return [(conflict.record_id, conflict.pointer) for conflict in listed(world, **filters).conflicts]


def listed(world: SyncWorld, **filters: Any) -> sync_pb2.ListConflictsResponse:
    """Give the conflicts that a filter names."""
    chosen = sync_pb2.ConflictFilter(**filters)
    return world.sync.ListConflicts(sync_pb2.ListConflictsRequest(workspace_id=WORKSPACE, filter=chosen, page_size=100))


def the(world: SyncWorld, record_id: str, field: str) -> sync_pb2.Conflict:
    """Give the one conflict of a field."""
    [conflict] = listed(world, record_id=record_id, field=field).conflicts
    return conflict


def settle(
    world: SyncWorld, take: str, *ids: str, value: bytes = b"", **options: Any
) -> sync_pb2.ResolveConflictsResponse:
    """Settle many; by the filter in ``filter`` where no ids are given."""
    sides = {"ours": sync_pb2.TAKE_OURS, "theirs": sync_pb2.TAKE_THEIRS, "both": sync_pb2.TAKE_BOTH}
    chosen = None if ids else sync_pb2.ConflictFilter(**options.pop("filter", {}))
    request = sync_pb2.ResolveConflictsRequest(
        workspace_id=WORKSPACE,
        conflict_ids=ids,
        filter=chosen,
        take=sides.get(take, sync_pb2.TAKE_UNSPECIFIED),
        value=value,
        **options,
    )
    return world.sync.ResolveConflicts(request)


def undo(world: SyncWorld, conflict: sync_pb2.Conflict) -> sync_pb2.UndoResolutionResponse:
    """Take a resolution back."""
    return world.sync.UndoResolution(sync_pb2.UndoResolutionRequest(workspace_id=WORKSPACE, conflict_id=conflict.id))


def test_conflicts_are_found_by_what_they_are(world: SyncWorld) -> None:
    """By collection, record, field, whole records and state; the first page says how many there are."""
    assert listed(world).total == 8
    assert found(world, field="/size") == [(record_id, "/size") for record_id in IDS]
    assert set(found(world, record_id="d")) == {("d", "/size"), ("d", "/title"), ("d", "/tags")}
    assert found(world, whole_record=True) == [("a", "")]
    assert len(found(world, collection="things")) == 8
    world.resolve(the(world, "d", "/size"), "ours")
    assert found(world, state="ours") == [("d", "/size")]
    assert len(found(world)) == 7
    assert len(found(world, state="any")) == 8
    for bad in (
        {"state": "closed"},
        {"field": "size"},
        {"collection": "nothing"},
        {"field": "/a", "whole_record": True},
    ):
        with pytest.raises((InvalidInputError, NotFoundError)):
            listed(world, **bad)


def test_one_conflict_says_who_changed_what_when(world: SyncWorld, remote: Remote) -> None:
    """The database's side from the record's history, Git's from the file's."""
    request = sync_pb2.GetConflictRequest(workspace_id=WORKSPACE, conflict_id=the(world, "d", "/size").id)
    conflict = world.sync.GetConflict(request).conflict
    assert (conflict.ours_change.author, conflict.ours_change.commit_oid) == ("ada", "")
    assert (conflict.theirs_change.author, conflict.theirs_change.commit_oid) == ("Ada Example", remote.head())
    gone = sync_pb2.GetConflictRequest(
        workspace_id=WORKSPACE, conflict_id=listed(world, whole_record=True).conflicts[0].id
    )
    assert world.sync.GetConflict(gone).conflict.theirs_change.commit_oid == remote.head()


def test_a_record_in_conflict_can_be_read_and_edited(world: SyncWorld) -> None:
    """Only its publication waits; the conflict shows the database's value as it is now."""
    world.edit("d", size=12, note="still here")
    assert world.get("d")["note"] == "still here"
    assert the(world, "d", "/size").ours == b"12"
    assert world.record("d").state == sync_pb2.SYNC_STATE_CONFLICT
    with pytest.raises(NeedsPersonError, match="'d' is in conflict"):
        world.reserve("p1", "d")
    settle(world, "ours", *(conflict.id for conflict in listed(world, record_id="d").conflicts))
    [reserved] = world.reserve("p1", "d")
    assert reserved.conflicts_settled == 3
    assert b'"size":12' in reserved.file_content


def test_both_sides_of_a_list_can_be_taken(world: SyncWorld) -> None:
    """The items of either, the database's first; a number has no both."""
    world.resolve(the(world, "d", "/tags"), "both")
    assert found(world, state="both") == [("d", "/tags")]
    assert world.get("d")["tags"] == ["x", "o", "t"]
    with pytest.raises(InvalidInputError, match="/size is not a list"):
        world.resolve(the(world, "d", "/size"), "both")
    assert the(world, "d", "/size").state == "open"


def test_many_are_settled_alike_after_a_count(world: SyncWorld) -> None:
    """The count settles nothing; when it is another meanwhile, nothing is settled either."""
    size = {"field": "/size", "collection": "things"}
    assert settle(world, "theirs", filter=size, count_only=True).matched == 3
    assert len(found(world, field="/size")) == 3
    world.resolve(the(world, "f", "/size"), "ours")
    with pytest.raises(MovedError, match="there are 2 such conflicts, not 3"):
        settle(world, "theirs", filter=size, expected_count=3)
    done = settle(world, "theirs", filter=size, expected_count=2)
    assert (done.matched, done.settled, list(done.unresolved)) == (2, 2, [])
    assert [world.get(record_id)["size"] for record_id in IDS] == [50, 50, 12]
    assert found(world, field="/size") == []
    rest = settle(world, "theirs", filter={})
    assert rest.settled == 5
    assert listed(world).total == 0
    assert "things/a" not in world.records()


def test_one_that_cannot_be_settled_so_stays_and_stops_no_other(world: SyncWorld) -> None:
    """A list takes both, a title does not: it is named with the reason."""
    done = settle(world, "both", filter={"record_id": "d"})
    assert (done.matched, done.settled) == (3, 1)
    assert {item.pointer for item in done.unresolved} == {"/size", "/title"}
    assert all("take ours" in item.message for item in done.unresolved)
    assert found(world, record_id="d") == [(i.record_id, i.pointer) for i in done.unresolved]
    broken = settle(world, "value", value=b"101", filter={"field": "/size"})
    assert (broken.settled, len(broken.unresolved)) == (0, 3)
    assert [world.get(record_id)["size"] for record_id in IDS] == [10, 11, 12]


def test_what_is_meant_has_to_be_said(world: SyncWorld) -> None:
    """Ids or a filter, a side or a value; and what is settled is not settled again."""
    first = the(world, "d", "/size")
    for wrong in (
        sync_pb2.ResolveConflictsRequest(workspace_id=WORKSPACE, take=sync_pb2.TAKE_OURS),
        sync_pb2.ResolveConflictsRequest(workspace_id=WORKSPACE, conflict_ids=[first.id]),
        sync_pb2.ResolveConflictsRequest(
            workspace_id=WORKSPACE, conflict_ids=[first.id], filter=sync_pb2.ConflictFilter(), take=sync_pb2.TAKE_OURS
        ),
        sync_pb2.ResolveConflictsRequest(
            workspace_id=WORKSPACE, filter=sync_pb2.ConflictFilter(state="ours"), take=sync_pb2.TAKE_THEIRS
        ),
        sync_pb2.ResolveConflictsRequest(
            workspace_id=WORKSPACE, conflict_ids=[first.id, first.id], take=sync_pb2.TAKE_OURS
        ),
    ):
        with pytest.raises(InvalidInputError):
            world.sync.ResolveConflicts(wrong)
    with pytest.raises(NotFoundError, match="no conflict 'nothing'"):
        settle(world, "ours", first.id, "nothing")
    assert first.id in {conflict.id for conflict in listed(world).conflicts}
    assert settle(world, "ours", first.id, request_id="r1") == settle(world, "ours", first.id, request_id="r1")


@pytest.mark.parametrize("take", ["ours", "theirs", "value"])
def test_a_resolution_can_be_taken_back(world: SyncWorld, take: str) -> None:
    """The field is what it was, the conflict open, and the record waits again; then it can be settled anew."""
    before = world.record("d")
    conflict = the(world, "d", "/size")
    world.resolve(conflict, take, b"77" if take == "value" else b"")
    other = the(world, "d", "/title")
    world.resolve(other, "theirs")
    opened = undo(world, conflict)
    assert (opened.conflict.state, opened.conflict.resolved_by, opened.conflict.ours) == ("open", "", b"10")
    assert world.get("d")["size"] == 10
    assert world.get("d")["title"] == "Theirs"
    assert opened.record.state == sync_pb2.SYNC_STATE_CONFLICT
    undo(world, other)
    assert world.record("d").content == before.content
    assert len(found(world, record_id="d")) == 3
    with pytest.raises(StateError, match="is open"):
        undo(world, conflict)
    world.resolve(conflict, "theirs")
    assert world.get("d")["size"] == 50


def test_the_authors_of_the_edit_come_back_with_it(world: SyncWorld) -> None:
    """All of a record is Git's after the resolution; taken back, the edit is its author's again."""
    everything = listed(world, record_id="d").conflicts
    settle(world, "theirs", *(conflict.id for conflict in everything))
    assert world.record("d").state == sync_pb2.SYNC_STATE_SYNCED
    for conflict in everything:
        request = sync_pb2.UndoResolutionRequest(workspace_id=WORKSPACE, conflict_id=conflict.id)
        world.stub_as(username="bob").UndoResolution(request)
    for conflict in everything:
        world.resolve(conflict, "ours")
    [reserved] = world.reserve("p1", "d")
    assert next(person.name for person in reserved.authors) == "Ada"


@pytest.mark.parametrize("take", ["ours", "theirs"])
def test_a_decision_about_a_whole_record_can_be_taken_back(world: SyncWorld, remote: Remote, take: str) -> None:
    """The record that went with its file is back with its edits, and Git still says that it is gone."""
    [conflict] = listed(world, whole_record=True).conflicts
    world.resolve(conflict, take)
    opened = undo(world, conflict)
    assert (opened.conflict.state, opened.conflict.theirs) == ("open", b"")
    assert world.get("a") == {"id": "a", "title": "Ant", "size": 30}
    remote.commit({"data/a.json": '{"id": "a", "title": "Back", "size": 3}'})
    world.pull()
    assert world.get("a") == {"id": "a", "title": "Back", "size": 30}


def test_a_deletion_that_was_given_up_can_be_taken_up_again(world: SyncWorld, remote: Remote) -> None:
    """Deleted here and changed there: Git's version was taken, and then not."""
    world.delete("b")
    remote.commit({"data/b.yaml": "id: b\ntitle: Wasp\n"})
    world.pull()
    conflict = the_whole(world, "b")
    world.resolve(conflict, "theirs")
    assert not world.record("b").deleted
    undo(world, conflict)
    assert world.record("b").deleted
    world.resolve(conflict, "ours")
    assert world.reserve("p1", "b")[0].delete


def test_an_edit_since_refuses_to_be_undone(world: SyncWorld) -> None:
    """Taking the resolution back would take the edit back; the answer names who edited."""
    conflict = the(world, "d", "/size")
    world.resolve(conflict, "theirs")
    world.edit("d", note="mine")
    with pytest.raises(StateError, match=r"edited since .*by ada"):
        undo(world, conflict)
    assert world.get("d")["size"] == 50


def test_a_publication_since_refuses_to_be_undone(world: SyncWorld, remote: Remote) -> None:
    """Open or merged; closed without merging it may be taken back again."""
    conflicts = {take: the(world, record_id, "/size") for take, record_id in (("ours", "d"), ("theirs", "e"))}
    for record_id in IDS:
        settle(world, "ours", filter={"record_id": record_id, "field": "/title"})
        settle(world, "theirs", filter={"record_id": record_id, "field": "/tags"})
    for take, conflict in conflicts.items():
        world.resolve(conflict, take)
    reserved = world.reserve("p1", "d", "e")
    for conflict in conflicts.values():
        with pytest.raises(StateError, match=r"published since \(publication p1\)"):
            undo(world, conflict)
    remote.commit({record.path.decode(): record.file_content for record in reserved})
    world.pull()
    with pytest.raises(LockstepError, match="publication p1"):
        undo(world, conflicts["theirs"])
    world.resolve(the(world, "f", "/size"), "theirs")
    closed = listed(world, record_id="f", state="theirs", field="/size").conflicts[0]
    world.reserve("p2", "f")
    world.release("p2")
    undo(world, closed)
    assert world.get("f")["size"] == 12


def test_what_git_moved_on_from_is_not_opened_again(world: SyncWorld, remote: Remote) -> None:
    """Git has come to the same value since: there is nothing left to dispute."""
    conflict = the(world, "d", "/size")
    world.resolve(conflict, "theirs")
    remote.commit({"data/d.json": '{"id": "d", "size": 10, "title": "Theirs", "tags": ["x", "t"]}'})
    world.pull()
    with pytest.raises(StateError, match="not in dispute any more"):
        undo(world, conflict)


def the_whole(world: SyncWorld, record_id: str) -> sync_pb2.Conflict:
    """Give the conflict of a whole record."""
    [conflict] = listed(world, record_id=record_id, whole_record=True).conflicts
    return conflict
