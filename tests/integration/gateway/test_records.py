"""Records in lists, out of the database, into it, and back in time: over HTTP and on the command line."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Installation, Lockstep


def listed(lockstep: Lockstep, workspace: str, *options: str) -> list[str]:
    """Give the ids of a list."""
    return [record["id"] for record in lockstep("records", "list", "-w", workspace, "--json", *options).json["records"]]


def test_a_list_is_filtered_searched_and_sorted(lockstep: Lockstep, workspace: str) -> None:
    """Conditions on any field, words of any text, and an order, alone and together."""
    assert listed(lockstep, workspace, "--where", "size>3.1") == ["b", "c"]
    assert listed(lockstep, workspace, "--where", "size>3", "--where", "place.town=Ayr") == ["b"]
    assert listed(lockstep, workspace, "--where", "big=12345678901234567890123") == ["a"]
    assert listed(lockstep, workspace, "--query", "FISH") == ["c"]
    assert listed(lockstep, workspace, "--query", "b*", "--sort", "-size") == ["b"]
    assert listed(lockstep, workspace, "--sort", "-size") == ["c", "b", "a"]
    assert listed(lockstep, workspace, "--state", "pending") == []
    lockstep("records", "edit", "a", "--set", "title=Anteater", "-w", workspace)
    assert listed(lockstep, workspace, "-q", "anteater", "--state", "pending") == ["a"]
    assert listed(lockstep, workspace, "--sort", "-updated_at")[0] == "a"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--where", "size>>3"), "cannot be read at column 6"),
        (("--where", "size"), "cannot be read at column 5"),
        (("--query", "!"), "no word"),
        (("--sort", "a..b"), "column 1"),
        (("--where", "t=\udcff"), "half of a character"),
    ],
)
def test_a_bad_filter_is_one_line(lockstep: Lockstep, workspace: str, options: tuple[str, ...], said: str) -> None:
    """Exit code 2, the place, and how it is written."""
    done = lockstep("records", "list", "-w", workspace, *options, code=2)
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_pages_and_totals_over_http(installation: Installation, workspace: str) -> None:
    """A page names the next one; the total is there when asked for; a bad condition is a problem with its place."""
    with installation.http() as http:
        path = f"/api/v1/workspaces/{workspace}/records"
        first = http.get(path, params={"page_size": 2}).json()
        assert ([r["id"] for r in first["records"]], first["total"]) == (["a", "b"], None)
        second = http.get(path, params={"page_size": 2, "page": first["next_page"]}).json()
        assert ([r["id"] for r in second["records"]], second["next_page"]) == (["c"], "")
        assert http.get(path, params={"page_size": 2, "total": True}).json()["total"] == 3
        refused = http.get(path, params={"where": ["size>3", "size>>4"]})
        assert refused.status_code == 400
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["reason"] == "BAD_CONDITION"
        assert refused.json()["violations"][0]["field"] == "where"
        assert http.get(path, params={"query": "a\0b fish"}).status_code == 200
        assert http.get(f"{path}/a%00b").status_code in (400, 404)
        described = http.get("/api/v1/openapi.json").json()["paths"]
        named = {item["name"] for item in described["/api/v1/workspaces/{workspace}/records"]["get"]["parameters"]}
        assert {"where", "sort", "query", "state", "total"} <= named


def test_what_is_exported_can_be_imported(lockstep: Lockstep, workspace: str, tmp_path: Path) -> None:
    """JSON lines keep every digit; an import of them unchanged changes nothing, and edited ones become edits."""
    file = tmp_path / "records.jsonl"
    assert lockstep("records", "export", "-w", workspace, "-o", str(file)).out == f"{file} written\n"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b", "c"]
    assert '"size":3.10,"big":12345678901234567890123' in lines[0]
    plan = lockstep("records", "import", str(file), "--plan", "-w", workspace, "--json").json
    assert (plan["unchanged"], plan["applied"]) == (3, False)
    file.write_text("\n".join([lines[0].replace("Ant", "Anteater"), lines[1], '{"id": "d", "title": "Dog"}']))
    shown = lockstep("records", "import", str(file), "--plan", "-w", workspace).out
    assert "line 1: update a (/title)" in shown
    assert "line 3: create d (/id, /title)" in shown
    assert listed(lockstep, workspace, "--state", "pending") == []
    done = lockstep("records", "import", str(file), "-w", workspace)
    assert done.out == "1 created, 1 updated, 1 unchanged\n"
    assert listed(lockstep, workspace, "--state", "pending") == ["a", "d"]
    newest = lockstep("records", "history", "a", "-w", workspace, "--json").json["revisions"][0]
    assert (newest["reason"], newest["changed"]) == ("load", ["/title"])


def test_an_import_is_refused_when_the_database_moved(lockstep: Lockstep, workspace: str, tmp_path: Path) -> None:
    """The revision that a plan named is refused after any other write, with both revisions."""
    file = tmp_path / "records.jsonl"
    file.write_text('{"id": "b", "title": "Beetle"}')
    plan = lockstep("records", "import", str(file), "--plan", "-w", workspace, "--json").json
    lockstep("records", "edit", "a", "--set", "title=Anteater", "-w", workspace)
    done = lockstep("records", "import", str(file), "--revision", str(plan["revision"]), "-w", workspace, code=1)
    assert f"the plan was made for revision {plan['revision']} of the database" in done.err
    assert listed(lockstep, workspace, "--where", "title=Beetle") == []


def test_bad_lines_are_named_and_nothing_is_written(lockstep: Lockstep, workspace: str, tmp_path: Path) -> None:
    """Exit code 2 with each line and its fault; the good lines wait until all are."""
    file = tmp_path / "records.jsonl"
    file.write_text('{"id": "good"}\n{"id": "bad", }\n\n{"title": "none"}\n')
    done = lockstep("records", "import", str(file), "-w", workspace, code=2)
    assert "line 2: column 15" in done.err
    assert "line 4: the line has no id" in done.err
    assert "2 lines cannot be records; nothing was changed" in done.err
    assert listed(lockstep, workspace) == ["a", "b", "c"]
    missing = lockstep("records", "import", str(tmp_path / "none.jsonl"), "-w", workspace, code=None)
    assert missing.code != 0
    assert len(missing.err.strip().splitlines()) == 1


def test_csv_has_the_columns_and_no_formulas(lockstep: Lockstep, workspace: str) -> None:
    """Text that a spreadsheet would run gets an apostrophe; numbers keep their digits; what is inside is JSON."""
    lockstep("records", "edit", "a", "--set", "title==HYPERLINK(1)", "-w", workspace)
    lockstep("records", "edit", "b", "--set", "title=@x\n, y", "-w", workspace)
    out = lockstep("records", "export", "--format", "csv", "-w", workspace).out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["collection", "id", "title", "size", "big", "place", "body"]
    assert [row["title"] for row in rows] == ["'=HYPERLINK(1)", "'@x\n, y", "Cat"]
    assert (rows[0]["size"], rows[0]["big"], rows[0]["place"]) == ("3.10", "12345678901234567890123", "")
    assert json.loads(rows[1]["place"]) == {"town": "Ayr"}
    columns = "@id,@state,place.town,size"
    out = lockstep("records", "export", "--format", "csv", "--columns", columns, "--sort", "-id", "-w", workspace).out
    assert out.splitlines() == ["id,state,place.town,size", "c,synced,,5", "b,pending,Ayr,4", "a,pending,,3.10"]
    out = lockstep("records", "export", "--columns", columns, "--where", "size<4", "-w", workspace).out
    assert out == '{"id":"a","state":"pending","size":3.10}\n'
    assert "'@nothing' is no column" in lockstep("records", "export", "--columns", "@nothing", code=2).err


def test_a_failed_export_leaves_the_file_as_it_was(lockstep: Lockstep, workspace: str, tmp_path: Path) -> None:
    """A file is replaced when the new one is whole; errors keep their status."""
    file = tmp_path / "records.csv"
    file.write_text("before")
    lockstep("records", "export", "--where", "x", "-w", workspace, "-o", str(file), code=2)
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".csv"] == ["records.csv"]


def test_a_record_goes_back_to_a_revision(lockstep: Lockstep, workspace: str) -> None:
    """The history shows each field before and after; going back is a new revision, also of a deleted record."""
    lockstep("records", "edit", "b", "--set", "title=Beetle", "-w", workspace)
    lockstep("records", "edit", "b", "--unset", "place", "-w", workspace)
    shown = lockstep("records", "history", "b", "-w", workspace).out
    assert '/title: "Bee" → "Beetle"' in shown
    assert '/place: {"town":"Ayr"} → (removed)' in shown or '/place/town: "Ayr" → (removed)' in shown
    lockstep("records", "delete", "b", "-w", workspace)
    restored = lockstep("records", "restore", "b", "--revision", "2", "-w", workspace, "--json").json
    assert (restored["revision"], restored["content"]["title"], restored["deleted"]) == (5, "Beetle", False)
    history = lockstep("records", "history", "b", "-w", workspace, "--json").json["revisions"]
    assert [version["reason"] for version in history] == ["restore", "delete", "edit", "edit", "import"]
    assert history[3]["changes"] == [
        {"field": "/title", "before": "Bee", "after": "Beetle", "was_there": True, "is_there": True}
    ]
    assert lockstep("records", "restore", "b", "--revision", "1", "-w", workspace, "--json").json["state"] == "synced"
    assert "no revision 99" in lockstep("records", "restore", "b", "--revision", "99", "-w", workspace, code=1).err
    assert "--revision N or --to" in lockstep("records", "restore", "b", "-w", workspace, code=2).err


def test_an_export_is_refused_without_a_token(installation: Installation, workspace: str) -> None:
    """Neither out nor in without signing in."""
    with installation.http(Authorization="Bearer none") as http:
        assert http.get(f"/api/v1/workspaces/{workspace}/record-export").status_code == 401
        assert http.post(f"/api/v1/workspaces/{workspace}/record-loads", content=b"{}").status_code == 401
