"""Auth on SQLite and on PostgreSQL, and the forges it asks."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.auth import tables
from services.runtime.database import Database, sqlite_url
from tests.integration.auth.world import World, open_database, running
from tests.postgres import PostgresServer
from tests.standins.fixtures import github_standin, gitlab_standin

__all__ = ["github_standin", "gitlab_standin"]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with auth's empty tables."""
    path = tmp_path_factory.mktemp("auth") / "auth.db"
    open_database(sqlite_url(path)).close()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Give the URL of a database with auth's empty tables."""
    url = postgres_server.create()
    open_database(url).close()
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give auth's database with its empty tables, of each kind."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.create(request.getfixturevalue("postgres_template"))
    else:
        url = sqlite_url(tmp_path / "auth.db")
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "auth.db")
    opened = Database.open(url, "auth", tables.metadata)
    yield opened
    opened.close()
    if request.param == "postgresql":
        server.drop(url)


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
