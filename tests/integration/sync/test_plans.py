"""Plans of imports: they say what would happen, for which commit and revision, and are applied to these only."""

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import MovedError, NeedsPersonError
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    world.attach(remote.url)
    world.collection()


def plan(world: SyncWorld) -> tuple[sync_pb2.Run, dict[str, sync_pb2.PlannedChange]]:
    """Plan an import; give the run, and the changes by record id, or by path where there is none."""
    request = sync_pb2.RunImportRequest(workspace_id=WORKSPACE, plan=True, with_changes=True)
    events = list(world.sync.RunImport(request))
    changes = [change for event in events for change in event.changes.changes]
    return events[-1].run, {change.record_id or change.path.decode(): change for change in changes}


def apply(world: SyncWorld, planned: sync_pb2.Run) -> sync_pb2.Run:
    """Import what was planned."""
    return world.pull(expected_commit_oid=planned.commit_oid, expected_revision=planned.revision)


def test_a_plan_says_what_would_happen_to_each_record(world: SyncWorld, remote: Remote) -> None:
    """New, changed, renamed, deleted, disputed and bad files, with the fields before and after."""
    world.pull()
    world.edit("a", size=30)
    remote.commit(
        {
            "data/a.json": '{\n  "id": "a",\n  "title": "Ant!",\n  "size": 31\n}\n',
            "data/b.yaml": None,
            "data/moved.yaml": "id: b\ntitle: Bee  # a comment\nsize: 5\n",
            "data/sub/c.md": None,
            "data/d.json": '{"id": "d", "title": "Dog"}\n',
            "data/bad.json": "{",
        }
    )
    planned, changes = plan(world)
    assert {name: change.kind for name, change in changes.items()} == {
        "a": "conflict",
        "b": "rename",
        "c": "delete",
        "d": "create",
        "data/bad.json": "quarantine",
    }
    fields = {field.pointer: field for field in changes["a"].fields}
    assert (fields["/title"].before, fields["/title"].after) == (b'"Ant"', b'"Ant!"')
    size = fields["/size"]
    assert (size.conflict, size.before, size.after, size.theirs) == (True, b"30", b"30", b"31")
    assert (changes["b"].old_path, changes["b"].path) == (b"data/b.yaml", b"data/moved.yaml")
    assert [(f.pointer, f.before, f.after) for f in changes["b"].fields] == [("/size", b"4", b"5")]
    assert (changes["c"].title, changes["d"].title, changes["d"].collection) == ("Cat", "Dog", "things")
    assert changes["data/bad.json"].rule == "syntax"
    assert changes["data/bad.json"].message
    before = world.records()
    assert planned.state == sync_pb2.RUN_STATE_PLANNED
    assert planned.commit_oid == remote.head()
    done = apply(world, planned)
    assert done.counts == planned.counts
    assert world.records() != before
    assert (done.state, done.revision) == (sync_pb2.RUN_STATE_SUCCEEDED, planned.revision + 1)


def test_a_plan_without_being_asked_for_changes_gives_counts_only(world: SyncWorld) -> None:
    """Whoever does not ask for the changes is not sent them."""
    events = list(world.sync.RunImport(sync_pb2.RunImportRequest(workspace_id=WORKSPACE, plan=True)))
    assert not any(event.HasField("changes") for event in events)
    assert events[-1].run.counts.imported == 3


def test_a_plan_that_the_branch_has_left_behind_is_refused(world: SyncWorld, remote: Remote) -> None:
    """What lands is what was looked at; a new plan lands."""
    world.pull()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant!"}\n'})
    planned, _ = plan(world)
    old = remote.head()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant?"}\n'})
    runs = list(world.sync.ListRuns(sync_pb2.ListRunsRequest(workspace_id=WORKSPACE)).runs)
    with pytest.raises(MovedError, match=f"{remote.head()[:12]} now, not {old[:12]}") as refused:
        apply(world, planned)
    assert refused.value.reason == "PLAN_MOVED"
    assert "database" not in refused.value.message
    assert world.get("a")["title"] == "Ant"
    assert list(world.sync.ListRuns(sync_pb2.ListRunsRequest(workspace_id=WORKSPACE)).runs) == runs
    apply(world, plan(world)[0])
    assert world.get("a")["title"] == "Ant?"


def test_a_plan_that_the_database_has_left_behind_is_refused(world: SyncWorld, remote: Remote) -> None:
    """An edit after the plan may change what the import does, so it has to be planned again."""
    world.pull()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant!"}\n'})
    planned, changes = plan(world)
    assert changes["a"].kind == "update"
    world.edit("a", title="Ant, edited")
    with pytest.raises(MovedError, match="database is at revision") as refused:
        apply(world, planned)
    assert refused.value.reason == "PLAN_MOVED"
    assert world.conflicts() == []
    assert plan(world)[1]["a"].kind == "conflict"


def test_long_fields_are_counted_not_shown(world: SyncWorld, remote: Remote) -> None:
    """A plan is there to be read, and a record may be megabytes."""
    world.pull()
    long = "x" * 100_000
    remote.commit({"data/a.json": f'{{"id": "a", "title": "Ant!", "size": 3, "text": "{long}"}}\n'})
    change = plan(world)[1]["a"]
    assert ([field.pointer for field in change.fields], change.fields_left_out) == (["/title"], 1)


def test_a_plan_says_that_the_brake_would_stop_it(world: SyncWorld, remote: Remote) -> None:
    """Whoever applies it knows before that it wants to be confirmed."""
    files: dict[str, str | bytes | None] = {f"data/n{number}.json": "{}" for number in range(30)}
    remote.commit(files)
    world.pull()
    remote.commit(dict.fromkeys(files))
    planned, changes = plan(world)
    assert [change.kind for change in changes.values()] == ["delete"] * 30
    assert "30 of the 33 records" in planned.notes[0]
    assert "--confirm-deletes" in planned.notes[0]
    with pytest.raises(NeedsPersonError):
        apply(world, planned)
    expected = {"expected_commit_oid": planned.commit_oid, "expected_revision": planned.revision}
    assert world.pull(**expected, confirm_deletes=True).counts.deleted == 30
