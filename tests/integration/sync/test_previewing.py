"""What a publication would set aside is what it then sets aside, and looking changes nothing."""

from typing import Any

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import ForbiddenError, MovedError, NeedsPersonError, NotFoundError, StateError
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote


@pytest.fixture
def imported(world: SyncWorld, remote: Remote) -> SyncWorld:
    """Give the services with the remote's records."""
    world.attach(remote.url)
    world.collection(new_path="{name}-{id}.json")
    world.pull()
    return world


def _preview(world: SyncWorld, *ids: str, service: str = "pr") -> list[sync_pb2.PreviewRecordsResponse]:
    request = sync_pb2.PreviewRecordsRequest(workspace_id=WORKSPACE, record_ids=ids)
    return list(world.stub_as(service=service).PreviewRecords(request))


def _rows(world: SyncWorld) -> Any:
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, with_content=True)
    return list(world.sync.ListRecords(request).records)


def test_a_preview_is_what_is_then_set_aside(imported: SyncWorld, remote: Remote) -> None:
    """Edited, added, deleted: same paths, revisions and texts; nothing has changed meanwhile."""
    world = imported
    world.edit("a", size=9)
    world.create("z", name="a-b")
    # A file came to be where the new record's would go.
    remote.commit({"data/a-b-z.json": '{"id": "other"}'})
    world.pull()
    world.delete("b")
    before = _rows(world)
    [first] = _preview(world)
    assert _preview(world) == [first]
    assert _rows(world) == before
    for shown in first.records:
        assert not shown.record.file_content
        shown.record.file_content = b""
    reserved = world.reserve()
    diffs = {shown.record.record_id: shown.diff for shown in first.records}
    assert b'-  "size": 3\n+  "size": 9\n' in diffs["a"]
    assert diffs["b"].startswith(b"--- a/data/b.yaml\n+++ /dev/null\n")
    for record in reserved:
        record.file_content = b""
    assert [shown.record for shown in first.records] == reserved
    assert {record.record_id: record.path for record in reserved}["z"] == b"data/a-b-z-2.json"


def test_a_reservation_is_held_to_its_plan(imported: SyncWorld) -> None:
    """Anything written since makes it refuse; asked again after it was made it gives the same answer."""
    world = imported
    world.edit("a", size=9)
    [first] = _preview(world)
    stub = world.stub_as(service="pr")
    request = sync_pb2.ReserveRecordsRequest(
        workspace_id=WORKSPACE, publication_id="p1", expected_revision=first.revision
    )
    world.edit("b", size=9)
    with pytest.raises(MovedError, match="plan again") as refused:
        list(stub.ReserveRecords(request))
    assert refused.value.reason == "PLAN_MOVED"
    assert not any(row.publication_id for row in _rows(world))
    request.expected_revision = _preview(world)[0].revision
    made = list(stub.ReserveRecords(request))
    assert made == list(stub.ReserveRecords(request))


def test_what_stays_pending_is_named_with_the_reason(imported: SyncWorld, remote: Remote) -> None:
    """In conflict, its file broken in Git, breaking a schema that came later."""
    world = imported
    for record in ("a", "b", "c"):
        world.edit(record, size=100)
    world.create("d", title=7, name="d")
    remote.commit(
        {
            "data/a.json": '{\n  "id": "a",\n  "title": "Ant",\n  "size": 4\n}\n',
            "data/b.yaml": "id: b\ntitle: [\n",
        }
    )
    world.pull()
    settings = sync_pb2.Collection(name="things", path="data", schema=b'{"properties": {"title": {"type": "string"}}}')
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings))
    world.pull()
    [found] = _preview(world)
    assert {one.record_id: one.why for one in found.left_out} == {"a": "conflict", "b": "quarantine", "d": "schema"}
    assert found.left_out_count == 3
    assert all(": " in one.message for one in found.left_out)
    assert [shown.record.record_id for shown in found.records] == ["c"]
    with pytest.raises(NeedsPersonError, match="is in conflict"):
        _preview(world, "a")


def test_long_diffs_are_cut_at_a_line(imported: SyncWorld) -> None:
    """A plan stays small, however much changes; what is cut says so."""
    world = imported
    world.edit("c", body="\n".join(f"line {number}" for number in range(60_000)))
    [found] = _preview(world)
    [shown] = found.records
    assert shown.diff_cut
    assert 200_000 < len(shown.diff) <= 256 * 1024
    assert shown.diff.endswith(b"\n")


def test_only_pr_may_ask_and_errors_are_those_of_publishing(imported: SyncWorld) -> None:
    """Nothing pending, an unknown record, a stranger."""
    with pytest.raises(StateError, match="nothing to publish"):
        _preview(imported)
    with pytest.raises(NotFoundError, match="no record 'x'"):
        _preview(imported, "x")
    with pytest.raises(ForbiddenError):
        _preview(imported, service="")
