"""Tombstones, renames and the brake: what goes in Git, and what only seems to go."""

import json
from typing import Any

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError, NeedsPersonError, NotFoundError
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote

CAT = {"title": "Cat", "size": 5, "food": "fish", "place": {"town": "Ayr"}}
RULES = [sync_pb2.ID_RULE_FIELD, sync_pb2.ID_RULE_STEM, sync_pb2.ID_RULE_PATH]
FORMATS = ["json", "yaml", "md", "toml"]


def _text(suffix: str, value: dict[str, Any], record_id: str = "") -> str:
    """Write a record by hand, with its id where there is one."""
    value = {**({"id": record_id} if record_id else {}), **value}
    if suffix == "json":
        return json.dumps(value, indent=2) + "\n"
    if suffix == "toml":
        place = value.pop("place")
        rows = [f"{key} = {json.dumps(item)}" for key, item in value.items()]
        return "\n".join([*rows, "[place]", *(f"{key} = {json.dumps(item)}" for key, item in place.items())]) + "\n"
    place = value.pop("place")
    rows = [*(f"{key}: {item}" for key, item in value.items()), "place:", f"  town: {place['town']}"]
    return "---\n" + "\n".join(rows) + "\n---\n" if suffix == "md" else "\n".join(rows) + "\n"


def _revisions(world: SyncWorld, record_id: str) -> list[tuple[int, str]]:
    request = sync_pb2.ListRevisionsRequest(workspace_id=WORKSPACE, record_id=record_id)
    return [(found.revision, found.reason) for found in world.sync.ListRevisions(request).revisions]


def _only(world: SyncWorld) -> sync_pb2.Record:
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, with_content=True)
    [found] = world.sync.ListRecords(request).records
    return found


def _begin(world: SyncWorld, remote: Remote, rule: sync_pb2.IdRule.ValueType, text: str, **settings: Any) -> None:
    remote.commit({**dict.fromkeys(remote.files()), "README.md": "#\n", "data/cat.json": text})
    world.attach(remote.url)
    world.collection(id_rule=rule, **settings)
    world.pull()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("target", ["data/cat.yaml", "data/cat.md", "data/old/cat.toml", "data/lion.json"])
@pytest.mark.parametrize("changed", [False, True])
def test_a_rename_keeps_history_and_edits(
    world: SyncWorld,
    remote: Remote,
    rule: sync_pb2.IdRule.ValueType,
    target: str,
    changed: bool,  # noqa: FBT001  a parameter
) -> None:
    """Another name, folder or format, with or without a change in the same commit, while an edit is pending."""
    record_id = "cat" if rule == sync_pb2.ID_RULE_FIELD else ""
    _begin(world, remote, rule, _text("json", CAT, record_id))
    world.edit(_only(world).id, size=6)
    after = {**CAT, "food": "mice"} if changed else CAT
    suffix = target.rpartition(".")[2]
    remote.commit({"data/cat.json": None, target: _text(suffix, after, record_id)})
    run = world.pull()
    assert (run.counts.renamed, run.counts.deleted, run.counts.imported, run.counts.conflicts) == (1, 0, 0, 0)
    found = _only(world)
    assert found.path.decode() == target
    assert found.state == sync_pb2.SYNC_STATE_PENDING
    content = json.loads(found.content)
    content.pop("id", None)
    assert content == {**after, "size": 6}
    if record_id:
        assert found.id == record_id
    # Its whole history is still its own.
    reasons = [reason for _, reason in _revisions(world, found.id)]
    assert {"edit", "import"} <= set(reasons)
    # What is published is the edit, in the new file's own format.
    [reserved] = world.reserve()
    assert (reserved.path.decode(), list(reserved.changed)) == (target, ["/size"])
    assert not reserved.create


@pytest.mark.parametrize("rule", RULES)
def test_a_folder_that_is_renamed_takes_its_records_along(
    world: SyncWorld, remote: Remote, rule: sync_pb2.IdRule.ValueType
) -> None:
    """All records, the edited ones too, and nothing looks deleted to the brake."""
    names = [f"r{number:02}" for number in range(30)]
    old = {f"data/in/{name}.json": _text("json", {**CAT, "title": name}, name) for name in names}
    remote.commit({**dict.fromkeys(remote.files()), **old})
    world.attach(remote.url)
    world.collection(id_rule=rule)
    world.pull()
    ids = {record.title: record.id for record in _all(world)}
    world.edit(ids["r07"], size=7)
    yaml = {f"data/out/{name}.yaml": _text("yaml", {**CAT, "title": name}, name) for name in names}
    remote.commit({**dict.fromkeys(old), **yaml})
    run = world.pull()
    assert (run.counts.renamed, run.counts.deleted, run.counts.imported) == (30, 0, 0)
    found = {record.title: record for record in _all(world)}
    assert {record.path.decode() for record in found.values()} == set(yaml)
    assert [title for title, record in found.items() if record.state == sync_pb2.SYNC_STATE_PENDING] == ["r07"]


