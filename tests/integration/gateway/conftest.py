"""A whole Lockstep in one process, its command line, and a remote to work on."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from gateway import standalone
from gateway.cli.main import main
from services.runtime import logs
from services.runtime.config import Settings
from tests.remote import Remote


@dataclass(frozen=True)
class Installation:
    """A running Lockstep and the token of its administrator."""

    url: str
    token: str = field(repr=False)
    data: Path

    def http(self, **headers: str) -> httpx2.Client:
        """Give a client of the API as the administrator; ``headers`` replace the token."""
        return httpx2.Client(
            base_url=self.url,
            headers=headers or {"Authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=60,
        )


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Give what it printed as a value."""
        return json.loads(self.out)


Lockstep = Callable[..., Done]


@pytest.fixture(scope="package", autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the services' logs out of what commands print; they share this process with the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "configure", lambda _level: None)
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        yield
        structlog.reset_defaults()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Run one Lockstep for a module's tests; each uses workspaces of its own."""
    data = tmp_path_factory.mktemp("lockstep") / "data"
    with standalone.running(Settings(data=data, poll_seconds=0), brief=True) as running:
        yield Installation(running.url, running.first_token, data)


@pytest.fixture
def lockstep(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Lockstep:
    """Give the command line, pointed at the installation."""
    monkeypatch.setenv("LOCKSTEP_SERVER", installation.url)
    monkeypatch.setenv("LOCKSTEP_TOKEN", installation.token)

    def run(*arguments: str, code: int | None = 0) -> Done:
        capfd.readouterr()
        ended = main(arguments)
        out, err = capfd.readouterr()
        assert code is None or ended == code, f"lockstep {' '.join(arguments)} ended with {ended}: {err}"
        return Done(ended, out, err)

    return run


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """Give a remote with records in three formats, one broken file, and one that is no record."""
    return Remote.create(
        tmp_path / "remote.git",
        {
            "data/README.md": "# Data\n",
            "data/a.json": '{\n  "id": "a",\n  "title": "Ant",\n  "size": 3.10,\n  "big": 12345678901234567890123\n}\n',
            "data/b.yaml": "id: b\ntitle: Bee  # a comment\nsize: 4\nplace:\n  town: Ayr\n",
            "data/c.md": "---\nid: c\ntitle: Cat\nsize: 5\n---\n\nLikes fish.\n",
        },
    )


@pytest.fixture
def workspace(lockstep: Lockstep, remote: Remote, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the name of an imported workspace on the remote; it is removed afterwards."""
    name = f"ws-{abs(hash(request.node.name)) % 10**8}"
    lockstep("workspace", "add", name, "--repo", remote.url, "--collection", "data=data")
    lockstep("git-pull", name)
    yield name
    lockstep("workspace", "remove", name, "--force", code=None)
