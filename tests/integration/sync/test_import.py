"""Imports: what changed in Git lands, what is pending stays, one bad file stops nothing."""

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import NeedsPersonError, StateError
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    world.attach(remote.url)
    world.collection()


def test_records_of_three_formats_land(world: SyncWorld, remote: Remote) -> None:
    """Every file is a record or excluded, and database and Git are in sync."""
    assert world.counts() == {"files": 4, "imported": 3, "excluded": 1}
    assert world.get("c") == {"id": "c", "title": "Cat", "size": 5, "body": "Likes fish."}
    status = world.status()
    assert status.in_sync
    assert status.imported_commit == status.remote_commit == remote.head()
    assert world.counts() == {}


def test_a_plan_says_what_would_land_and_lands_nothing(world: SyncWorld) -> None:
    """Planning writes nothing, not even a run."""
    assert world.counts(plan=True)["imported"] == 3
    assert world.records() == {}
    assert not world.status().imported_commit


def test_edits_in_git_and_in_the_database_meet(world: SyncWorld, remote: Remote) -> None:
    """Fields that only one side changed merge by themselves; the rest become conflicts, ours kept."""
    world.pull()
    world.edit("a", title="Ant, edited", size=30)
    remote.commit({"data/a.json": '{\n  "id": "a",\n  "title": "Ant",\n  "size": 31,\n  "legs": 6\n}\n'})
    assert world.counts() == {"files": 1, "updated": 1, "conflicts": 1}
    assert world.get("a") == {"id": "a", "title": "Ant, edited", "size": 30, "legs": 6}
    [conflict] = world.conflicts()
    assert (conflict.pointer, conflict.base, conflict.ours, conflict.theirs) == ("/size", b"3", b"30", b"31")
    assert not world.status().in_sync
    with pytest.raises(NeedsPersonError):
        world.reserve("p1", "a")
    world.resolve(conflict, "theirs")
    assert world.get("a")["size"] == 31
    assert world.conflicts() == []
    assert world.reserve("p1")[0].changed == ["/title"]


def test_a_conflict_that_git_takes_back_settles_by_itself(world: SyncWorld, remote: Remote) -> None:
    """When Git comes to hold what the database says, nobody has to settle anything."""
    world.pull()
    world.edit("a", size=30)
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 31}\n'})
    world.pull()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 30}\n'})
    world.pull()
    assert world.conflicts() == []
    assert world.status().in_sync


def test_deletions_travel_and_spare_pending_edits(world: SyncWorld, remote: Remote) -> None:
    """A deleted file takes its record along, unless the record has edits: then a person decides."""
    world.pull()
    world.edit("a", size=30)
    remote.commit({"data/a.json": None, "data/b.yaml": None})
    assert world.counts() == {"files": 2, "deleted": 1, "conflicts": 1}
    assert set(world.records()) == {"things/a", "things/c"}
    [conflict] = world.conflicts()
    assert (conflict.pointer, conflict.theirs) == ("", b"")
    world.resolve(conflict, "ours")
    [reserved] = world.reserve("p1")
    assert reserved.create
    assert b'"size": 30' in reserved.file_content


def test_a_deletion_can_be_accepted(world: SyncWorld, remote: Remote) -> None:
    """Taking Git's side of a deletion drops the record for good."""
    world.pull()
    world.edit("a", size=30)
    remote.commit({"data/a.json": None})
    world.pull()
    world.resolve(world.conflicts()[0], "theirs")
    assert "things/a" not in world.records()
    assert world.status().in_sync
    world.pull()
    assert "things/a" not in world.records()


def test_a_record_deleted_here_and_edited_there_waits(world: SyncWorld, remote: Remote) -> None:
    """Neither side wins silently."""
    world.pull()
    world.delete("a")
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant", "size": 31}\n'})
    world.pull()
    [conflict] = world.conflicts()
    world.resolve(conflict, "theirs")
    assert world.get("a")["size"] == 31
    assert world.status().in_sync


