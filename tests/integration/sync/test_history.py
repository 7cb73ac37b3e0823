"""The history of a record, and going back in it; on both databases."""

from typing import Any

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError, MovedError, NotFoundError
from services.core.values import loads
from services.sync import history
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote


@pytest.fixture
def imported(world: SyncWorld, remote: Remote) -> SyncWorld:
    """Give services with three imported records."""
    world.attach(remote.url)
    world.collection()
    world.pull()
    return world


def versions(world: SyncWorld, record_id: str, size: int = 1000) -> list[sync_pb2.Revision]:
    """Give all versions of a record."""
    found: list[sync_pb2.Revision] = []
    token = ""
    while True:
        request = sync_pb2.ListRevisionsRequest(
            workspace_id=WORKSPACE, record_id=record_id, page_size=size, page_token=token
        )
        answer = world.sync.ListRevisions(request)
        found += answer.revisions
        token = answer.next_page_token
        if not token:
            return found


def changes(version: sync_pb2.Revision) -> dict[str, tuple[Any, Any]]:
    """Give the fields that a version changed, before and after; ... stands for nothing."""
    return {change.pointer: (_side(change.before), _side(change.after)) for change in version.changes}


def _side(text: bytes) -> Any:
    return loads(text) if text else ...


def restore(world: SyncWorld, record_id: str, revision: int, **options: Any) -> sync_pb2.Record:
    """Put a record back."""
    request = sync_pb2.RestoreRecordRequest(workspace_id=WORKSPACE, record_id=record_id, revision=revision, **options)
    return world.sync.RestoreRecord(request).record


def test_every_change_says_who_when_why_and_what(imported: SyncWorld, remote: Remote) -> None:
    """An edit, an import and a deletion are told apart, each with its fields before and after."""
    imported.edit("a", title="Antelope", legs=None)
    remote.commit({"data/a.json": '{\n  "id": "a",\n  "title": "Ant",\n  "size": 4\n}\n'})
    imported.pull()
    imported.delete("a")
    found = versions(imported, "a")
    assert [version.revision for version in found] == [4, 3, 2, 1]
    assert [version.author for version in found] == ["ada", "git", "ada", "git"]
    assert [found[0].reason, found[2].reason] == ["delete", "edit"]
    assert all(version.time > 0 for version in found)
    assert changes(found[0]) == {}
    assert changes(found[1]) == {"/size": (3, 4)}
    assert changes(found[2]) == {"/title": ("Ant", "Antelope"), "/legs": (..., None)}
    assert changes(found[3]) == {"/id": (..., "a"), "/title": (..., "Ant"), "/size": (..., 3)}
    assert [list(version.changed) for version in found] == [list(changes(version)) for version in found]


def test_pages_of_a_history_hold_each_version_once(imported: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a page, by number or by bytes, each version is shown with what it changed."""
    for number in range(6):
        imported.edit("a", size=number)
    whole = versions(imported, "a")
    assert [changes(version).get("/size") for version in whole[:3]] == [(4, 5), (3, 4), (2, 3)]
    assert versions(imported, "a", 2) == versions(imported, "a", 1) == whole
    monkeypatch.setattr(history, "_PAGE_BYTES", 1)
    assert versions(imported, "a") == whole


def test_going_back_is_a_new_version(imported: SyncWorld) -> None:
    """The content of the version is the newest one's; what was between stays in the history."""
    imported.edit("a", title="Antelope")
    imported.edit("a", title="Anteater", size=9)
    record = restore(imported, "a", 2)
    assert loads(record.content) == {"id": "a", "title": "Antelope", "size": 3}
    assert (record.revision, record.state) == (4, sync_pb2.SYNC_STATE_PENDING)
    assert [version.reason for version in versions(imported, "a")] == ["restore", "edit", "edit", "import"]
    back = restore(imported, "a", 1, expected_revision=4)
    assert back.state == sync_pb2.SYNC_STATE_SYNCED
    assert restore(imported, "a", 1).revision == 5
    assert not imported.status().pending


def test_a_deleted_record_comes_back(imported: SyncWorld, remote: Remote) -> None:
    """Whether it is deleted here only or on both sides, its history goes on."""
    imported.delete("a")
    assert restore(imported, "a", 1).state == sync_pb2.SYNC_STATE_SYNCED
    remote.commit({"data/b.yaml": None})
    imported.pull()
    assert [version.reason for version in versions(imported, "b")] == ["delete", "import"]
    record = restore(imported, "b", 1)
    assert (record.revision, record.state) == (3, sync_pb2.SYNC_STATE_PENDING)
    assert imported.get("b")["title"] == "Bee"
    assert [item.record_id for item in imported.reserve()] == ["b"]


def test_going_back_is_refused_with_the_reason(imported: SyncWorld) -> None:
    """A version that is not there, a record that moved, and a version that breaks today's schema."""
    with pytest.raises(NotFoundError, match="no revision 5"):
        restore(imported, "a", 5)
    with pytest.raises(NotFoundError, match="no record 'none'"):
        restore(imported, "none", 1)
    imported.edit("a", title="Antelope")
    with pytest.raises(MovedError):
        restore(imported, "a", 1, expected_revision=1)
    [collection] = imported.sync.ListCollections(sync_pb2.ListCollectionsRequest(workspace_id=WORKSPACE)).collections
    collection.schema = b'{"properties": {"title": {"minLength": 5}}}'
    imported.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=collection))
    with pytest.raises(InvalidInputError, match="title"):
        restore(imported, "a", 1)
    assert imported.get("a")["title"] == "Antelope"
