"""A publication is planned first: what would be published, with diffs, and held to when it is."""

import httpx2

from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote


def _state(lockstep: Lockstep, workspace: str) -> tuple[object, object, object]:
    """Give all that a plan must not change."""
    return (
        lockstep("git-status", "-w", workspace, "--json").json,
        lockstep("records", "list", "-w", workspace, "--json").json,
        lockstep("publications", "list", "-w", workspace, "--json").json,
    )


def test_a_plan_shows_what_is_published_and_writes_nothing(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """Title, body, branch, a diff per file, and what is left out; asked twice it is the same plan."""
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=7")
    lockstep("records", "add", "d", "-w", workspace, "--set", "title=Dog", code=None)
    lockstep("records", "delete", "b", "-w", workspace, code=None)
    lockstep("records", "edit", "c", "-w", workspace, "--set", "size=6")
    remote.commit({"data/c.md": "---\nid: c\ntitle: Cat\nsize: 8\n---\n\nLikes fish.\n"})
    lockstep("git-pull", workspace, code=3)
    before, branches = _state(lockstep, workspace), remote.git("for-each-ref")

    plan = lockstep("create-pr", "--plan", "-w", workspace, "--json").json
    assert plan["plan"] == f"{remote.git('rev-parse', 'main').strip()}@{plan['revision']}"
    assert plan["base"] == plan["target"] == remote.git("rev-parse", "main").strip()
    files = {file["record"]: file for file in plan["files"]}
    assert files["a"]["diff"] == (
        "--- a/data/a.json\n+++ b/data/a.json\n@@ -1,6 +1,6 @@\n {\n"
        '   "id": "a",\n   "title": "Ant",\n-  "size": 3.10,\n+  "size": 7,\n'
        '   "big": 12345678901234567890123\n }\n'
    )
    assert files["b"]["action"] == "delete"
    assert "+++ /dev/null" in files["b"]["diff"]
    assert "-title: Bee  # a comment" in files["b"]["diff"]
    assert [(one["record"], one["why"]) for one in plan["left_out"]] == [("c", "conflict")]
    assert {check["name"] for check in plan["checks"] if not check["passed"]} == {"conflicts"}
    assert plan["branch"].startswith("lockstep/ID-")
    assert "| a | Ant | updated | size |" in plan["body"]

    shown = lockstep("create-pr", "--plan", "-w", workspace).out
    assert "NOTE conflicts: 1 left out: they are in conflict" in shown
    assert '+  "size": 7,' in shown
    assert f"--apply {plan['plan']}" in shown
    assert lockstep("create-pr", "--plan", "-w", workspace, "--json").json == plan
    assert (_state(lockstep, workspace), remote.git("for-each-ref")) == (before, branches)


def test_a_plan_is_published_as_it_was_shown(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """The commit's own diff is the plan's, and title and body are too."""
    lockstep("records", "edit", "a", "-w", workspace, "--set", "title=Ants")
    lockstep("records", "edit", "b", "-w", workspace, "--set", "size=5")
    plan = lockstep("create-pr", "--plan", "--title", "Two", "-w", workspace, "--json").json
    made = lockstep("create-pr", "--apply", plan["plan"], "--title", "Two", "-w", workspace, "--json").json
    said = "".join(file["diff"] for file in plan["files"])
    diff = remote.git("diff", "--no-ext-diff", f"{plan['base']}..{made['commit']}")
    rows = [row for row in diff.splitlines() if not row.startswith(("diff ", "index "))]
    assert [row.partition(" @@")[0] for row in rows] == [row.partition(" @@")[0] for row in said.splitlines()]
    found = lockstep("publications", "show", str(made["pr_number"]), "-w", workspace, "--json").json
    assert (found["title"], found["branch"]) == ("Two", plan["branch"].replace("ID", found["id"]))
    assert found["body"] == plan["body"].replace("`ID`", f"`{found['id']}`")


def test_a_plan_that_does_not_hold_is_refused_with_the_new_one(
    lockstep: Lockstep, workspace: str, remote: Remote
) -> None:
    """An edit or a commit since: exit code 3, nothing set aside, and the plan as it is now."""
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=7")
    old = lockstep("create-pr", "--plan", "-w", workspace, "--json").json["plan"]
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=8")
    before = _state(lockstep, workspace)
    refused = lockstep("create-pr", "--apply", old, "-w", workspace, "--json", code=3)
    assert "the plan was made for revision" in refused.err
    assert '+  "size": 8,' in refused.json["files"][0]["diff"]
    assert refused.json["plan"] != old

    remote.commit({"README.md": "# Moved\n"})
    moved = lockstep("create-pr", "--apply", refused.json["plan"], "-w", workspace, code=3)
    assert "of the target branch, which is at" in moved.err
    assert "NOTE target: the target branch is at" in moved.out
    new = moved.out.rpartition("--apply ")[2].strip()
    assert _state(lockstep, workspace)[1:] == before[1:]
    lockstep("create-pr", "--apply", new, "-w", workspace)


def test_a_look_that_finds_nothing_new_keeps_a_plan(lockstep: Lockstep, workspace: str) -> None:
    """Polling imports every minute: as long as nothing comes of it, a plan holds."""
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=7")
    plan = lockstep("create-pr", "--plan", "-w", workspace, "--json").json["plan"]
    lockstep("git-pull", workspace)
    lockstep("create-pr", "--apply", plan, "-w", workspace)


def test_bad_names_of_plans_are_refused(lockstep: Lockstep, workspace: str, installation: Installation) -> None:
    """One line with the remedy, over HTTP and on the command line; a plan of nothing says so."""
    assert "is no name of a plan" in lockstep("create-pr", "--apply", "latest", "-w", workspace, code=2).err
    assert "exclude each other" in lockstep("create-pr", "--plan", "--apply", "x@1", "-w", workspace, code=2).err
    assert "nothing to publish" in lockstep("create-pr", "--plan", "-w", workspace, code=1).err
    lockstep("records", "edit", "a", "-w", workspace, "--set", "size=7")
    with installation.http() as http:
        answer = _post(http, workspace, f"{'0' * 40}@1")
    assert (answer.status_code, answer.json()["reason"]) == (409, "PLAN_MOVED")
    assert answer.headers["Content-Type"] == "application/problem+json"


def _post(http: httpx2.Client, workspace: str, plan: str) -> httpx2.Response:
    found = next(w for w in http.get("/api/v1/workspaces").json() if w["name"] == workspace)
    return http.post(f"/api/v1/workspaces/{found['id']}/publications", json={"plan": plan})
