"""A schema that lives in the repository: read with the import, pinned by its blob, followed when it changes."""

from pathlib import Path

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError, StateError
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote

SIZED = '{"type": "object", "properties": {"size": {"type": "integer"}}}\n'
NAMED = "type: object\nrequired: [title]\nproperties:\n  size: {maximum: 10}\n"
FILES = {
    "schema/thing.json": SIZED,
    "data/a.json": '{"id": "a", "size": 3}\n',
    "data/b.json": '{"id": "b", "size": "large"}\n',
    "data/c.json": '{"id": "c", "size": 30, "title": "Cat"}\n',
}


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """Give a remote with its own schema."""
    return Remote.create(tmp_path / "remote.git", FILES)


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    world.attach(remote.url)
    world.collection(schema_path="schema/thing.json")


def collection(world: SyncWorld) -> sync_pb2.Collection:
    """Give the collection as it is stored."""
    request = sync_pb2.ListCollectionsRequest(workspace_id=WORKSPACE)
    return world.sync.ListCollections(request).collections[0]


def quarantined(world: SyncWorld) -> list[str]:
    """Give the paths in quarantine."""
    return [file.path.decode() for file in world.quarantine()]


def test_the_schema_of_the_imported_commit_counts(world: SyncWorld, remote: Remote) -> None:
    """For files and for edits; its blob is shown."""
    assert collection(world).schema_blob == ""
    run = world.pull()
    assert list(run.notes) == []
    assert quarantined(world) == ["data/b.json"]
    assert collection(world).schema_blob == remote.git("rev-parse", "main:schema/thing.json")
    with pytest.raises(InvalidInputError, match="breaks its schema at /size"):
        world.edit("a", size="small")


def test_a_new_schema_checks_all_files_again(world: SyncWorld, remote: Remote) -> None:
    """Also those that did not change; a pull that only plans says so and pins nothing."""
    world.pull()
    before = collection(world)
    remote.commit({"schema/thing.json": '{"type": "object", "required": ["title"], "properties": {}}'})
    plan = world.pull(plan=True)
    assert (plan.counts.quarantined, collection(world)) == (2, before)
    assert "schema/thing.json" in plan.notes[0]
    run = world.pull()
    assert list(run.notes) == [
        "the schema 'schema/thing.json' of collection 'things' has changed: all its files were checked again"
    ]
    listed = world.sync.ListRuns(sync_pb2.ListRunsRequest(workspace_id=WORKSPACE)).runs[0]
    assert listed.notes == run.notes
    assert quarantined(world) == ["data/a.json", "data/b.json"]
    assert world.record("a").file_quarantined
    remote.commit({"schema/thing.json": "{}"})
    world.pull()
    assert quarantined(world) == []
    assert world.get("b")["size"] == "large"


def test_a_schema_that_breaks_stops_nothing(world: SyncWorld, remote: Remote) -> None:
    """Gone or no schema: the pinned one stays, the records come in, and the run says why."""
    world.pull()
    pinned = collection(world)
    remote.commit({"schema/thing.json": '{"type": 7}', "data/d.json": '{"id": "d", "size": "x"}\n'})
    run = world.pull()
    assert "the one before stays" in run.notes[0]
    remote.commit({"schema/thing.json": None, "data/e.json": '{"id": "e"}\n'})
    assert "the one before stays" in world.pull().notes[0]
    assert collection(world) == pinned
    assert quarantined(world) == ["data/b.json", "data/d.json"]
    assert world.get("e") == {"id": "e"}


def test_a_schema_that_never_was_is_refused(world: SyncWorld, remote: Remote) -> None:
    """Nothing is imported without the schema that was asked for."""
    settings = sync_pb2.Collection(name="things", path="data", schema_path="schema/none.json")
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings))
    with pytest.raises(StateError, match=r"schema/none\.json.*change schema_path") as refused:
        world.pull()
    assert refused.value.reason == "NO_SCHEMA"
    assert world.records() == {}
    remote.commit({"schema/none.json": NAMED})
    with pytest.raises(StateError, match="cannot be used"):
        world.pull()


def test_a_schema_may_be_yaml(world: SyncWorld, remote: Remote) -> None:
    """By its name; another path in the settings counts from the next import on."""
    world.pull()
    remote.commit({"schema/thing.yaml": NAMED})
    settings = sync_pb2.Collection(name="things", path="data", schema_path="schema/thing.yaml")
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings))
    world.pull()
    assert quarantined(world) == ["data/a.json", "data/b.json", "data/c.json"]


def test_settings_keep_what_is_pinned(world: SyncWorld) -> None:
    """A change of other settings does not forget the schema; a schema in both places is refused."""
    world.pull()
    pinned = collection(world)
    again = sync_pb2.Collection()
    again.CopyFrom(pinned)
    again.review_required = True
    request = sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=again)
    assert world.sync.UpdateCollection(request).collection.schema_blob == pinned.schema_blob
    again.schema = b"{}"
    request = sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=again)
    with pytest.raises(InvalidInputError, match="give either schema or schema_path"):
        world.sync.UpdateCollection(request)
    again.schema, again.schema_path = b"", "../thing.json"
    request = sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=again)
    with pytest.raises(InvalidInputError):
        world.sync.UpdateCollection(request)
