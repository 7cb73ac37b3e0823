"""A real PostgreSQL for tests: one server per test session on a socket, one fresh database per test.

tests/conftest.py offers the fixtures to every test; tests that need one are skipped with the reason where
no PostgreSQL is installed.
"""

import getpass
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

USER = "lockstep"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server; ``folder`` holds its socket."""

    folder: Path

    def url(self, database: str) -> str:
        """Give SQLAlchemy's and psycopg's URL of a database."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def create(self, template: str = "") -> str:
        """Make an empty database, or a copy of one nobody is connected to (by URL); give its URL."""
        original = self._name(template) if template else "template1"
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"'.encode())
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database together with whoever is still connected."""
        name = self._name(url)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    @staticmethod
    def _name(url: str) -> str:
        return url.partition("@/")[2].partition("?")[0]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start PostgreSQL for the whole run."""
    with running_server() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed (no initdb and pg_ctl in PATH or /usr/lib/postgresql)")
        yield server


@contextmanager
def running_server() -> Iterator[PostgresServer | None]:
    """Start PostgreSQL as an ordinary user on a socket in a temporary folder; None where none is installed."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        yield None
        return
    # A short path: a socket's address holds about a hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="lspg", dir="/tmp"))
    user = _ordinary_user(folder)
    data = folder / "data"
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
    run = [
        *user,
        str(initdb),
        "-D",
        str(data),
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ]
    try:
        _run(run, folder)
        _run(
            [*user, str(pg_ctl), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"],
            folder,
        )
        yield PostgresServer(folder)
    finally:
        if (data / "postmaster.pid").exists():
            _run([*user, str(pg_ctl), "-D", str(data), "-w", "-m", "immediate", "stop"], folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of an empty database of this test's own."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


def _program(name: str) -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = shutil.which(name)
    return Path(found) if found else (installed[-1] if installed else None)


def _ordinary_user(folder: Path) -> list[str]:
    """Give the words that run a command as somebody but root, who may write to the folder."""
    if os.name != "posix" or os.geteuid() != 0:
        folder.chmod(0o700)
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    # Root connects through the same folder, whoever owns it.
    folder.chmod(0o755)
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--"]


def _run(command: list[str], folder: Path) -> None:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "LC_ALL": "C",
        "HOME": str(folder),
        "USER": getpass.getuser(),
    }
    with (folder / "commands.log").open("a+") as output:
        # A file, not a pipe: the started server inherits the streams and would keep a pipe open.
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=120,
        )
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{output.read()}")
