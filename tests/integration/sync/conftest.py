"""The sync service on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime.database import sqlite_url
from tests.integration.sync.world import SyncWorld, sync_world
from tests.remote import Remote


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty database of each kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "sync.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[SyncWorld]:
    """Give running services."""
    with sync_world(tmp_path / "services", database_url) as running:
        yield running


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """Give a remote with three records in three formats and some other files."""
    return Remote.create(
        tmp_path / "remote.git",
        {
            "README.md": "# Records\n",
            "data/README.md": "# Data\n",
            "data/a.json": '{\n  "id": "a",\n  "title": "Ant",\n  "size": 3\n}\n',
            "data/b.yaml": "id: b\ntitle: Bee  # a comment\nsize: 4\n",
            "data/sub/c.md": "---\nid: c\ntitle: Cat\nsize: 5\n---\n\nLikes fish.\n",
        },
    )
