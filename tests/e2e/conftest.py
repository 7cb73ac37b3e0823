"""An installation and remotes to try it on."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.installation import Installation
from tests.e2e.server_mode import Person, Server
from tests.postgres import PostgresServer
from tests.remote import Remote
from tests.standins.fixtures import github_standin, gitlab_standin

__all__ = ["github_standin", "gitlab_standin"]

FILES = {
    "README.md": "# Records\n",
    "data/a.json": '{\n  "id": "a",\n  "title": "Ant",\n  "size": 3\n}\n',
    "data/b.yaml": "id: b\ntitle: Bee  # a comment\nsize: 4\n",
    "data/c.md": "---\nid: c\ntitle: Cat\nsize: 5\n---\n\nLikes fish.\n",
}

_numbers = itertools.count(1)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """Give a remote with three records in three formats."""
    return Remote.create(tmp_path / "remote.git", FILES)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Give an installation that has not been started."""
    found = Installation(tmp_path / "data")
    yield found
    found.kill()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Server]:
    """Run a server installation for all tests that want one; who stops a process starts it again."""
    folder, url = tmp_path_factory.mktemp("server"), postgres_server.create()
    found = Server(folder / "installation", url, Authority(folder / "certificates"))
    try:
        found.start()
        yield found
    finally:
        found.kill()
        postgres_server.drop(url)


@pytest.fixture(scope="session")
def operator(server: Server) -> Person:
    """Give the first person of the server installation, who belongs to the tenant "default"."""
    return Person(server, server.first_admin())


@pytest.fixture
def workspace(operator: Person, remote: Remote) -> str:
    """Give a workspace of the operator with three records, of which "a" is edited."""
    name = f"w{next(_numbers)}"
    operator.do("workspace", "add", name, "--repo", remote.url, "--collection", "things=data")
    operator.do("git-pull", name)
    operator.do("records", "edit", "a", "--set", "size=30", "-w", name)
    return name
