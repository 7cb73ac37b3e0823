"""Edges at which an edit could get lost or a record stuck; most were found by ``test_model.py``."""

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import NeedsPersonError, StateError
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    world.attach(remote.url)
    world.collection(new_path="{id}.json")
    world.pull()


def changes(reserved: list[sync_pb2.ReservedRecord]) -> dict[str, bytes | None]:
    """Give the commit that a publication would make."""
    return {r.path.decode(): None if r.delete else r.file_content for r in reserved}


def test_an_edit_back_to_the_base_survives_the_merge_of_the_proposal(world: SyncWorld, remote: Remote) -> None:
    """What was proposed lands; that the person took it back meanwhile is an edit on top."""
    world.edit("a", size=30)
    reserved = world.reserve()
    world.edit("a", size=3)
    remote.commit(changes(reserved))
    world.pull()
    assert world.reservations() == {"a": True}
    assert world.conflicts() == []
    assert world.get("a")["size"] == 3
    assert world.status().pending == 1


def test_edits_after_a_proposal_stay_where_only_a_part_of_it_lands(world: SyncWorld, remote: Remote) -> None:
    """Each field that landed is taken as agreed, also when the rest of the proposal is not there."""
    world.edit("a", size=30, title="Ants")
    world.reserve()
    world.edit("a", size=31)
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 30}\n'})
    world.pull()
    assert world.conflicts() == []
    assert world.get("a") == {"id": "a", "title": "Ants", "size": 31}
    assert world.reservations() == {"a": False}


def test_a_record_deleted_after_it_was_proposed(world: SyncWorld, remote: Remote) -> None:
    """The proposal lands and counts as merged; the deletion stays pending, without a dispute."""
    world.edit("a", size=30)
    world.create("n", title="New")
    reserved = world.reserve()
    world.delete("a")
    world.delete("n")
    remote.commit(changes(reserved))
    world.pull()
    assert world.reservations() == {"a": True, "n": True}
    assert world.conflicts() == []
    remote.commit(changes(world.reserve("p2")))
    world.pull()
    assert set(world.records()) == {"things/b", "things/c"}
    assert world.status().in_sync


def test_a_new_record_deleted_while_proposed_goes_with_the_proposal(world: SyncWorld) -> None:
    """A deletion of what was never in Git has nothing to be published."""
    world.create("n", title="New")
    world.reserve()
    world.delete("n")
    world.release()
    assert world.status().in_sync


def test_a_deleted_record_can_be_added_again(world: SyncWorld, remote: Remote) -> None:
    """Before its deletion is in Git, while it is proposed, and after."""
    world.delete("a")
    world.create("a", title="Ant", size=3)
    assert world.status().in_sync
    world.delete("a")
    reserved = world.reserve()
    world.create("a", title="Ant", size=3)
    remote.commit(changes(reserved))
    world.pull()
    assert world.reservations() == {"a": True}
    assert world.conflicts() == []
    remote.commit(changes(world.reserve("p2")))
    world.pull()
    assert world.get("a")["size"] == 3
    assert world.status().in_sync


def test_a_conflict_says_what_git_says_now(world: SyncWorld, remote: Remote) -> None:
    """Taking Git's side never brings back what Git had at an earlier import."""
    world.edit("a", title="Ants", size=30)
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 31}\n'})
    world.pull()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 30}\n'})
    world.pull()
    assert world.conflicts() == []
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 33}\n'})
    world.edit("a", size=32)
    world.pull()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 30}\n'})
    world.pull()
    assert world.conflicts() == []
    assert world.get("a") == {"id": "a", "title": "Ants", "size": 32}


def test_a_file_that_comes_back_ends_the_question_of_its_deletion(world: SyncWorld, remote: Remote) -> None:
    """Edits and removals are merged as if the file had never been away; nobody can drop the record by then."""
    before = remote.read("data/a.json")
    world.edit("a", size=30)
    world.sync.UpdateRecord(
        sync_pb2.UpdateRecordRequest(
            workspace_id=WORKSPACE, record_id="a", edits=[sync_pb2.FieldEdit(pointer="/title")]
        )
    )
    remote.commit({"data/a.json": None})
    world.pull()
    remote.commit({"data/a.json": before})
    world.pull()
    assert world.conflicts() == []
    assert world.get("a") == {"id": "a", "size": 30}
    assert world.reserve()[0].changed == ["/size", "/title"]


def test_accepting_a_deletion_settles_the_fields_too(world: SyncWorld, remote: Remote) -> None:
    """A record in conflict whose file goes has one question left, and none after it is answered."""
    world.edit("a", size=30)
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 31}\n'})
    world.pull()
    remote.commit({"data/a.json": None})
    world.pull()
    [conflict] = world.conflicts()
    world.resolve(conflict, "theirs")
    assert world.status().in_sync


