"""A running Lockstep looks at remotes by itself; single commands do not."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import standalone
from services.runtime.config import Settings
from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote

SECONDS = 30.0


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Run a Lockstep as ``lockstep up`` does, with polling off where a workspace does not ask for it."""
    data = tmp_path / "data"
    with standalone.running(Settings(data=data, port=0, poll_seconds=0)) as running:
        yield Installation(running.url, running.first_token, data)


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_workspace_is_polled_in_its_own_interval(
    lockstep: Lockstep, remote: Remote, tmp_path: Path, installation: Installation
) -> None:
    """Setting an interval begins at once; a remote that goes away is said, with the next look, and comes back."""
    lockstep("workspace", "add", "polled", "--repo", remote.url, "--collection", "data=data")
    assert lockstep("workspace", "show", "polled", "--json").json["polling"]["every_seconds"] is None
    lockstep("workspace", "set", "polled", "--poll", "3", code=2)
    lockstep("workspace", "set", "polled", "--poll", "5")

    def polling() -> dict[str, object]:
        found: dict[str, object] = lockstep("workspace", "show", "polled", "--json").json["polling"]
        return found

    until(lambda: polling()["last_poll"] is not None)
    assert lockstep("records", "list", "--json").json["total"] == 3
    assert lockstep("runs", "list", "--json").json["runs"][0]["started_by"] == "polling"
    assert "every 5 s" in lockstep("git-status").out

    remote.path.rename(tmp_path / "away")
    until(lambda: polling()["failures"] == 1)
    shown = lockstep("workspace", "show", "polled").out
    assert "failed 1 time" in shown
    assert "next " in shown
    (tmp_path / "away").rename(remote.path)
    lockstep("workspace", "set", "polled", "--poll", "0")
    until(lambda: polling()["every_seconds"] == 0)
    assert polling()["next_poll"] is None

    remote.commit({"data/d.json": '{"id": "d"}\n'})
    with installation.http() as http:
        for _ in range(3):
            asked = http.post("/api/v1/workspaces/polled/polling")
            assert (asked.status_code, asked.json()["every_seconds"]) == (202, 0)
    until(lambda: bool(lockstep("records", "list", "--json").json["total"] == 4))
