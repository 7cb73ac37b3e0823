"""Auth on SQLite and on PostgreSQL, and the forges it asks."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime.database import Database, sqlite_url
from tests.integration.auth.world import World, open_database, running
from tests.standins.fixtures import github_standin, gitlab_standin

__all__ = ["github_standin", "gitlab_standin"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return sqlite_url(tmp_path / "auth.db")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Give auth's database with its tables."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="lsauth") as folder:
        yield Path(folder)


@pytest.fixture
def world(database: Database, socket_folder: Path) -> Iterator[World]:
    """Give a running auth with both public forges on."""
    with running(database, socket_folder, github_url="https://github.com", gitlab_url="https://gitlab.com") as world:
        yield world