def _all(world: SyncWorld) -> list[sync_pb2.Record]:
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, with_content=True)
    return list(world.sync.ListRecords(request).records)


def test_a_folder_and_the_collection_move_together(world: SyncWorld, remote: Remote) -> None:
    """Where the collection's own folder is renamed, the setting follows it: the records stay, edits too."""
    _begin(world, remote, sync_pb2.ID_RULE_PATH, _text("json", CAT))
    world.edit("cat.json", size=6)
    remote.commit({"data/cat.json": None, "animals/cat.json": _text("json", CAT)})
    settings = sync_pb2.Collection(name="things", path="animals", id_rule=sync_pb2.ID_RULE_PATH)
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings))
    run = world.pull()
    assert (run.counts.renamed, run.counts.deleted) == (1, 0)
    found = _only(world)
    assert (found.path, found.state) == (b"animals/cat.json", sync_pb2.SYNC_STATE_PENDING)


def test_what_is_not_alike_is_not_taken_for_a_rename(world: SyncWorld, remote: Remote) -> None:
    """One record goes and another comes: the old one leaves a tombstone, which it comes back from."""
    _begin(world, remote, sync_pb2.ID_RULE_STEM, _text("json", CAT))
    other = {"title": "Fire", "size": 1, "food": "wood", "place": {"town": "Rye"}}
    remote.commit({"data/cat.json": None, "data/fire.yaml": _text("yaml", other)})
    run = world.pull()
    assert (run.counts.renamed, run.counts.deleted, run.counts.imported) == (0, 1, 1)
    with pytest.raises(NotFoundError):
        world.get("cat")
    remote.commit({"data/cat.json": _text("json", CAT)})
    world.pull()
    assert len(_revisions(world, "cat")) > 1


def _many(remote: Remote, count: int, **more: str | None) -> dict[str, str]:
    files = {f"data/n{number:03}.json": f'{{"id": "n{number:03}"}}' for number in range(count)}
    remote.commit({**dict.fromkeys(remote.files()), **files, **more})
    return files


@pytest.mark.parametrize(
    ("count", "going", "brake", "stops"),
    [
        (50, 11, None, True),
        (50, 10, None, False),
        # Below ten deletions the share says nothing: two of five records is everyday work.
        (5, 2, None, False),
        (600, 101, None, True),
        (600, 100, None, False),
        (40, 30, (100, 80), False),
        (40, 33, (100, 80), True),
        (40, 4, (3, 100), True),
        (40, 3, (3, 100), False),
        (40, 1, (0, 100), True),
        (40, 40, (1000, 100), False),
    ],
)
def test_the_brake_is_set_per_collection(
    world: SyncWorld,
    remote: Remote,
    count: int,
    going: int,
    brake: tuple[int, int] | None,
    stops: bool,  # noqa: FBT001  a parameter
) -> None:
    """More than 20 % or 100 records, or what the collection says: until a person confirms, nothing goes."""
    files = _many(remote, count)
    world.attach(remote.url)
    world.collection(brake=sync_pb2.Brake(records=brake[0], percent=brake[1]) if brake else None)
    world.pull()
    remote.commit({**dict.fromkeys(sorted(files)[:going]), "README.md": "#\n", "data/README.md": "# Data\n"})
    if stops:
        with pytest.raises(NeedsPersonError, match=f"would delete {going} of the {count} records") as stopped:
            world.pull()
        assert (stopped.value.why, len(stopped.value.ids)) == ("brake", min(going, 100))
        assert len(world.records()) == count
    assert world.pull(confirm_deletes=stops).counts.deleted == going
    assert len(world.records()) == count - going


def test_a_brake_that_means_nothing_is_refused(world: SyncWorld, remote: Remote) -> None:
    """Named with what to give instead; what is stored is what is shown."""
    world.attach(remote.url)
    with pytest.raises(InvalidInputError, match="percent from 0 to 100"):
        world.collection(brake=sync_pb2.Brake(percent=101))
    world.collection(brake=sync_pb2.Brake(records=0))
    [found] = world.sync.ListCollections(sync_pb2.ListCollectionsRequest(workspace_id=WORKSPACE)).collections
    assert (found.brake.records, found.brake.percent) == (0, 20)
