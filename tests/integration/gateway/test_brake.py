"""The brake of a collection: set in the file or by a flag, shown, and held to."""

from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Lockstep
from tests.remote import Remote

FILES = {f"data/n{number:02}.json": f'{{"id": "n{number:02}"}}\n' for number in range(30)}


def test_a_brake_is_set_shown_and_held_to(lockstep: Lockstep, tmp_path: Path) -> None:
    """From the file; a flag replaces it; the import says how many would go, and a person lets it pass."""
    remote = Remote.create(tmp_path / "brake.git", {"README.md": "#\n", "data/README.md": "#\n", **FILES})
    config = tmp_path / "notes.yaml"
    config.write_text("name: notes\npath: data\nbrake: {records: 2, percent: 50}\n")
    lockstep("workspace", "add", "brake", "--repo", remote.url, "--config", str(config))
    lockstep("git-pull", "brake")
    shown = lockstep("workspace", "show", "brake", "--json").json
    assert shown["collections"][0]["brake"] == {"records": 2, "percent": 50}
    assert "more than 2 records or 50 %" in lockstep("workspace", "show", "brake").out

    remote.commit(dict.fromkeys(sorted(FILES)[:3]))
    stopped = lockstep("git-pull", "brake", code=3)
    assert "would delete 3 of the 30 records of collection 'notes'" in stopped.err
    assert "--confirm-deletes" in stopped.err
    lockstep("workspace", "set", "brake", "--collection", "notes=data", "--brake", "3,50")
    assert lockstep("git-pull", "brake", "--json").json["deleted"] == 3

    remote.commit(dict.fromkeys(sorted(FILES)[3:7]))
    lockstep("git-pull", "brake", code=3)
    assert lockstep("git-pull", "brake", "--confirm-deletes", "--json").json["deleted"] == 4
    lockstep("workspace", "set", "brake", "--collection", "notes=data")
    assert lockstep("workspace", "show", "brake", "--json").json["collections"][0]["brake"]["records"] == 100
    lockstep("workspace", "remove", "brake", "--force")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brake: 5", "line 3: brake is no mapping of records and percent"),
        ("brake: {files: 5}", "line 3: brake is no mapping of records and percent"),
        ("brake: {percent: 101}", "line 3: brake: percent is no whole number from 0 to 100"),
        ("brake: {records: yes}", "line 3: brake: records is no whole number"),
    ],
)
def test_a_brake_that_is_no_brake_is_refused(lockstep: Lockstep, tmp_path: Path, text: str, said: str) -> None:
    """Naming file, line and key; nothing is added."""
    config = tmp_path / "notes.yaml"
    config.write_text(f"name: notes\npath: data\n{text}\n")
    found = lockstep("workspace", "add", "none", "--repo", "https://example.org/x", "--config", str(config), code=2)
    assert said in found.err


def test_a_flag_that_is_no_brake_is_refused(lockstep: Lockstep) -> None:
    """With how to write it."""
    repo = ("workspace", "add", "none", "--repo", "https://example.org/x")
    assert "write it like 500,50" in lockstep(*repo, "--brake", "lots", code=2).err
    assert "name them with --collection" in lockstep("workspace", "set", "none", "--brake", "5,5", code=2).err