def test_a_rename_keeps_the_record_and_its_edits(world: SyncWorld, remote: Remote) -> None:
    """Folder and format may change in one commit: id, history and pending edits stay."""
    world.pull()
    world.edit("a", title="Ant, edited")
    remote.commit({"data/a.json": None, "data/new/a.yaml": "id: a\ntitle: Ant\nsize: 7\n"})
    assert world.counts() == {"files": 2, "renamed": 1}
    assert world.get("a") == {"id": "a", "title": "Ant, edited", "size": 7}
    assert world.record("a").path == b"data/new/a.yaml"
    assert world.record("a").revision == 3


def test_bad_files_go_to_quarantine_and_leave_when_mended(world: SyncWorld, remote: Remote) -> None:
    """One bad file stops nothing; path, line and rule say what is wrong."""
    remote.commit(
        {
            "data/bad.json": '{\n  "id": "bad",\n}\n',
            "data/latin.yaml": b"title: caf\xe9\n",
            "data/dup.json": '{"id": "b", "title": "Second"}\n',
        }
    )
    assert world.counts() == {"files": 7, "imported": 3, "quarantined": 3, "excluded": 1}
    found = {file.path: file for file in world.quarantine()}
    assert (found[b"data/bad.json"].rule, found[b"data/bad.json"].line) == ("syntax", 3)
    assert found[b"data/latin.yaml"].rule == "encoding"
    # *.json comes before *.yaml, so the JSON file owns the id.
    assert found[b"data/b.yaml"].rule == "duplicate-id"
    assert list(found[b"data/b.yaml"].other_paths) == [b"data/dup.json"]
    assert not world.status().in_sync
    remote.commit({"data/bad.json": '{"id": "bad"}\n', "data/latin.yaml": "title: café\n", "data/dup.json": None})
    world.pull()
    assert world.quarantine() == []
    assert world.get("b")["title"] == "Bee"
    assert world.status().in_sync


def test_a_file_that_breaks_keeps_its_record(world: SyncWorld, remote: Remote) -> None:
    """The last good version stays, flagged, with its edits; mending the file merges them."""
    world.pull()
    world.edit("a", size=30)
    remote.commit({"data/a.json": "{ broken"})
    assert world.counts() == {"files": 1, "quarantined": 1}
    assert world.record("a").file_quarantined
    assert world.get("a")["size"] == 30
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant!", "size": 3}'})
    world.pull()
    assert world.get("a") == {"id": "a", "title": "Ant!", "size": 30}
    assert not world.record("a").file_quarantined


def test_rewritten_history_loses_nothing(world: SyncWorld, remote: Remote) -> None:
    """A forced push upstream is a difference of trees like any other; edits stay."""
    first = remote.head()
    remote.commit({"data/d.json": '{"id": "d"}\n'})
    world.pull()
    world.edit("a", size=30)
    remote.commit({"data/e.json": '{"id": "e"}\n'}, onto=first)
    assert world.counts() == {"files": 2, "imported": 1, "deleted": 1}
    assert set(world.records()) == {"things/a", "things/b", "things/c", "things/e"}
    assert world.get("a")["size"] == 30


def test_the_brake_stops_mass_deletion_until_confirmed(world: SyncWorld, remote: Remote) -> None:
    """A run that would delete more than a fifth of the records asks first, and changes nothing."""
    remote.commit({f"data/x{n}.json": f'{{"id": "x{n}"}}' for n in range(20)})
    world.pull()
    before = world.records()
    remote.commit({f"data/x{n}.json": None for n in range(15)})
    with pytest.raises(NeedsPersonError) as stopped:
        world.pull()
    assert stopped.value.why == "brake"
    assert len(stopped.value.ids) == 15
    assert world.records() == before
    assert world.counts(confirm_deletes=True)["deleted"] == 15


def test_a_branch_without_the_folder_is_an_error_with_a_remedy(world: SyncWorld) -> None:
    """A folder that was never there is a mistake in the settings, not an empty collection."""
    world.collection(path="nowhere", name="lost")
    with pytest.raises(StateError, match="no folder 'nowhere'"):
        world.pull()
    assert world.records() == {}


