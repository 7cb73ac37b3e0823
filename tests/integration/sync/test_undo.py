"""Undoing imports: everything is as it was, or nothing changes and it says what is in the way."""

from typing import Any

import pytest
import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import NeedsPersonError, NotFoundError, StateError
from services.runtime.ids import new_id
from services.sync.tables import reservations, run_changes
from tests.integration.sync.world import TENANT, WORKSPACE, SyncWorld
from tests.remote import Remote


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    world.attach(remote.url)
    world.collection()


def undo(world: SyncWorld, run_id: str, request_id: str = "") -> sync_pb2.Run:
    """Take an import back; give the run that did."""
    request = sync_pb2.UndoRunRequest(workspace_id=WORKSPACE, run_id=run_id, request_id=request_id)
    return list(world.sync.UndoRun(request))[-1].run


def newest_import(world: SyncWorld) -> str:
    """Give the id of the newest import that is not undone."""
    found = world.sync.ListRuns(sync_pb2.ListRunsRequest(workspace_id=WORKSPACE, page_size=200)).runs
    return next(run.id for run in found if run.kind == "import" and run.state == sync_pb2.RUN_STATE_SUCCEEDED)


def runs(world: SyncWorld) -> list[tuple[str, int]]:
    """Give kind and state of all runs, newest first."""
    found = world.sync.ListRuns(sync_pb2.ListRunsRequest(workspace_id=WORKSPACE)).runs
    return [(run.kind, run.state) for run in found]


def state(world: SyncWorld, *, ids: bool = True) -> list[Any]:
    """Give all that an import may change, without revisions and who made them, and, if asked, without new ids."""
    found: list[Any] = []
    listed = world.sync.ListRecords(sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, with_content=True)).records
    for record in listed:
        for name in ("revision", "updated_by", "updated_at"):
            record.ClearField(name)
        answer = world.sync.GetRecord(sync_pb2.GetRecordRequest(workspace_id=WORKSPACE, record_id=record.id))
        found.append((str(record), answer.base_content))
    for conflict in world.conflicts():
        if not ids:
            conflict.ClearField("id")
            conflict.ClearField("run_id")
        found.append(str(conflict))
    found += [str(file) for file in world.quarantine()]
    with world.database.read(TENANT) as tx:
        marks = sa.select(reservations.c.publication_id, reservations.c.record_id, reservations.c.merged_commit)
        found += map(tuple, tx.execute(marks.order_by(reservations.c.publication_id, reservations.c.record_id)))
    status = world.status()
    shown = {field.name: str(value) for field, value in status.ListFields()}
    about_the_remote = ("polling", "remote_commit", "commits_behind", "in_sync")
    return [*found, {name: value for name, value in shown.items() if name not in about_the_remote}]


def test_the_first_import_can_be_undone_and_made_again(world: SyncWorld) -> None:
    """Nothing is left of it but its history; the next import brings the same records."""
    before = state(world)
    run = world.pull()
    after = state(world)
    done = undo(world, run.id)
    assert (done.kind, done.state, done.counts.deleted) == ("undo", sync_pb2.RUN_STATE_SUCCEEDED, 3)
    assert done.old_commit_oid == run.commit_oid
    assert state(world) == before
    assert runs(world) == [("undo", sync_pb2.RUN_STATE_SUCCEEDED), ("import", sync_pb2.RUN_STATE_UNDONE)]
    assert world.counts() == {"files": 4, "imported": 3, "excluded": 1}
    assert state(world) == after


