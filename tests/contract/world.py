"""One forge as a contract test sees it: a stand-in, and adapters connected to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.forges import select
from services.forges.ports import Forge
from tests.standins.forge_server import StandIn


@dataclass
class World:
    """``group`` is where repositories are made; ``endpoints`` names requests for faults and counts."""

    standin: StandIn
    api_url: str
    group: str
    endpoints: dict[str, str]

    def repository(self, name: str) -> str:
        """Make a repository with a commit on main; gives its path."""
        path = f"{self.group}/{name}"
        self.standin.create_repository(path, {"records/a.json": b'{"id": "a"}\n'})
        return path

    def branch(self, path: str, branch: str, content: bytes = b'{"id": "b"}\n') -> str:
        """Push a branch with one more record; gives its commit."""
        return self.standin.commit(path, branch, {"records/b.json": content})

    def connect(self, path: str, *, push: str = "", token: str | None = None) -> Forge:
        """Connect the adapter to a repository, and to a fork where ``push`` names one."""
        token = self.standin.token() if token is None else token
        target = self.standin.git_url(path)
        return select.connect(
            self.standin.kind, target, self.standin.git_url(push) if push else target, token, self.api_url
        )

    @contextmanager
    def requests(self) -> Iterator[list[str]]:
        """Collect the names of the endpoints asked inside the block."""
        start, asked = len(self.standin.log), list[str]()
        yield asked
        asked += self.standin.log[start:]


GITHUB_ENDPOINTS = {
    "profile": "GET /user",
    "project": "GET /repos/{}/{}",
    "find": "GET /repos/{}/{}/pulls",
    "create": "POST /repos/{}/{}/pulls",
    "read": "GET /repos/{}/{}/pulls/{}",
    "update": "PATCH /repos/{}/{}/pulls/{}",
}
GITLAB_ENDPOINTS = {
    "profile": "GET /user",
    "project": "GET /projects/{}",
    "find": "GET /projects/{}/merge_requests",
    "create": "POST /projects/{}/merge_requests",
    "read": "GET /projects/{}/merge_requests/{}",
    "update": "PUT /projects/{}/merge_requests/{}",
}
