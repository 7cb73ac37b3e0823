"""A small change in a large repository, end to end: over HTTP through the gateway, a standalone server on SQLite."""

import json
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from gateway.cli.connect import running_address
from tests.bench.cases import Case, compare
from tests.bench.importing import Bare
from tests.e2e.installation import Installation
from tests.remote import Remote

CHANGED = 10
# Imports go on by request only.
SETTINGS = {"LOCKSTEP_POLL_SECONDS": "3600"}


@contextmanager
def served(folder: Path, remote: Remote) -> Iterator["Api"]:
    """Serve a repository that has been imported."""
    installation = Installation(folder / "standalone", SETTINGS)
    installation.start()
    try:
        installation.do("workspace", "add", "bench", "--repo", remote.url, "--collection", "things=data")
        api = Api(installation)
        api.post("/api/v1/workspaces/bench/imports")
        yield api
    finally:
        installation.kill()


class Api:
    """A client of a server, signed in as its administrator."""

    def __init__(self, installation: Installation) -> None:
        """Take a server that runs."""
        token = (installation.data / "admin-token").read_text(encoding="utf-8").strip()
        address = running_address(installation.data)
        self._client = httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=600)

    def post(self, path: str) -> Any:
        """Send a request without particulars; give the answer."""
        return self._client.post(path, json={}).raise_for_status().json()

    def get(self, path: str, **query: str | int) -> Any:
        """Ask for something; give the answer."""
        return self._client.get(path, params=query).raise_for_status().json()


def small_change(folder: Path, remote: Remote, api: Api, rounds: int) -> Case:
    """Measure an import of a commit that changed a few of many files; the fetch of that commit is in both sides."""
    mirror = folder / "bare.git"
    subprocess.run(["git", "clone", "-q", "--mirror", remote.url, str(mirror)], check=True)
    bare = Bare.sqlite(folder / "bare.db")
    bare.write(mirror, "")
    values, floors = [], []
    for number in range(rounds):
        before, after = remote.head(), _commit(remote, number)
        started = time.perf_counter()
        counts = api.post("/api/v1/workspaces/bench/imports")["counts"]
        values.append(time.perf_counter() - started)
        assert (counts["files"], counts["updated"]) == (CHANGED, CHANGED), counts
        started = time.perf_counter()
        subprocess.run(["git", "-C", str(mirror), "fetch", "-q", "origin"], check=True)
        bare.write(mirror, before, after)
        floors.append(time.perf_counter() - started)
    with sqlite3.connect(folder / "bare.db") as connection:
        assert connection.execute("SELECT count(*) FROM bare WHERE content LIKE '%changed %'").fetchone() == (CHANGED,)
    name = f"{CHANGED} of 100,000 changed, through the gateway, against fetch + diff-tree + cat-file + upsert"
    return compare(name, statistics.median(values), statistics.median(floors), 2.0)


def _commit(remote: Remote, number: int) -> str:
    """Change the title of a few records."""
    listed = remote.git("ls-tree", "-r", "--name-only", "HEAD", "data").splitlines()
    paths = listed[:: len(listed) // CHANGED][:CHANGED]
    changes: dict[str, bytes | str | None] = {}
    for path in paths:
        value = json.loads(remote.git("cat-file", "blob", f"HEAD:{path}"))
        changes[path] = json.dumps({**value, "title": f"changed {number}"}, indent=2)
    return remote.commit(changes)