def test_deleting_a_record_in_conflict_leaves_no_conflict(world: SyncWorld, remote: Remote) -> None:
    """Settling a field must not bring a deleted record back."""
    world.edit("a", size=30)
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 31}\n'})
    world.pull()
    world.delete("a")
    assert world.conflicts() == []
    remote.commit(changes(world.reserve()))
    world.pull()
    assert world.status().in_sync


def test_reformatting_a_deleted_records_file_is_no_conflict(world: SyncWorld, remote: Remote) -> None:
    """Nothing that a person could lose changed in Git."""
    world.delete("a")
    remote.commit({"data/a.json": '{"id":"a","title":"Ant","size":3}'})
    world.pull()
    assert world.conflicts() == []


def test_a_broken_file_that_goes_leaves_its_edits_publishable(world: SyncWorld, remote: Remote) -> None:
    """The record is no longer held back by a file that is not there."""
    world.edit("a", size=30)
    remote.commit({"data/a.json": "{ broken"})
    world.pull()
    with pytest.raises(StateError):
        world.reserve("p0", "a")
    remote.commit({"data/a.json": None})
    world.pull()
    world.resolve(world.conflicts()[0], "ours")
    remote.commit(changes(world.reserve()))
    world.pull()
    assert world.status().in_sync


@pytest.mark.parametrize("taken", ['{"id": "m", "title": "Moth"}\n', "{ broken"])
def test_a_new_record_never_overwrites_a_file(world: SyncWorld, remote: Remote, taken: str) -> None:
    """Somebody's file came to be where it would go: it gets another name."""
    world.create("n", title="New")
    remote.commit({"data/n.json": taken})
    world.pull()
    [reserved] = world.reserve()
    assert reserved.path == b"data/n-2.json"
    remote.commit(changes([reserved]))
    world.pull()
    assert remote.read("data/n.json") == taken.encode()
    assert world.status().pending == world.status().proposed == 0
    assert world.get("n") == {"id": "n", "title": "New"}


def test_a_record_whose_file_became_another_record(world: SyncWorld, remote: Remote) -> None:
    """Its edits wait as a conflict; kept, it goes to a file of its own."""
    world.edit("b", size=40)
    remote.commit({"data/b.yaml": "id: z\ntitle: Zebra\n"})
    world.pull()
    world.resolve(world.conflicts()[0], "ours")
    remote.commit(changes(world.reserve()))
    world.pull()
    assert world.get("z")["title"] == "Zebra"
    assert world.get("b")["size"] == 40
    assert world.status().in_sync


@pytest.mark.parametrize(("rule", "record_id"), [(sync_pb2.ID_RULE_PATH, "n.json"), (sync_pb2.ID_RULE_STEM, "n")])
def test_a_new_record_has_the_id_that_its_file_will_have(
    world: SyncWorld, remote: Remote, rule: sync_pb2.IdRule.ValueType, record_id: str
) -> None:
    """Published and merged it is the same record, not a second one."""
    remote.commit({"other/x.json": '{"title": "X"}\n'})
    world.collection("other", "others", id_rule=rule, new_path="{id}.json")
    world.pull()
    request = sync_pb2.CreateRecordRequest(
        workspace_id=WORKSPACE, collection="others", record_id="n", content=b'{"title": "New"}'
    )
    assert world.sync.CreateRecord(request).record.id == record_id
    remote.commit(changes(world.reserve()))
    world.pull()
    assert world.reservations() == {record_id: True}
    assert world.status().in_sync


def test_another_id_rule_keeps_records_and_their_edits(world: SyncWorld, remote: Remote) -> None:
    """The files are the same, so the records are, under new ids."""
    remote.commit({"data/old name.json": '{"id": "k", "size": 1}\n'})
    world.pull()
    world.edit("k", size=2)
    settings = sync_pb2.Collection(name="things", path="data", id_rule=sync_pb2.ID_RULE_STEM, new_path="{id}.json")
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings))
    world.pull()
    assert world.get("old name") == {"id": "k", "size": 2}
    assert world.record("old name").title == "old name"
    assert world.conflicts() == []
    assert world.status().pending == 1


def test_one_record_that_cannot_be_published_stops_no_other(world: SyncWorld) -> None:
    """It stays pending, and asked for by name it says why."""
    world.edit("a", size=30)
    world.edit("b", title="Bees")
    settings = sync_pb2.Collection(
        name="things", path="data", new_path="{id}.json", schema=b'{"properties": {"size": {"maximum": 10}}}'
    )
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings))
    world.pull()
    assert [r.record_id for r in world.reserve()] == ["b"]
    with pytest.raises(Exception, match="schema"):
        world.reserve("p2", "a")
    assert world.status().pending == 1


def test_git_changing_a_record_that_is_deleted_here_still_asks(world: SyncWorld, remote: Remote) -> None:
    """And it cannot be added again past that question."""
    world.delete("a")
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 31}\n'})
    world.pull()
    with pytest.raises(StateError, match="changed in Git"):
        world.create("a", title="Mine")
    with pytest.raises(NeedsPersonError):
        world.reserve()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 3}\n'})
    world.pull()
    assert world.conflicts() == []
    assert world.status().pending == 1