def test_all_that_an_import_does_comes_back(world: SyncWorld, remote: Remote) -> None:
    """Updates, merges, renames, swapped ids, deletions, conflicts new, renewed and settled, quarantine in and out."""
    remote.commit(
        {
            **{f"data/{name}.json": f'{{"id": "{name}", "title": "{name}", "size": 1}}\n' for name in "efghijk"},
            "data/held.json": "{",
            "data/dup.json": '{"id": "e", "title": "second"}\n',
        }
    )
    world.pull()
    world.edit("a", size=30)
    world.edit("e", size=30)
    world.edit("f", size=30)
    world.edit("k", size=30)
    world.delete("g")
    remote.commit(
        {
            "data/a.json": '{"id": "a", "title": "Ant", "size": 31}\n',
            "data/f.json": '{"id": "f", "title": "f", "size": 31}\n',
        }
    )
    world.pull()
    before = state(world)
    remote.commit(
        {
            # A conflict that is renewed, one that settles, a new one, one of the whole record on either side.
            "data/a.json": '{"id": "a", "title": "Ant!", "size": 32}\n',
            "data/f.json": '{"id": "f", "title": "f", "size": 30}\n',
            "data/e.json": '{"id": "e", "title": "E", "size": 33}\n',
            "data/g.json": '{"id": "g", "title": "G", "size": 1}\n',
            "data/k.json": None,
            # Content, format only, name and format, gone, swapped, broken, mended, new, no longer a second one.
            "data/b.yaml": "id: b\ntitle: Bumblebee  # a comment\nsize: 4\n",
            "data/sub/c.md": "---\nid: c\ntitle: 'Cat'\nsize: 5\n---\n\nLikes fish.\n",
            "data/h.json": '{"id": "i", "title": "h", "size": 1}\n',
            "data/i.json": '{"id": "h", "title": "i", "size": 1}\n',
            "data/j.json": None,
            "data/held.json": '{"id": "held"}\n',
            "data/bad.json": "[",
            "data/new.json": '{"id": "new"}\n',
            "data/dup.json": None,
        }
    )
    run = world.pull()
    after = state(world, ids=False)
    assert {c.pointer: c.record_id for c in world.conflicts()} == {"/size": "e", "": "k"}
    done = undo(world, run.id)
    assert done.counts.deleted == 2
    assert state(world) == before
    world.pull()
    assert state(world, ids=False) == after


def test_what_was_merged_is_proposed_again(world: SyncWorld, remote: Remote) -> None:
    """The marks of a merged publication go, and come again with the next import."""
    world.pull()
    world.edit("a", size=30)
    world.delete("b")
    world.create("z", title="Zebra")
    files = {record.path.decode(): record.file_content or None for record in world.reserve("p1")}
    before = state(world)
    remote.commit(files)
    run = world.pull()
    assert set(world.reservations("p1").values()) == {True}
    after = state(world)
    undo(world, run.id)
    assert state(world) == before
    assert set(world.reservations("p1").values()) == {False}
    world.pull()
    assert state(world) == after


def test_what_a_finished_publication_had_brought_is_pending(world: SyncWorld, remote: Remote) -> None:
    """A publication that is over can hold nothing: its records can be published anew, or merged by an import."""
    world.pull()
    world.edit("a", size=30)
    files = {record.path.decode(): record.file_content for record in world.reserve("p1")}
    remote.commit(files)
    run = world.pull()
    world.release("p1")
    undo(world, run.id)
    assert world.record("a").state == sync_pb2.SYNC_STATE_PENDING
    assert world.record("a").publication_id == ""
    world.pull()
    assert world.status().in_sync


def test_it_names_the_records_that_were_touched_since(world: SyncWorld, remote: Remote) -> None:
    """Edited, added to, reserved, resolved, deleted: none of it is thrown away, and nothing else changes."""
    remote.commit({f"data/{name}.json": f'{{"id": "{name}", "size": 1}}\n' for name in "efgh"})
    world.pull()
    world.edit("e", size=2)
    world.edit("g", size=2)
    remote.commit(
        {f"data/{name}.json": f'{{"id": "{name}", "size": 3, "more": 1}}\n' for name in "efgh"}
        | {"data/new.json": '{"id": "new"}\n', "data/a.json": None, "data/b.yaml": "id: b\ntitle: Bee\nsize: 9\n"}
    )
    run = world.pull()
    world.resolve(next(c for c in world.conflicts() if c.record_id == "e"), "ours")
    world.edit("f", size=4)
    world.reserve("p1", "f")
    world.edit("new", title="mine")
    world.create("a", title="Another")
    world.delete("h")
    before = state(world)
    with pytest.raises(NeedsPersonError, match="5 records were edited, reserved or resolved since") as refused:
        undo(world, run.id)
    assert refused.value.why == "edited"
    assert sorted(refused.value.ids) == ["a", "e", "f", "h", "new"]
    assert "'new'" in refused.value.message
    assert state(world) == before
    assert world.get("b")["size"] == 9


def test_an_id_that_was_given_out_again_is_named(world: SyncWorld, remote: Remote) -> None:
    """A record cannot get its id back while another one has it."""
    world.sync.UpdateCollection(
        sync_pb2.UpdateCollectionRequest(
            workspace_id=WORKSPACE,
            collection=sync_pb2.Collection(name="things", path="data", id_rule=sync_pb2.ID_RULE_STEM),
        )
    )
    world.pull()
    remote.commit({"data/a.json": None, "data/z.json": remote.read("data/a.json")})
    run = world.pull()
    assert run.counts.renamed == 1
    world.create("a", title="Another")
    with pytest.raises(NeedsPersonError) as refused:
        undo(world, run.id)
    assert refused.value.ids == ("a",)
    world.delete("a")
    undo(world, run.id)
    assert world.get("a")["title"] == "Ant"


