"""Merging and the inbox of conflicts on the command line and over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote

CONFIG = """
name: data
path: data
merge:
  tags: set
  sources: {key: url}
"""
PAGE = "---\nid: c\ntitle: Cat\n---\n\nLikes {}.\n\nHates {}.\n"
SOURCES = '[{{"url": "u", "title": "{}"}}]'


def record(record_id: str, size: int, title: str, sources: str = "") -> str:
    """Give a record's file."""
    return f'{{"id": "{record_id}", "size": {size}, "tags": ["x", "{title}"], "sources": {SOURCES.format(sources)}}}\n'


@pytest.fixture
def disputed(lockstep: Lockstep, remote: Remote, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a workspace with rules, in which a, b and c changed on both sides."""
    files = {f"data/{name}.json": record(name, 1, "base") for name in ("a", "b")}
    remote.commit({**files, "data/b.yaml": None, "data/c.md": PAGE.format("fish", "dogs")})
    config = tmp_path / "collections.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    name = f"ws-{abs(hash(request.node.name)) % 10**8}"
    lockstep("workspace", "add", name, "--repo", remote.url, "--config", str(config))
    lockstep("git-pull", name)
    for one in ("a", "b"):
        sets = ("size=2", 'tags=["x","ours"]', f"sources={SOURCES.format('ours')}")
        lockstep("records", "edit", one, "-w", name, *(part for text in sets for part in ("--set", text)))
    lockstep("records", "edit", "c", "-w", name, "--set", "body=Likes milk.\n\nHates dogs.")
    theirs = {f"data/{one}.json": record(one, 3, "theirs", "theirs") for one in ("a", "b")}
    remote.commit({**theirs, "data/c.md": PAGE.format("fish", "dogs and rain")}, message="Theirs")
    lockstep("git-pull", name, code=3)
    yield name
    lockstep("workspace", "remove", name, "--force", code=None)


def test_rules_of_a_collection_are_set_and_shown(lockstep: Lockstep, disputed: str, tmp_path: Path) -> None:
    """They come from the YAML file, and a bad one is refused in one line that names the field."""
    [collection] = lockstep("workspace", "show", disputed, "--json").json["collections"]
    assert collection["merge"] == {"tags": "set", "sources": {"key": "url"}}
    bad = tmp_path / "bad.yaml"
    bad.write_text(CONFIG.replace("set", "sets"), encoding="utf-8")
    refused = lockstep("workspace", "set", disputed, "--config", str(bad), code=2)
    assert "merge of field 'tags'" in refused.err
    assert len(refused.err.splitlines()) == 1
    bad.write_text("name: data\nmerge: set\n", encoding="utf-8")
    assert "line 2" in lockstep("workspace", "set", disputed, "--config", str(bad), code=2).err


def test_what_merges_by_itself_needs_nobody(lockstep: Lockstep, disputed: str) -> None:
    """Paragraphs and tags of both sides are there; the conflicts left are named by field and item."""
    shown = lockstep("records", "show", "c", "-w", disputed, "--json").json
    assert shown["content"]["body"] == "Likes milk.\n\nHates dogs and rain."
    assert lockstep("records", "show", "a", "-w", disputed, "--json").json["content"]["tags"] == ["x", "theirs", "ours"]
    found = lockstep("conflicts", "list", "-w", disputed, "--json").json["conflicts"]
    assert {(item["record"], item["field"]) for item in found} == {
        (one, field) for one in ("a", "b") for field in ("/size", "/sources/url=u/title")
    }


def test_a_merge_is_explained(lockstep: Lockstep, disputed: str, remote: Remote) -> None:
    """Each field with what base, database, Git and result hold, and who did it when."""
    merge = lockstep("records", "show", "a", "--merge", "-w", disputed, "--json").json
    assert (merge["commit"], merge["path"]) == (remote.head(), "data/a.json")
    fields = {field["field"]: field for field in merge["fields"]}
    assert {name: field["verdict"] for name, field in fields.items()} == {
        "/size": "conflict",
        "/tags": "combined",
        "/sources/url=u/title": "conflict",
    }
    size = fields["/size"]
    assert [size[side] for side in ("base", "ours", "theirs", "result")] == [1, 2, 3, 2]
    assert size["theirs_change"]["author"] == "Ada Example"
    assert size["theirs_change"]["commit"] == remote.head()
    assert size["ours_change"]["time"] > 0
    text = lockstep("records", "show", "a", "--merge", "-w", disputed).out
    assert "/tags: holds what both did" in text
    assert "Ada Example" in text
    lockstep("records", "edit", "a", "-w", disputed, "--set", "size=9")
    again = lockstep("records", "show", "a", "--merge", "--revision", str(merge["revision"]), "-w", disputed, "--json")
    assert again.json["fields"] == merge["fields"]
    remote.commit({"data/new.json": '{"id": "new"}\n'})
    lockstep("git-pull", disputed)
    assert "no merge met edits" in lockstep("records", "show", "new", "--merge", "-w", disputed, code=1).err


def test_many_are_settled_at_once_after_a_count(lockstep: Lockstep, disputed: str) -> None:
    """Without a terminal the number is said and nothing happens until --yes."""
    filters = ("--all", "--field", "size", "--collection", "data", "-w", disputed)
    refused = lockstep("conflicts", "resolve", "--take", "theirs", *filters, code=2)
    assert "2 conflicts would be settled alike" in refused.err
    listed = lockstep("conflicts", "list", "--field", "size", "-w", disputed, "--json").json["conflicts"]
    assert len(listed) == 2
    done = lockstep("conflicts", "resolve", "--take", "theirs", *filters, "--yes", "--json").json
    assert done == {"matched": 2, "settled": 2, "unresolved": []}
    assert lockstep("records", "show", "b", "-w", disputed, "--json").json["content"]["size"] == 3
    none = lockstep("conflicts", "resolve", "--take", "theirs", *filters, "--yes").out
    assert none == "0 of 0 conflicts settled\n"
    mixed = lockstep("conflicts", "resolve", "--all", "--take", "both", "-w", disputed, "--yes", code=3).out
    assert "0 of 2 conflicts settled" in mixed
    assert "take ours, theirs or a value" in mixed
    ids = [item["id"] for item in lockstep("conflicts", "list", "-w", disputed, "--json").json["conflicts"]]
    assert "2 of 2" in lockstep("conflicts", "resolve", *ids, "--value", "mine", "-w", disputed).out
    sources = lockstep("records", "show", "a", "-w", disputed, "--json").json["content"]["sources"]
    assert sources == [{"url": "u", "title": "mine"}]


def test_a_resolution_is_taken_back(lockstep: Lockstep, disputed: str) -> None:
    """The conflict is open again and says who settled nothing; after an edit that is refused, naming why."""
    [conflict] = lockstep("conflicts", "list", "--record", "a", "--field", "size", "-w", disputed, "--json").json[
        "conflicts"
    ]
    lockstep("conflicts", "resolve", conflict["id"], "--take", "theirs", "-w", disputed)
    shown = lockstep("conflicts", "show", conflict["id"], "-w", disputed).out
    assert f"lockstep conflicts undo {conflict['id']}" in shown
    assert lockstep("conflicts", "undo", conflict["id"], "-w", disputed).out == "Open again: a /size\n"
    opened = lockstep("conflicts", "show", conflict["id"], "-w", disputed, "--json").json
    assert (opened["state"], opened["ours"], opened["resolved_by"], opened["resolved_at"]) == ("open", 2, "", 0)
    assert opened["theirs_change"]["author"] == "Ada Example"
    lockstep("conflicts", "resolve", conflict["id"], "--take", "theirs", "-w", disputed)
    lockstep("records", "edit", "a", "-w", disputed, "--set", 'tags=["y"]')
    refused = lockstep("conflicts", "undo", conflict["id"], "-w", disputed, code=1).err
    assert "edited since (revision 7, by" in refused
    assert len(refused.splitlines()) == 1


def test_a_record_in_conflict_is_edited_and_waits(lockstep: Lockstep, disputed: str) -> None:
    """Its publication is refused with code 3 while that of another goes its way."""
    lockstep("records", "edit", "a", "-w", disputed, "--set", "size=8")
    [conflict] = lockstep("conflicts", "list", "--record", "a", "--field", "size", "-w", disputed, "--json").json[
        "conflicts"
    ]
    assert conflict["ours"] == 8
    lockstep("create-pr", "--events", "a", "-w", disputed, code=3)
    assert lockstep("create-pr", "--events", "c", "-w", disputed, "--json").json["events_count"] == 1


def test_wrong_words_are_refused_with_a_remedy(lockstep: Lockstep, disputed: str) -> None:
    """Each in one line, before anything is settled."""
    for arguments in (
        ("resolve", "--take", "ours"),
        ("resolve", "x", "--all", "--take", "ours"),
        ("resolve", "x", "--field", "size", "--take", "ours"),
        ("resolve", "x"),
        ("resolve", "x", "--take", "mine"),
        ("list", "--state", "closed"),
        ("list", "--field", "size", "--whole-record"),
    ):
        refused = lockstep("conflicts", *arguments, "-w", disputed, code=2)
        assert len(refused.err.splitlines()) == 1, refused.err
    lockstep("conflicts", "undo", "nothing", "-w", disputed, code=1)
    assert len(lockstep("conflicts", "list", "-w", disputed, "--json").json["conflicts"]) == 4


def test_the_interface_says_the_same(installation: Installation, lockstep: Lockstep, disputed: str) -> None:
    """Count, settle with the number that was shown, refuse another, take back."""
    identity = lockstep("workspace", "show", disputed, "--json").json["id"]
    place = f"/api/v1/workspaces/{identity}"
    with installation.http() as client:
        body = {"filter": {"field": "/size"}, "count_only": True}
        assert client.post(f"{place}/conflict-resolutions", json=body).json()["matched"] == 2
        moved = client.post(
            f"{place}/conflict-resolutions", json={"filter": {"field": "/size"}, "take": "ours", "expected": 3}
        )
        assert (moved.status_code, moved.json()["reason"]) == (409, "COUNT_MOVED")
        both = client.post(f"{place}/conflict-resolutions", json={"filter": {}, "take": "ours", "value": 1})
        assert both.status_code == 400
        page = client.get(f"{place}/conflicts", params={"record": "a", "field": "/sources"}).json()
        assert (page["total"], page["conflicts"][0]["field"]) == (1, "/sources/url=u/title")
        one = f"{place}/conflicts/{page['conflicts'][0]['id']}"
        assert client.post(f"{one}/resolve", json={"take": "theirs"}).json()["conflict"]["state"] == "theirs"
        assert client.post(f"{one}/undo").json()["conflict"]["state"] == "open"
        refused = client.post(f"{one}/undo")
        assert refused.headers["content-type"] == "application/problem+json"
        assert "is open" in refused.json()["detail"] + refused.json()["title"]
        merge = client.get(f"{place}/record-merges/a").json()
        assert {field["field"] for field in merge["fields"]} == {"/size", "/tags", "/sources/url=u/title"}
