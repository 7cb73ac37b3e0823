"""Imports merge text by line, sets, and lists by key, and say afterwards what became of each field."""

from typing import Any

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError, NotFoundError
from services.core.values import dumps, loads
from tests.integration.sync.world import NOW, WORKSPACE, SyncWorld
from tests.remote import Remote

RULES: dict[str, Any] = {"tags": "set", "sources": {"key": "url"}, "/sources/*/tags": "set", "motto": "whole"}
PAGE = "---\nid: p\ntitle: Page\ntags: [x, y]\n---\n\n{}\n"
BODY = "First paragraph.\n\nSecond paragraph.\n\nThird paragraph."
BOOK: dict[str, Any] = {
    "id": "book",
    "tags": ["x", "y"],
    "motto": "one\n\ntwo",
    "sources": [{"url": "https://a.org/1", "title": "A"}, {"url": "b", "title": "B"}],
}


@pytest.fixture(autouse=True)
def _ready(world: SyncWorld, remote: Remote) -> None:
    remote.commit({"data/p.md": PAGE.format(BODY), "data/book.json": dumps(BOOK).decode()})
    world.attach(remote.url)
    world.collection(merge=dumps(RULES))
    world.pull()


def commit(remote: Remote, **fields: Any) -> str:
    """Change fields of the book in Git."""
    return remote.commit({"data/book.json": dumps({**BOOK, **fields}).decode()}, message="A change")


def merged(world: SyncWorld, record_id: str, revision: int = 0) -> sync_pb2.GetMergeResponse:
    """Give the explanation of a merge."""
    request = sync_pb2.GetMergeRequest(workspace_id=WORKSPACE, record_id=record_id, revision=revision)
    return world.sync.GetMerge(request)


def test_two_people_edit_different_paragraphs(world: SyncWorld, remote: Remote) -> None:
    """The body has both edits, nothing waits for a person, and what is published changes one line."""
    world.edit("p", body=BODY.replace("First", "1st"))
    remote.commit({"data/p.md": PAGE.format(BODY.replace("Third", "3rd"))})
    assert world.counts() == {"files": 1, "updated": 1}
    both = BODY.replace("First", "1st").replace("Third", "3rd")
    assert world.get("p")["body"] == both
    assert world.conflicts() == []
    [reserved] = world.reserve()
    assert reserved.file_content.decode() == PAGE.format(both)


def test_disputed_lines_alone_wait(world: SyncWorld, remote: Remote) -> None:
    """Whoever's side is taken, what the other did elsewhere in the text stays."""
    world.edit("p", body=BODY.replace("First", "1st").replace("Second", "2nd"))
    remote.commit({"data/p.md": PAGE.format(BODY.replace("First", "Erster").replace("Third", "3rd"))})
    world.pull()
    [conflict] = world.conflicts()
    assert conflict.pointer == "/body"
    kept = "1st paragraph.\n\n2nd paragraph.\n\n3rd paragraph."
    assert world.get("p")["body"] == kept
    assert loads(conflict.ours) == kept
    world.resolve(conflict, "theirs")
    assert world.get("p")["body"] == "Erster paragraph.\n\n2nd paragraph.\n\n3rd paragraph."


def test_a_dispute_that_git_gives_up_ends_by_itself(world: SyncWorld, remote: Remote) -> None:
    """Git takes its disputed line back and changes another: the database holds all that Git did."""
    world.edit("p", body=BODY.replace("First", "1st"))
    remote.commit({"data/p.md": PAGE.format(BODY.replace("First", "Erster"))})
    world.pull()
    assert len(world.conflicts()) == 1
    remote.commit({"data/p.md": PAGE.format(BODY.replace("Third", "3rd"))})
    world.pull()
    assert world.conflicts() == []
    assert world.get("p")["body"] == BODY.replace("First", "1st").replace("Third", "3rd")
    assert world.status().pending == 1


def test_sets_and_items_merge(world: SyncWorld, remote: Remote) -> None:
    """Both add a tag and a source, each edits another source: all of it is there, in Git's order."""
    ours = [{"url": "new", "title": "N"}, {"url": "https://a.org/1", "title": "A!"}, {"url": "b", "title": "B"}]
    world.edit("book", tags=["y", "z"], sources=ours)
    theirs = [{"url": "https://a.org/1", "title": "A"}, {"url": "b", "title": "B!"}, {"url": "c"}]
    commit(remote, tags=["x", "y", "w"], sources=theirs)
    world.pull()
    assert world.conflicts() == []
    assert world.get("book") == {
        **BOOK,
        "tags": ["y", "w", "z"],
        "sources": [{"url": "https://a.org/1", "title": "A!"}, {"url": "b", "title": "B!"}, {"url": "c"}, ours[0]],
    }


