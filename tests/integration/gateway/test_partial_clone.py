"""A workspace as a partial clone: set when it is added or later, shown, and as good as a whole one."""

from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote


def blobs(installation: Installation) -> int:
    """Give how many contents of files the mirrors hold."""
    kinds = ("--batch-check=%(objecttype)", "--batch-all-objects")
    mirrors = sorted(installation.data.glob("git/*/*.git"), key=lambda path: path.stat().st_mtime)
    return Remote(mirrors[-1]).git("cat-file", *kinds).split().count("blob")


def test_a_partial_clone_imports_and_publishes_as_a_whole_one_does(
    lockstep: Lockstep, remote: Remote, installation: Installation
) -> None:
    """Only contents of records are fetched; an edit is published; the setting can be taken back."""
    remote.git("config", "uploadpack.allowFilter", "true")
    for number in range(30):
        remote.commit({f"assets/{number}.bin": bytes([number]) * 2000})
    name = "part"
    add = ("workspace", "add", name, "--repo", remote.url, "--collection", "data=data", "--partial-clone", "--json")
    assert lockstep(*add).json["partial_clone"] is True
    assert "partial clone  yes" in lockstep("workspace", "show", name).out
    lockstep("git-pull", name)
    assert blobs(installation) < 30
    lockstep("records", "edit", "a", "--set", "title=Ape", "-w", name)
    made = lockstep("create-pr", "-w", name, "--json").json
    assert remote.git("show", f"{made['commit']}:data/a.json").count("Ape") == 1
    lockstep("workspace", "set", name, "--no-partial-clone")
    assert "partial clone  no" in lockstep("workspace", "show", name).out
    lockstep("git-pull", name)
    assert blobs(installation) > 30
    lockstep("workspace", "remove", name, "--force")