def test_schema_failures_are_quarantined_by_rule(world: SyncWorld, remote: Remote) -> None:
    """A file that breaks the schema is named with the field and the rule."""
    schema = b'{"type": "object", "required": ["title"], "properties": {"size": {"type": "integer"}}}'
    remote.commit({"strict/x.json": '{"id": "x", "title": "X", "size": "big"}', "strict/y.json": '{"title": "Y"}'})
    world.collection(path="strict", name="strict", schema=schema)
    assert world.counts()["quarantined"] == 1
    [file] = world.quarantine()
    assert (file.path, file.rule, file.pointer) == (b"strict/x.json", "schema", "/size")


def test_names_of_any_bytes_are_seen(world: SyncWorld, remote: Remote) -> None:
    """Quotes, dollars, non-ASCII and newlines in names: each a record or in quarantine, none skipped."""
    names = ["data/it's $5 (a).json", 'data/übung,%20".json', "data/new\nline.json", "data/\udcff.json"]
    remote.commit({name: f'{{"n": {number}}}' for number, name in enumerate(names)})
    world.pull()
    assert {"things/it's $5 (a)", 'things/übung,%20"'} <= set(world.records())
    assert {file.rule for file in world.quarantine()} == {"unsafe-path", "id"}


def test_the_files_that_share_an_id_are_named_as_they_are_now(world: SyncWorld, remote: Remote) -> None:
    """When one of three goes, the one in quarantine names the one that is left."""
    remote.commit({f"data/{name}.json": '{"id": "b"}' for name in ("x", "y")})
    world.pull()
    assert [list(file.other_paths) for file in world.quarantine()] == [
        [b"data/x.json", b"data/y.json"],
        [b"data/x.json", b"data/b.yaml"],
    ]
    remote.commit({"data/y.json": None})
    world.pull()
    assert [list(file.other_paths) for file in world.quarantine()] == [[b"data/x.json"]]


def test_an_import_in_many_chunks_is_one(world: SyncWorld, remote: Remote) -> None:
    """Thousands of files land as few do: ids twice far apart, moves, deletions, then the whole folder again."""
    world.pull()
    many: dict[str, bytes | str | None] = {
        f"data/n/{number:04d}.json": f'{{"id": "n{number:04d}", "title": "{number}"}}' for number in range(1_300)
    }
    twice = {"data/n/1299.json": '{"id": "n0000", "title": "late"}', "data/n/0700.json": "{"}
    remote.commit(many | twice)
    # n0000 twice and one that is no JSON: two in quarantine.
    assert world.counts() == {"files": 1_300, "imported": 1_298, "quarantined": 2}
    assert world.get("n0000")["title"] == "0"
    assert {row.rule for row in world.quarantine()} == {"duplicate-id", "syntax"}
    world.edit("n0001", title="mine")
    moved: dict[str, bytes | str | None] = {f"data/n/{number:04d}.json": None for number in range(1_000, 1_250)}
    moved |= {f"data/m/{number:04d}.json": many[f"data/n/{number:04d}.json"] for number in range(1_000, 1_200)}
    remote.commit(moved | {"data/n/0000.json": None})
    # 50 are deleted, 200 move; the other file of the id n0000 takes over.
    counts = world.counts()
    assert (counts["deleted"], counts["renamed"]) == (50, 201)
    assert world.get("n0000")["title"] == "late"
    before = world.records()
    assert before["things/n0001"][1]["title"] == "mine"
    remote.commit({f"data/n/{number:04d}.json": f'{{"id": "n{number:04d}", "x": 1}}' for number in range(1, 700)})
    # The folder is read as a whole after its settings change.
    request = sync_pb2.ListCollectionsRequest(workspace_id=WORKSPACE)
    [collection] = world.sync.ListCollections(request).collections
    collection.exclude.append("1298.json")
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=collection))
    counts = world.counts()
    assert (counts["deleted"], counts["updated"], counts.get("imported", 0)) == (1, 699, 0)
    assert world.get("n0001") == {"id": "n0001", "title": "mine", "x": 1}
    assert world.records().keys() == before.keys() - {"things/n1298"}