def test_a_conflict_in_an_item_is_settled_in_the_item(world: SyncWorld, remote: Remote) -> None:
    """It is named by the item's key, and stays with the item when others are added before it."""
    world.edit("book", sources=[{"url": "https://a.org/1", "title": "ours"}, {"url": "b", "title": "edited"}])
    commit(remote, sources=[{"url": "z"}, {"url": "https://a.org/1", "title": "theirs"}])
    world.pull()
    by_pointer = {conflict.pointer: conflict for conflict in world.conflicts()}
    item = "/sources/url=https:~1~1a.org~11"
    assert set(by_pointer) == {f"{item}/title", "/sources/url=b"}
    assert by_pointer["/sources/url=b"].theirs == b""
    commit(remote, sources=[{"url": "y"}, {"url": "z"}, {"url": "https://a.org/1", "title": "theirs again"}])
    world.pull()
    world.resolve(by_pointer[f"{item}/title"], "theirs")
    world.resolve(by_pointer["/sources/url=b"], "theirs")
    assert world.get("book")["sources"] == [
        {"url": "y"},
        {"url": "z"},
        {"url": "https://a.org/1", "title": "theirs again"},
    ]
    assert world.status().in_sync


def test_a_deleted_item_can_be_kept_or_given_a_value(world: SyncWorld, remote: Remote) -> None:
    """A typed value for an item has to be that item."""
    world.edit("book", sources=[{"url": "b", "title": "B"}])
    commit(remote, sources=[{"url": "https://a.org/1", "title": "changed"}, {"url": "b", "title": "B"}])
    world.pull()
    [conflict] = world.conflicts()
    assert (conflict.pointer, conflict.ours) == ("/sources/url=https:~1~1a.org~11", b"")
    with pytest.raises(Exception, match="no place in the record"):
        world.resolve(conflict, "value", b'{"url": "other"}')
    world.resolve(conflict, "value", b'{"url": "https://a.org/1", "title": "mine"}')
    assert world.get("book")["sources"][-1] == {"url": "https://a.org/1", "title": "mine"}


def test_what_a_rule_calls_whole_is_one_value(world: SyncWorld, remote: Remote) -> None:
    """Text, too; and a field without a rule that is a list."""
    world.edit("book", motto="ONE\n\ntwo")
    commit(remote, motto="one\n\nTWO")
    world.pull()
    [conflict] = world.conflicts()
    assert (conflict.pointer, world.get("book")["motto"]) == ("/motto", "ONE\n\ntwo")


def test_types_that_change_and_records_added_twice(world: SyncWorld, remote: Remote) -> None:
    """A list that became text in Git is one conflict; so is each field of a record that both added differently."""
    world.edit("book", tags=["x", "y", "z"])
    commit(remote, tags="x and y")
    world.create("twice", title="Here", size=1)
    remote.commit({"data/twice.json": '{"id": "twice", "title": "There", "size": 1, "more": true}'})
    world.pull()
    assert {(c.record_id, c.pointer) for c in world.conflicts()} == {("book", "/tags"), ("twice", "/title")}
    assert world.get("twice") == {"id": "twice", "title": "Here", "size": 1, "more": True}


def test_a_proposal_merged_among_other_changes_is_recognised(world: SyncWorld, remote: Remote) -> None:
    """The target holds the proposed tag, source and paragraph, and more of each by others."""
    world.edit("book", tags=["x", "y", "z"], sources=[*BOOK["sources"], {"url": "new"}])
    world.edit("p", body=BODY.replace("First", "1st"))
    world.reserve("p1")
    world.edit("p", title="Edited since")
    commit(remote, tags=["z", "x", "y", "v"], sources=[{"url": "new", "title": "N"}, *BOOK["sources"][:1]])
    remote.commit({"data/p.md": PAGE.format(BODY.replace("First", "1st").replace("Third", "3rd"))})
    world.pull()
    assert world.reservations() == {"book": True, "p": True}
    assert world.conflicts() == []
    assert [record.id for record in world.sync.ListRecords(_pending()).records] == ["p"]
    assert world.get("p")["body"] == BODY.replace("First", "1st").replace("Third", "3rd")


def test_a_rename_and_an_edit_are_both_explained(world: SyncWorld, remote: Remote) -> None:
    """The file moves, the record's edits stay, and the explanation names both paths."""
    world.edit("book", motto="mine")
    old = remote.head()
    moved = dumps({**BOOK, "title": "Moved"}).decode()
    head = remote.commit({"data/book.json": None, "data/new/book.json": moved}, message="Move")
    assert (old != head, world.counts()["renamed"]) == (True, 1)
    found = merged(world, "book")
    assert (found.old_path, found.path, found.commit_oid) == (b"data/book.json", b"data/new/book.json", head)
    assert {(field.pointer, field.verdict) for field in found.fields} == {("/motto", "ours"), ("/title", "theirs")}


