"""Quality and review through the command line and the API: from the queue to what the pull request says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote

CONFIG = """
name: events
path: data
review: required
quality:
  - research-timeline
  - {field: place, weight: 0}
"""


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """Give a remote with a few events."""
    rows = {"a": 3, "b": 9, "c": 7}
    event = '{{"id": "{id}", "title": "Event {id}", "date": "2020-01-0{rank}", "importance": {rank}}}\n'
    files = {f"data/{name}.json": event.format(id=name, rank=rank) for name, rank in rows.items()}
    return Remote.create(tmp_path / "remote.git", files)


@pytest.fixture
def workspace(lockstep: Lockstep, remote: Remote, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give an imported workspace whose records are reviewed."""
    (tmp_path / "events.yaml").write_text(CONFIG)
    name = f"rv-{abs(hash(request.node.name)) % 10**8}"
    lockstep("workspace", "add", name, "--repo", remote.url, "--config", str(tmp_path / "events.yaml"))
    lockstep("git-pull", name)
    yield name
    lockstep("workspace", "remove", name, "--force", code=None)


def test_the_score_comes_with_its_reasons(lockstep: Lockstep, workspace: str) -> None:
    """In one record, in a list where asked for, and in a validation; for people and for programs."""
    shown = lockstep("records", "show", "a", "-w", workspace)
    assert "quality" in shown.out
    assert "summary is missing" in shown.out
    found = lockstep("records", "show", "a", "-w", workspace, "--json").json
    assert (found["quality"], found["review"]["state"]) == (3.0, "unreviewed")
    assert {(f["pointer"], f["rule"]) for f in found["findings"]} >= {("/title", "min_length"), ("/tags", "required")}
    listed = lockstep("records", "list", "-w", workspace)
    assert listed.out.splitlines()[0].split("\t") == ["a", "events", "synced, unreviewed", "Event a", "3.0 of 10"]
    assert "tags is missing" in lockstep("records", "list", "--reasons", "-w", workspace).out
    checked = lockstep("records", "validate", "-w", workspace, "--json").json
    assert [(s["record"], s["quality"]) for s in checked["scores"]] == [("a", 3.0), ("b", 3.0), ("c", 3.0)]
    assert "quality 3.0 of 10 on average" in lockstep("records", "validate", "a", "-w", workspace).out


def test_reviewed_records_are_published_and_the_others_wait(
    lockstep: Lockstep, workspace: str, installation: Installation
) -> None:
    """Next gives the most important; what is validated goes, what is not is named; all of it is in the text."""
    for record in ("a", "b", "c"):
        lockstep("records", "edit", record, "-w", workspace, "--set", "place=Ayr", "--allow-new")
    refused = lockstep("create-pr", "-w", workspace, code=3)
    assert "3 of 3 records are not validated" in refused.err
    assert "lockstep review next" in refused.err

    assert [r["id"] for r in lockstep("review", "list", "-w", workspace, "--json").json["records"]] == ["b", "c", "a"]
    taken = lockstep("review", "next", "-w", workspace, "--json").json
    assert (taken["id"], taken["review"]["state"], taken["content"]["place"]) == ("b", "reserved", "Ayr")
    assert "lockstep review validate c --revision 2" in lockstep("review", "next", "-w", workspace).out
    lockstep("review", "release", "c", "-w", workspace)
    assert "reserved by" in lockstep("review", "reserve", "c", "-w", workspace).out
    stale = lockstep("review", "validate", "b", "--revision", "1", "-w", workspace, code=1)
    assert "at revision 2" in stale.err
    done = lockstep("review", "validate", "b", "--revision", "2", "--note", "both sources", "-w", workspace)
    assert "validated by" in done.out
    lockstep("review", "reject", "c", "-w", workspace, code=2)
    lockstep("review", "reject", "c", "--reason", "no source", "-w", workspace)
    rejected = lockstep("review", "list", "--state", "rejected", "-w", workspace, "--json").json["records"]
    assert [(r["id"], r["review"]["reason"]) for r in rejected] == [("c", "no source")]

    made = lockstep("create-pr", "-w", workspace, "--json")
    assert made.json["events_count"] == 1
    assert "left out, since not validated: a, c" in made.err
    shown = lockstep("publications", "show", "1", "-w", workspace, "--json").json
    assert [(item["record"], item["review"]) for item in shown["items"]] == [("b", "validated")]
    assert shown["awaiting_review"] == ["a", "c"]
    assert "1 of 1 validated" in shown["body"]
    assert "Overridden" not in shown["body"]

    refused = lockstep("create-pr", "-w", workspace, "--events", "c", code=3)
    assert "'c'" in refused.err
    forced = lockstep("create-pr", "-w", workspace, "--override-review", "goes to *press* tonight", "--json").json
    assert forced["events_count"] == 2
    shown = lockstep("publications", "show", "2", "-w", workspace, "--json").json
    assert shown["review_override"] == "goes to *press* tonight"
    assert "**Not validated**: a (unreviewed), c (rejected)" in shown["body"]
    assert "**Overridden** by Administrator: goes to \\*press\\* tonight" in shown["body"]
    assert "goes to *press* tonight" in lockstep("publications", "show", "2", "-w", workspace).out