def test_only_the_newest_import_is_undone_one_after_the_other(world: SyncWorld, remote: Remote) -> None:
    """Each step back needs the one after it to be undone; what is no import, or is undone, says so."""
    empty = state(world)
    first = world.pull()
    middle = state(world)
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant!"}\n', "data/d.json": '{"id": "d"}\n'})
    second = world.pull()
    with pytest.raises(StateError, match=f"lockstep runs undo {second.id}") as refused:
        undo(world, first.id)
    assert refused.value.reason == "NOT_NEWEST"
    with pytest.raises(NotFoundError):
        undo(world, "nothing")
    request = new_id()
    done = undo(world, second.id, request)
    assert undo(world, second.id, request) == done
    assert state(world) == middle
    with pytest.raises(StateError, match="undone already"):
        undo(world, second.id)
    with pytest.raises(StateError, match="no import"):
        undo(world, done.id)
    undo(world, first.id)
    assert state(world) == empty
    world.pull()
    assert world.get("a") == {"id": "a", "title": "Ant!"}


def test_history_says_who_undid_it(world: SyncWorld, remote: Remote) -> None:
    """What the import had made stays in the history, and what came back is a version of its own."""
    world.pull()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant!"}\n', "data/d.json": '{"id": "d"}\n'})
    undo(world, world.pull().id)
    request = sync_pb2.ListRevisionsRequest(workspace_id=WORKSPACE, record_id="a")
    found = [(r.revision, r.reason, r.author) for r in world.sync.ListRevisions(request).revisions]
    assert found == [(3, "undo", "ada"), (2, "import", "git"), (1, "import", "git")]


def test_nothing_imports_an_undone_commit_by_itself(world: SyncWorld, remote: Remote) -> None:
    """The import that a publication's watch asks for leaves it alone; a person's does not, and newer commits land."""
    world.pull()
    remote.commit({"data/a.json": '{"id": "a", "title": "Ant!"}\n'})
    undo(world, world.pull().id)
    watch = world.stub_as(service="pr")
    request = sync_pb2.RunImportRequest(workspace_id=WORKSPACE)
    [*_, last] = watch.RunImport(request)
    assert "undone" in last.run.notes[0]
    assert world.get("a")["title"] == "Ant"
    assert not world.status().in_sync
    world.pull()
    assert world.get("a")["title"] == "Ant!"
    undo(world, newest_import(world))
    remote.commit({"data/b.yaml": "id: b\ntitle: Bumblebee\n"})
    list(watch.RunImport(request))
    assert (world.get("a")["title"], world.get("b")["title"]) == ("Ant!", "Bumblebee")


def test_a_schema_that_an_import_pinned_goes_with_it(world: SyncWorld, remote: Remote) -> None:
    """The collection goes by the schema it went by before."""
    remote.commit({"schema.json": '{"required": ["size"]}'})
    settings = sync_pb2.Collection(name="things", path="data", schema_path="schema.json")
    world.sync.UpdateCollection(sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings))
    world.pull()
    listing = sync_pb2.ListCollectionsRequest(workspace_id=WORKSPACE)
    before, was = state(world), world.sync.ListCollections(listing)
    remote.commit({"schema.json": '{"required": ["legs"]}'})
    run = world.pull()
    assert (run.counts.quarantined, len(run.notes)) == (3, 1)
    undo(world, run.id)
    assert (state(world), world.sync.ListCollections(listing)) == (before, was)


def test_only_the_newest_imports_keep_what_they_found(world: SyncWorld, remote: Remote) -> None:
    """What is kept to undo imports does not grow for ever."""
    world.pull()
    for number in range(22):
        remote.commit({"data/a.json": f'{{"id": "a", "size": {number}}}\n'})
        world.pull()
    with world.database.read(TENANT) as tx:
        kept = tx.execute(sa.select(sa.func.count(sa.distinct(run_changes.c.run_id)))).scalar_one()
    assert kept == 20
    for _ in range(20):
        undo(world, newest_import(world))
    assert world.get("a")["size"] == 1
    with pytest.raises(StateError, match="too long ago"):
        undo(world, newest_import(world))
