"""NUL and halves of surrogate pairs: PostgreSQL stores neither in a text. Nothing crashes, nothing is lost."""

import json

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError, LockstepError, NotFoundError
from tests.integration.sync.test_selection import ids
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote

NUL = "one\0two"


def test_texts_and_keys_with_nul_travel_both_ways(world: SyncWorld, remote: Remote) -> None:
    """A record may hold NUL in its texts and in its keys: it is imported, searched, edited, merged and published."""
    value = {"id": "n", "title": NUL, "k\0ey": 1, "list": [NUL]}
    remote.commit({"data/n.json": json.dumps(value)})
    world.attach(remote.url)
    world.collection()
    world.pull()
    assert world.get("n") == value
    assert world.record("n").title == "one two"
    assert ids(world, query="two", where=["list.0 exists"]) == ["n"]
    assert ids(world, sort="title", where=["title contains one"]) == ["n"]
    world.edit("n", title="mine\0", size=1)
    theirs = {**value, "title": "theirs\0", "k\0ey": 2}
    remote.commit({"data/n.json": json.dumps(theirs)})
    world.pull()
    [conflict] = world.conflicts()
    world.resolve(conflict, "theirs")
    assert world.get("n") == {**theirs, "size": 1}
    [reserved] = world.reserve()
    assert json.loads(reserved.file_content) == {**theirs, "size": 1}


def test_a_conflict_about_a_key_with_nul_can_be_settled(world: SyncWorld, remote: Remote) -> None:
    """The pointer of the field holds NUL, and the conflict is listed and settled like any other."""
    remote.commit({"data/n.json": '{"id": "n", "k\\u0000ey": 1}'})
    world.attach(remote.url)
    world.collection()
    world.pull()
    world.edit("n", **{"k\0ey": 2})
    remote.commit({"data/n.json": '{"id": "n", "k\\u0000ey": 3}'})
    world.pull()
    [conflict] = world.conflicts()
    world.resolve(conflict, "theirs")
    assert world.get("n") == {"id": "n", "k\0ey": 3}


def test_a_file_whose_fault_shows_nul_goes_to_quarantine(world: SyncWorld, remote: Remote) -> None:
    """What the schema says of a text with NUL is kept and shown; ids and names with NUL are refused by name."""
    schema = b'{"properties": {"code": {"maxLength": 2}}, "patternProperties": {"^k": {"type": "string"}}}'
    remote.commit(
        {
            "data/long.json": json.dumps({"id": "long", "code": NUL}),
            "data/key.json": json.dumps({"id": "key", "k\0ey": 1}),
            "data/id.json": json.dumps({"id": NUL}),
            "data/half.json": '{"id": "half", "t": "\\ud800"}',
        }
    )
    world.attach(remote.url)
    world.collection(schema=schema)
    world.pull()
    rules = {bytes(file.path): file.rule for file in world.quarantine()}
    assert set(rules) == {b"data/long.json", b"data/key.json", b"data/id.json", b"data/half.json"}
    assert len(ids(world)) == 3


@pytest.mark.parametrize("odd", ["\0", "a\0b"])
def test_names_with_nul_are_not_found_or_refused(world: SyncWorld, odd: str) -> None:
    """Whatever a request names with NUL in it ends in one clear line."""
    world.collection()
    with pytest.raises((InvalidInputError, NotFoundError)):
        world.sync.GetRecord(sync_pb2.GetRecordRequest(workspace_id=WORKSPACE, record_id=odd))
    with pytest.raises((InvalidInputError, NotFoundError)):
        world.sync.ListRecords(sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, collection=odd))
    with pytest.raises((InvalidInputError, NotFoundError)):
        world.sync.ListRevisions(sync_pb2.ListRevisionsRequest(workspace_id=WORKSPACE, record_id=odd))
    with pytest.raises(LockstepError) as refused:
        world.create(odd, title="x")
    assert "nobody foresaw" not in str(refused.value)
