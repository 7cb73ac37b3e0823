"""kill -9 at every step of a publication and of an import: nothing twice, nothing lost, nothing stuck."""

import pytest

from tests.e2e.crashing import CLOSE, IMPORT, MERGE, PUBLICATION, UNDO
from tests.e2e.installation import Installation
from tests.remote import Remote

pytestmark = pytest.mark.slow


def prepare(installation: Installation, remote: Remote, moment: str) -> None:
    """Import three records and edit one, in a process that will die at a moment."""
    installation.start(moment)
    installation.do("workspace", "add", "w", "--repo", str(remote.path), "--collection", "things=data")
    installation.do("git-pull")
    installation.do("records", "edit", "a", "--set", "size=30")


def branches(remote: Remote) -> list[str]:
    """Give the branches that publications made."""
    return remote.git("for-each-ref", "--format=%(refname)", "refs/heads/lockstep/").split()


def published_commits(remote: Remote) -> list[str]:
    """Give all commits that carry a publication's trailer, wherever they are."""
    return remote.git("log", "--all", "--no-merges", "--format=%H", "--grep=^Lockstep-Publication:").split()


@pytest.mark.parametrize("moment", PUBLICATION)
def test_a_publication_happens_once(installation: Installation, remote: Remote, moment: str) -> None:
    """Killed at any step of opening: one branch, one commit, one pull request; then it merges as ever."""
    prepare(installation, remote, moment)
    installation.run("create-pr", "--json")
    installation.wait_dead()
    installation.start()
    if not installation.publications():
        # It died before the request was stored: the record is still pending, and asking again is safe.
        assert installation.status()["pending"] == 1
        installation.do("create-pr")
    found = installation.wait_state("opened")
    assert branches(remote) == [f"refs/heads/{found['branch']}"]
    assert published_commits(remote) == [found["commit"]]
    assert found["pr_number"] == 1
    installation.do("publications", "merge", found["id"])
    assert installation.status()["in_sync"]
    assert b'"size": 30' in remote.read("data/a.json")
    assert len(published_commits(remote)) == 1


@pytest.mark.parametrize("moment", MERGE)
def test_a_merge_happens_once(installation: Installation, remote: Remote, moment: str) -> None:
    """Killed at any step of merging: one merge commit, and the record is recognised as merged."""
    prepare(installation, remote, moment)
    found = installation.do("create-pr")
    installation.run("publications", "merge", str(found["pr_number"]), "--json")
    installation.wait_dead()
    installation.start()
    if installation.publications()[0]["state"] == "opened":
        installation.run("publications", "merge", str(found["pr_number"]))
    installation.wait_state("merged")
    assert installation.status()["in_sync"]
    assert len(remote.git("rev-list", "--merges", "main").split()) <= 1
    assert len(published_commits(remote)) == 1
    assert b'"size": 30' in remote.read("data/a.json")


@pytest.mark.parametrize("moment", CLOSE)
def test_a_close_gives_the_records_back(installation: Installation, remote: Remote, moment: str) -> None:
    """Killed at any step of closing: the branch goes, the edit is pending again and can be published anew."""
    prepare(installation, remote, moment)
    found = installation.do("create-pr")
    installation.run("publications", "close", str(found["pr_number"]), "--json")
    installation.wait_dead()
    installation.start()
    if installation.publications()[0]["state"] == "opened":
        installation.run("publications", "close", str(found["pr_number"]))
    installation.wait_state("closed")
    assert branches(remote) == []
    status = installation.status()
    assert (status["pending"], status["open_pull_requests"]) == (1, 0)
    assert installation.do("create-pr")["pr_number"] == 2


@pytest.mark.parametrize("moment", IMPORT)
def test_an_import_lands_whole_or_not_at_all(installation: Installation, remote: Remote, moment: str) -> None:
    """Killed at any step: edits stay, no half import is seen, no run is left running, and the next one lands."""
    installation.start()
    installation.do("workspace", "add", "w", "--repo", str(remote.path), "--collection", "things=data")
    installation.do("git-pull")
    installation.do("records", "edit", "a", "--set", "size=30")
    assert installation.stop() == 0
    remote.commit({"data/a.json": '{\n  "id": "a",\n  "title": "Ant!",\n  "size": 3\n}\n', "data/d.json": "{}"})
    installation.start(moment)
    installation.run("git-pull")
    installation.wait_dead()
    installation.start()
    landed = moment == "committed"
    records = {r["id"]: r for r in installation.do("records", "list")["records"]}
    assert ("d" in records) == landed
    assert installation.do("records", "show", "a")["content"]["size"] == 30
    assert "running" not in {run["state"] for run in installation.do("runs", "list")["runs"]}
    installation.do("git-pull")
    assert installation.do("records", "show", "a")["content"] == {"id": "a", "title": "Ant!", "size": 30}
    status = installation.status()
    assert (status["pending"], status["commits_behind"], status["quarantined"]) == (1, 0, 0)


@pytest.mark.parametrize("moment", UNDO)
def test_an_undo_lands_whole_or_not_at_all(installation: Installation, remote: Remote, moment: str) -> None:
    """Killed at any step: the import is undone or it is not, and either way it can be undone and made again."""
    installation.start()
    installation.do("workspace", "add", "w", "--repo", str(remote.path), "--collection", "things=data")
    installation.do("git-pull")
    changed = '{\n  "id": "a",\n  "title": "Ant!",\n  "size": 3\n}\n'
    remote.commit({"data/a.json": changed, "data/b.yaml": None, "data/d.json": '{"id": "d"}\n', "data/bad.json": "{"})
    installation.run("git-pull")
    run = installation.do("runs", "list")["runs"][0]["id"]
    assert installation.stop() == 0
    installation.start(moment)
    installation.run("runs", "undo", run)
    installation.wait_dead()
    installation.start()
    done = moment == "undone"
    assert installation.do("runs", "show", run)["state"] == ("undone" if done else "succeeded")
    records = {record["id"]: record["title"] for record in installation.do("records", "list")["records"]}
    assert (records["a"], "b" in records, "d" in records) == (("Ant", True, False) if done else ("Ant!", False, True))
    assert installation.status()["quarantined"] == (not done)
    if not done:
        installation.do("runs", "undo", run)
    assert {record["id"] for record in installation.do("records", "list")["records"]} == {"a", "b", "c"}
    assert installation.status()["quarantined"] == 0
    installation.run("git-pull")
    status = installation.status()
    assert (status["commits_behind"], status["quarantined"]) == (0, 1)