def test_a_file_that_two_people_renamed_keeps_its_record(world: SyncWorld, remote: Remote) -> None:
    """One copy is the record, with its edits; the other waits in quarantine, and takes over when the first goes."""
    world.edit("book", motto="mine")
    text = dumps({**BOOK, "title": "Moved"}).decode()
    remote.commit({"data/book.json": None, "data/one/book.json": text, "data/two/book.json": text})
    world.pull()
    assert world.record("book").path == b"data/one/book.json"
    assert [file.path for file in world.quarantine()] == [b"data/two/book.json"]
    remote.commit({"data/one/book.json": None})
    world.pull()
    assert (world.record("book").path, world.quarantine()) == (b"data/two/book.json", [])
    assert world.get("book") == {**BOOK, "title": "Moved", "motto": "mine"}
    assert world.conflicts() == []


def test_every_field_of_a_merge_is_explained(world: SyncWorld, remote: Remote) -> None:
    """Base, database, Git and result of each field, and who changed it where, also after later edits."""
    world.stub_as(username="bob").UpdateRecord(
        sync_pb2.UpdateRecordRequest(
            workspace_id=WORKSPACE,
            record_id="book",
            edits=[sync_pb2.FieldEdit(pointer="/tags", value=b'["x", "y", "z"]')],
        )
    )
    world.edit("book", motto="ours", same=1)
    head = commit(remote, motto="theirs", tags=["x", "y", "w"], same=1, title="New")
    world.pull()
    world.edit("book", tags=[], title="Later")
    found = merged(world, "book")
    assert (found.commit_oid, found.revision, found.time) == (head, 4, NOW)
    fields = {field.pointer: field for field in found.fields}
    verdicts = {pointer: field.verdict for pointer, field in fields.items()}
    assert verdicts == {"/motto": "conflict", "/tags": "combined", "/same": "alike", "/title": "theirs"}
    tags, motto, title = fields["/tags"], fields["/motto"], fields["/title"]
    assert [tags.base, tags.ours, tags.theirs, tags.result] == [
        b'["x","y"]',
        b'["x","y","z"]',
        b'["x","y","w"]',
        b'["x","y","w","z"]',
    ]
    assert (motto.ours, motto.theirs, motto.result) == (b'"ours"', b'"theirs"', b'"ours"')
    assert (title.base, title.result) == (b"", b'"New"')
    assert (tags.ours_change.author, motto.ours_change.author) == ("bob", "ada")
    assert not title.HasField("ours_change")
    assert (motto.theirs_change.author, motto.theirs_change.commit_oid) == ("Ada Example", head)
    assert motto.theirs_change.time > 0
    revisions = world.sync.ListRevisions(sync_pb2.ListRevisionsRequest(workspace_id=WORKSPACE, record_id="book"))
    assert [revision.reason for revision in revisions.revisions] == ["edit", "merge", "edit", "edit", "import"]


def test_a_file_that_went_while_it_had_edits_is_explained(world: SyncWorld, remote: Remote) -> None:
    """Delete here and edit there, and the other way round, are outcomes of the whole record."""
    world.edit("book", motto="mine")
    world.delete("p")
    remote.commit({"data/book.json": None, "data/p.md": PAGE.format("Changed.")}, message="Both")
    world.pull()
    [book] = merged(world, "book").fields
    assert (book.pointer, book.verdict, book.theirs, book.result == book.ours) == ("", "conflict", b"", True)
    assert book.ours_change.author == "ada"
    [page] = merged(world, "p").fields
    assert (page.pointer, page.verdict, page.ours) == ("", "conflict", b"")
    assert b'"body":"Changed."' in page.theirs
    assert page.theirs_change.author == "Ada Example"


def test_a_record_that_was_never_merged_says_so(world: SyncWorld, remote: Remote) -> None:
    """One sentence with what to look at; what only Git changed is no merge."""
    commit(remote, motto="theirs")
    world.pull()
    with pytest.raises(NotFoundError, match="no merge met edits of record 'book'"):
        merged(world, "book")
    with pytest.raises(NotFoundError, match="no merge made revision 9"):
        merged(world, "book", 9)


def test_rules_that_mean_nothing_are_refused(world: SyncWorld) -> None:
    """Nothing is stored, and the field is named."""
    with pytest.raises(InvalidInputError, match="merge of field 'tags'"):
        world.collection(name="bad", path="other", merge=b'{"tags": "sets"}')


def _pending() -> sync_pb2.ListRecordsRequest:
    return sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, state=sync_pb2.SYNC_STATE_PENDING)
