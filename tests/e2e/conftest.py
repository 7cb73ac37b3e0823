"""An installation and remotes to try it on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.remote import Remote
from tests.standins.fixtures import github_standin, gitlab_standin

__all__ = ["github_standin", "gitlab_standin"]

FILES = {
    "README.md": "# Records\n",
    "data/a.json": '{\n  "id": "a",\n  "title": "Ant",\n  "size": 3\n}\n',
    "data/b.yaml": "id: b\ntitle: Bee  # a comment\nsize: 4\n",
    "data/c.md": "---\nid: c\ntitle: Cat\nsize: 5\n---\n\nLikes fish.\n",
}


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