def test_settings_of_reviews_are_checked(lockstep: Lockstep, workspace: str, tmp_path: Path) -> None:
    """A wrong value is named with file and line; an unknown rule set with what there is."""
    file = tmp_path / "wrong.yaml"
    for text, words in (
        ("name: events\nreview: perhaps\n", "line 2: review is none of off, required"),
        ("name: events\nquality: my-rules\n", "research-timeline"),
        ("name: events\nschema_path: schema/x.txt\n", "no known format"),
    ):
        file.write_text(text)
        assert words in lockstep("workspace", "set", workspace, "--config", str(file), code=2).err


def test_reviews_over_http(workspace: str, installation: Installation) -> None:
    """The API speaks of the same things; an empty queue is 404, a bad verdict 400, an id may hold slashes."""
    with installation.http() as http:
        base = f"/api/v1/workspaces/{workspace}"
        for expected in ("b", "c", "a"):
            taken = http.post(f"{base}/review-reservations", json={"pending": False})
            assert (taken.status_code, taken.json()["id"]) == (200, expected)
        empty = http.post(f"{base}/review-reservations", json={})
        assert (empty.status_code, empty.json()["reason"]) == (404, "QUEUE_EMPTY")
        assert http.post(f"{base}/reviews/a", json={"verdict": "reserved"}).status_code == 400
        assert http.post(f"{base}/reviews/x%2Fy", json={"verdict": "validated"}).status_code == 404
        given = http.post(f"{base}/reviews/a", json={"verdict": "validated", "expected_revision": 1}).json()
        assert given["review"]["state"] == "validated"
        assert given["review"]["until"] is None
        released = http.delete(f"{base}/review-reservations/b").json()
        assert released["review"]["state"] == "unreviewed"
        page = http.get(f"{base}/reviews", params={"page_size": 1}).json()
        assert [r["id"] for r in page["records"]] == ["b"]
        page = http.get(f"{base}/reviews", params={"page_size": 1, "page": page["next_page"]}).json()
        assert ([r["id"] for r in page["records"]], page["next_page"]) == (["c"], "")


def test_a_schema_in_the_repository_is_followed(
    lockstep: Lockstep, workspace: str, remote: Remote, tmp_path: Path
) -> None:
    """The settings name its path; its blob is shown; a pull that finds it changed says so and checks all files."""
    remote.commit({"schema/event.json": "{}"})
    (tmp_path / "events.yaml").write_text("name: events\npath: data\nschema_path: schema/event.json\n")
    lockstep("workspace", "set", workspace, "--config", str(tmp_path / "events.yaml"))
    lockstep("git-pull", workspace)
    [shown] = lockstep("workspace", "show", workspace, "--json").json["collections"]
    assert (shown["schema"], shown["schema_blob"]) == ({}, remote.git("rev-parse", "main:schema/event.json"))
    remote.commit({"schema/event.json": '{"properties": {"importance": {"maximum": 8}}}'})
    pulled = lockstep("git-pull", workspace, code=3)
    assert "the schema 'schema/event.json' of collection 'events' has changed" in pulled.err
    [file] = lockstep("quarantine", "list", "-w", workspace, "--json").json["files"]
    assert (file["path"], file["rule"], file["pointer"]) == ("data/b.json", "schema", "/importance")
    assert "has changed" in lockstep("runs", "list", "-w", workspace, "--json").json["runs"][0]["notes"][0]
