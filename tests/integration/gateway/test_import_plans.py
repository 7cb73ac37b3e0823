"""Plans of imports and their undoing through the command line and the API."""

import json

from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote


def test_a_plan_is_shown_and_applied_by_its_name(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """For people a table, for programs everything; what lands is what was shown."""
    lockstep("records", "edit", "a", "-w", workspace, "--set", "title=Mine")
    remote.commit({"data/a.json": '{"id": "a", "title": "Yours", "size": 3.10}\n', "data/d.json": '{"id": "d"}\n'})
    remote.commit({"data/b.yaml": None, "data/bad.json": "{"})
    shown = lockstep("git-pull", workspace, "--plan", code=3)
    rows = {row[0]: row[1:] for line in shown.out.splitlines() if len(row := line.split("\t")) == 3}
    assert rows["conflict"][0] == "a"
    assert '/title: here "Mine", in Git "Yours"' in rows["conflict"][1]
    assert rows["create"] == ["d", "d"]
    assert rows["delete"] == ["b", "Bee"]
    assert rows["quarantine"][0] == "data/bad.json"
    name = shown.out.split()[-1]
    assert f"lockstep git-pull --apply {name}" in shown.out
    assert name.startswith(f"{remote.head()}@")
    planned = lockstep("git-pull", workspace, "--plan", "--json", code=3).json
    assert planned["plan"] == name
    [conflict] = [change for change in planned["changes"] if change["kind"] == "conflict"]
    titles = [(f["before"], f["theirs"]) for f in conflict["fields"] if f["conflict"] and f["field"] == "/title"]
    assert titles == [("Mine", "Yours")]
    done = lockstep("git-pull", workspace, "--apply", name, "--json", code=3).json
    counts = ("files", "imported", "deleted", "conflicts", "quarantined")
    assert {key: done[key] for key in counts} == {key: planned[key] for key in counts}


def test_a_plan_that_does_not_hold_shows_the_new_one(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """Exit code 3, nothing imported, what moved, and the new plan with its new name, which works."""
    remote.commit({"data/a.json": '{"id": "a", "title": "One"}\n'})
    name = lockstep("git-pull", workspace, "--plan").out.split()[-1]
    remote.commit({"data/a.json": '{"id": "a", "title": "Two"}\n'})
    lockstep("records", "edit", "c", "-w", workspace, "--set", "size=6")
    refused = lockstep("git-pull", workspace, "--apply", name, code=3)
    assert "the branch is at" in refused.err
    assert "the database is at revision" in refused.err
    assert "nothing was imported" in refused.err
    assert '"Ant" -> "Two"' in refused.out
    assert lockstep("records", "show", "a", "-w", workspace, "--json").json["content"]["title"] == "Ant"
    again = lockstep("git-pull", workspace, "--apply", name, "--json", code=3).json
    lockstep("git-pull", workspace, "--apply", again["plan"])
    assert lockstep("records", "show", "a", "-w", workspace, "--json").json["content"]["title"] == "Two"
    lockstep("git-pull", workspace, "--apply", "abc", code=2)
    lockstep("git-pull", workspace, "--apply", name, "--plan", code=2)


def test_an_import_is_undone_and_made_again(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """The record is as before, the runs say what happened, and git-pull brings it anew."""
    remote.commit({"data/a.json": '{"id": "a", "title": "Two"}\n', "data/d.json": '{"id": "d"}\n'})
    lockstep("git-pull", workspace)
    run = lockstep("runs", "list", "-w", workspace, "--json").json["runs"][0]["id"]
    done = lockstep("runs", "undo", run, "-w", workspace)
    assert "1 record as before, 1 record that it had brought are gone" in done.out
    assert lockstep("records", "show", "a", "-w", workspace, "--json").json["content"]["title"] == "Ant"
    lockstep("records", "show", "d", "-w", workspace, code=1)
    listed = lockstep("runs", "list", "-w", workspace, "--json").json["runs"]
    assert [(one["kind"], one["state"]) for one in listed[:2]] == [("undo", "succeeded"), ("import", "undone")]
    assert "undone already" in lockstep("runs", "undo", run, "-w", workspace, code=1).err
    lockstep("git-pull", workspace)
    assert lockstep("records", "show", "d", "-w", workspace, "--json").json["id"] == "d"
    newest = lockstep("runs", "list", "-w", workspace, "--json").json["runs"][0]["id"]
    lockstep("records", "edit", "a", "-w", workspace, "--set", "title=Mine")
    refused = lockstep("runs", "undo", newest, "-w", workspace, code=3)
    assert "1 records were edited, reserved or resolved since the import: 'a'" in refused.err


def test_the_api_plans_applies_and_undoes(
    lockstep: Lockstep, workspace: str, remote: Remote, installation: Installation
) -> None:
    """Plain JSON, events where they are asked for, problems with their reason and ids."""
    place = f"/api/v1/workspaces/{workspace}"
    remote.commit({"data/a.json": '{"id": "a", "title": "Two", "big": 12345678901234567890123}\n'})
    with installation.http() as http:
        plan = http.post(f"{place}/imports", json={"plan": True, "with_changes": True}).json()
        assert (plan["state"], plan["changes_count"]) == ("planned", 1)
        [change] = plan["changes"]
        assert (change["kind"], change["record"]) == ("update", "a")
        assert {"/title", "/size"} == {field["field"] for field in change["fields"]}
        [gone] = [field for field in change["fields"] if field["field"] == "/size"]
        assert gone["absent"] == ["after", "theirs"]
        body = {"plan": True, "with_changes": True}
        streamed = http.post(f"{place}/imports", json=body, headers={"Accept": "text/event-stream"}).text
        events = [part.split("\ndata: ") for part in streamed.strip().split("\n\n")]
        [changes] = [json.loads(data) for name, data in events if name == "event: changes"]
        assert [one["record"] for one in changes] == ["a"]
        lockstep("records", "edit", "c", "-w", workspace, "--set", "size=6")
        moved = http.post(f"{place}/imports", json={"apply": plan["plan"]})
        assert (moved.status_code, moved.json()["reason"]) == (409, "PLAN_MOVED")
        assert http.post(f"{place}/imports", json={"apply": "main@1"}).status_code == 400
        plan = http.post(f"{place}/imports", json={"plan": True}).json()
        assert (plan["changes"], plan["counts"]["updated"]) == ([], 1)
        run = http.post(f"{place}/imports", json={"apply": plan["plan"]}).json()
        assert (run["state"], run["plan"]) == ("succeeded", "")
        lockstep("records", "edit", "a", "-w", workspace, "--set", "title=Mine")
        refused = http.post(f"{place}/runs/{run['id']}/undo").json()
        assert (refused["needs_person"], refused["ids"]) == ("edited", ["a"])
        assert http.post(f"{place}/runs/none/undo").status_code == 404
        assert http.post(f"{place}/imports", json={}).json()["id"] == ""
