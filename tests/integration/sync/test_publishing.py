"""What a publication takes along, and how its records are recognised as merged."""

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import StateError
from tests.integration.sync.world import SyncWorld
from tests.remote import Remote


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    world.attach(remote.url)
    world.collection()
    world.pull()


def changes(reserved: list[sync_pb2.ReservedRecord]) -> dict[str, bytes | None]:
    """Give the commit that a publication would make."""
    return {r.path.decode(): None if r.delete else r.file_content for r in reserved}


def test_reserving_is_once_and_only_what_is_pending(world: SyncWorld) -> None:
    """Asked again with the same publication the answer is the same, whatever was edited meanwhile."""
    world.edit("a", size=30)
    first = world.reserve("p1")
    world.edit("a", size=31)
    world.edit("b", size=41)
    assert world.reserve("p1") == first
    assert [r.record_id for r in first] == ["a"]
    with pytest.raises(StateError, match="p1"):
        world.reserve("p2", "a")
    assert [r.record_id for r in world.reserve("p2")] == ["b"]


def test_only_the_changed_lines_change(world: SyncWorld, remote: Remote) -> None:
    """The published file differs from Git's in the lines of the edited field alone."""
    world.edit("b", title="Wasp")
    [reserved] = world.reserve()
    assert reserved.file_content == b"id: b\ntitle: Wasp  # a comment\nsize: 4\n"
    world.edit("c", body="Likes milk.")
    [reserved] = world.reserve("p2")
    assert reserved.file_content == remote.read("data/sub/c.md").replace(b"fish", b"milk")


def test_merged_is_when_the_target_holds_the_content(world: SyncWorld, remote: Remote) -> None:
    """However it got there: here by hand, with other formatting, and with a reviewer's own field."""
    world.edit("a", size=30)
    world.edit("b", size=40)
    world.create("d", title="Dog")
    world.delete("c")
    reserved = world.reserve()
    assert world.status().proposed == 4
    remote.commit({"data/a.json": '{"id":"a","title":"Ant","size":30,"seen":true}'})
    world.pull()
    assert world.reservations() == {"a": True, "b": False, "c": False, "d": False}
    assert world.status().proposed == 3
    rest = {path: content for path, content in changes(reserved).items() if path != "data/a.json"}
    remote.commit(rest)
    world.pull()
    assert all(world.reservations().values())
    assert world.status().in_sync
    assert set(world.records()) == {"things/a", "things/b", "things/d"}


def test_edits_after_the_proposal_stay_pending_without_a_conflict(world: SyncWorld, remote: Remote) -> None:
    """A field edited again while proposed is an edit on top, not a dispute with its own merge."""
    world.edit("a", size=30)
    reserved = world.reserve()
    world.edit("a", size=31)
    remote.commit(changes(reserved))
    world.pull()
    assert world.reservations() == {"a": True}
    assert world.conflicts() == []
    assert world.get("a")["size"] == 31
    assert world.status().pending == 1


def test_a_new_record_looks_like_its_neighbours(world: SyncWorld, remote: Remote) -> None:
    """Where the collection has no template, a new file has the format of the newest one."""
    assert world.create("d", title="Dog").path == b"data/d.md"
    remote.commit({"data/e.yaml": "id: e\ntitle: Elk\n"})
    world.pull()
    assert world.create("f", title="Fox").path == b"data/f.yaml"


def test_a_closed_proposal_gives_its_records_back(world: SyncWorld) -> None:
    """Released records are pending again with everything that was edited."""
    world.edit("a", size=30)
    world.reserve()
    assert world.status().pending == 0
    assert world.release() == 1
    assert world.status().pending == 1
    assert world.get("a")["size"] == 30


def test_a_reverted_merge_is_seen(world: SyncWorld, remote: Remote) -> None:
    """After a revert in Git the record follows Git: the edit was published and taken back there."""
    before = remote.read("data/a.json")
    world.edit("a", size=30)
    remote.commit(changes(world.reserve()))
    world.pull()
    remote.commit({"data/a.json": before})
    world.pull()
    assert world.get("a")["size"] == 3
    assert world.status().in_sync


def test_deleted_records_do_not_come_back(world: SyncWorld, remote: Remote) -> None:
    """A deletion that is published and merged stays one, also when the file is touched elsewhere."""
    world.delete("a")
    [reserved] = world.reserve()
    assert reserved.delete
    remote.commit(changes([reserved]))
    world.pull()
    assert world.status().in_sync
    remote.commit({"data/b.yaml": "id: b\ntitle: Bee\nsize: 5\n"})
    world.pull()
    assert set(world.records()) == {"things/b", "things/c"}


def test_nothing_pending_is_nothing_to_publish(world: SyncWorld) -> None:
    """Publishing nothing is an error with a remedy, and reserves nothing."""
    with pytest.raises(StateError, match="nothing to publish"):
        world.reserve()
    with pytest.raises(StateError, match="as in Git"):
        world.reserve("p1", "a")
