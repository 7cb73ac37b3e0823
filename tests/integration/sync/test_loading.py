"""Records from the lines of a file: a plan, then all or none; on both databases."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import ForbiddenError, InvalidInputError, MovedError
from services.runtime.identity import Role
from services.sync import loading, upload
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote


@pytest.fixture
def imported(world: SyncWorld, remote: Remote) -> SyncWorld:
    """Give services with three imported records."""
    world.attach(remote.url)
    world.collection()
    world.pull()
    return world


def load(world: SyncWorld, *lines: Any, stub: Any = None, **header: Any) -> sync_pb2.LoadRecordsResponse:
    """Load lines, given as values or as bytes, a few bytes a message."""
    data = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)

    def messages() -> Iterator[sync_pb2.LoadRecordsRequest]:
        about = sync_pb2.LoadRecordsRequest.Header(workspace_id=WORKSPACE, **header)
        yield sync_pb2.LoadRecordsRequest(header=about)
        for start in range(0, len(data), 7):
            yield sync_pb2.LoadRecordsRequest(data=data[start : start + 7])

    answer: sync_pb2.LoadRecordsResponse = (stub or world.sync).LoadRecords(messages())
    return answer


def counts(answer: sync_pb2.LoadRecordsResponse) -> tuple[int, int, int, int]:
    """Give created, updated, unchanged, invalid."""
    return answer.created, answer.updated, answer.unchanged, answer.invalid


def test_a_plan_says_what_each_line_does_and_changes_nothing(imported: SyncWorld) -> None:
    """Lines are counted and shown by number with the fields they change; the database stays as it is."""
    before = imported.records()
    answer = load(
        imported,
        b"\xef\xbb\xbf" + json.dumps({"id": "a", "title": "Ant", "size": 3}).encode() + b"\r",
        b"",
        {"id": "b", "title": "Bumblebee", "size": 4},
        {"id": "new", "title": "New\0"},
        {"collection": "things", "id": "c", "revision": 1, "content": {"id": "c", "title": "Cat", "size": 6}},
        plan=True,
    )
    assert counts(answer) == (1, 2, 1, 0)
    assert not answer.applied
    assert [(line.line, line.action, line.record_id, list(line.changed)) for line in answer.lines] == [
        (3, "update", "b", ["/title"]),
        (4, "create", "new", ["/id", "/title"]),
        (5, "update", "c", ["/size", "/body"]),
    ]
    assert imported.records() == before


def test_lines_become_edits_all_at_once(imported: SyncWorld) -> None:
    """Each changed record has one new entry in its history, is pending, and goes with the next publication."""
    lines = [
        {"id": "a", "title": "Antelope", "size": 3},
        {"id": "b", "title": "Bee", "size": 4},
        {"id": "n", "x": "\0"},
    ]
    planned = load(imported, *lines, plan=True)
    answer = load(imported, *lines, expected_revision=planned.revision)
    assert answer.applied
    assert counts(answer) == counts(planned) == (1, 1, 1, 0)
    assert imported.get("a") == {"id": "a", "title": "Antelope", "size": 3}
    assert imported.get("n") == {"id": "n", "x": "\0"}
    assert [imported.record(name).revision for name in "abn"] == [2, 1, 1]
    request = sync_pb2.ListRevisionsRequest(workspace_id=WORKSPACE, record_id="a")
    newest = imported.sync.ListRevisions(request).revisions[0]
    assert (newest.reason, newest.author, list(newest.changed)) == ("load", "ada", ["/title"])
    assert {record.record_id for record in imported.reserve()} == {"a", "n"}
    assert next(record for record in imported.reserve() if record.record_id == "n").create


def test_a_plan_that_the_database_left_behind_is_refused(imported: SyncWorld) -> None:
    """Whatever was written since, the error names both revisions, and nothing is changed."""
    planned = load(imported, {"id": "a", "title": "Antelope", "size": 3}, plan=True)
    imported.edit("b", title="Beetle")
    with pytest.raises(MovedError, match=rf"revision {planned.revision} of the database, which is at") as moved:
        load(imported, {"id": "a", "title": "Antelope", "size": 3}, expected_revision=planned.revision)
    assert moved.value.reason == "PLAN_MOVED"
    assert imported.get("a")["title"] == "Ant"


def test_one_bad_line_keeps_all_from_being_written(imported: SyncWorld) -> None:
    """The plan names each bad line; loading names the first and changes nothing."""
    lines: list[Any] = [
        {"id": "ok", "title": "Good"},
        b'{"id": "a", "title": }',
        b"[1]",
        {"title": "no id"},
        {"id": "ok", "title": "twice"},
        {"id": "x/y"},
        {"id": "a", "content": {"id": "a"}, "collection": "none"},
        {"id": "a", "revision": 7, "content": {"id": "a", "title": "from another version"}},
        {"id": "b", "content": {"id": "other"}},
        {"id": "n\0"},
        b'{"id": "s", "t": "\\ud800"}',
        b'{"id": "u", "t": "\xff"}',
        {"id": True},
    ]
    answer = load(imported, *lines, plan=True)
    assert counts(answer) == (1, 0, 0, 12)
    said = {line.line: line.message for line in answer.lines if line.action == "invalid"}
    assert sorted(said) == list(range(2, 14))
    assert "column 22" in said[2]
    assert "line 1 is about record 'ok' too" in said[5]
    assert "no collection 'none'" in said[7]
    assert "is at revision 1, and the line was made from 7" in said[8]
    assert all("\n" not in message for message in said.values())
    before = imported.records()
    with pytest.raises(InvalidInputError, match="12 lines cannot be records; line 2: ") as refused:
        load(imported, *lines)
    assert len(refused.value.violations) == 12
    assert imported.records() == before


def test_the_schema_holds_for_lines_too(world: SyncWorld) -> None:
    """A line that breaks the schema is invalid, with the field named."""
    world.collection(schema=b'{"required": ["title"]}')
    answer = load(world, {"id": "a"}, {"id": "b", "title": "Fine"}, plan=True)
    assert counts(answer) == (1, 0, 0, 1)
    assert "title" in answer.lines[0].message


def test_a_deleted_record_comes_back_with_its_history(imported: SyncWorld) -> None:
    """A line for a record that was deleted, here or on both sides, goes on with the record of before."""
    imported.delete("a")
    load(imported, {"id": "new", "v": 1})
    imported.delete("new")
    answer = load(imported, {"id": "a", "title": "Ant", "size": 3}, {"id": "new", "v": 2})
    assert counts(answer) == (2, 0, 0, 0)
    assert [imported.record(name).revision for name in ("a", "new")] == [3, 3]
    assert imported.record("a").state == sync_pb2.SYNC_STATE_SYNCED
    assert imported.get("new") == {"id": "new", "v": 2}


def test_the_same_request_is_done_once(imported: SyncWorld) -> None:
    """The same id gives the same answer; with another file it is refused."""
    first = load(imported, {"id": "n", "v": 1}, request_id="one")
    assert load(imported, {"id": "n", "v": 1}, request_id="one") == first
    with pytest.raises(InvalidInputError, match="used for another request"):
        load(imported, {"id": "n", "v": 2}, request_id="one")
    assert imported.record("n").revision == 1


def test_many_lines_are_taken_in_batches(imported: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the lines fall into batches, the outcome is the same; two lines for one file are told apart."""
    monkeypatch.setattr(loading, "_BATCH", 3)
    lines = [{"id": f"r{number}", "n": number} for number in range(10)]
    assert counts(load(imported, *lines)) == (10, 0, 0, 0)
    lines = [{"id": f"r{number}", "n": number if number % 2 else -1} for number in range(12)]
    assert counts(load(imported, *lines)) == (2, 5, 5, 0)
    assert imported.get("r4") == {"id": "r4", "n": -1}
    assert len(imported.records()) == 3 + 12
    found = load(imported, {"id": "R"}, {"id": "x"}, {"id": "y"}, {"id": "z"}, {"id": "R"}, plan=True)
    assert "line 1" in found.lines[-1].message


def test_who_may_only_read_may_plan_but_not_load(imported: SyncWorld) -> None:
    """A viewer's plan shows what it would do; loading is for editors."""
    viewer = imported.stub_as(role=Role.VIEWER)
    assert load(imported, {"id": "n"}, stub=viewer, plan=True).created == 1
    with pytest.raises(ForbiddenError):
        load(imported, {"id": "n"}, stub=viewer)


def test_what_is_no_file_of_lines_is_refused(imported: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endless lines and endless files end in an error; so does a call without a header."""
    monkeypatch.setattr(upload, "MAX_LINE_BYTES", 50)
    with pytest.raises(InvalidInputError, match="line 2 is over 10 MiB"):
        load(imported, {"id": "a"}, {"id": "b", "t": "x" * 60})
    monkeypatch.setattr(upload, "MAX_FILE_BYTES", 50)
    with pytest.raises(InvalidInputError, match="1 GiB"):
        load(imported, {"id": "b", "t": "x" * 60})
    with pytest.raises(InvalidInputError, match="header"):
        imported.sync.LoadRecords(iter([sync_pb2.LoadRecordsRequest(data=b"{}")]))
