"""A forge in memory, behind pr's port of pull requests."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from services.core.errors import AlreadyExistsError, NotFoundError
from services.forges.models import PullRequest, State
from services.pr.model import Publication
from services.pr.ports import Place
from tests.fakes.world import World


@dataclass
class FakeForge:
    """Pull requests by number. Faults are ordered on the world by the method's name."""

    world: World
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    after_create: Callable[[], None] = lambda: None

    def connect(self, _place: Place, _publication: Publication) -> "FakeForge":
        return self

    def find_pull_request(self, head_branch: str) -> PullRequest | None:
        self.world.enter("find_pull_request")
        found = [known for known in self.pull_requests.values() if known.head_branch == head_branch]
        return found[-1] if found else None

    def create_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        self.world.enter("create_pull_request")
        if any(known.head_branch == head_branch for known in self.pull_requests.values()):
            raise AlreadyExistsError("there is one")
        number = len(self.pull_requests) + 7
        url = f"https://forge.test/pull/{number}"
        head_oid = self.world.branches[head_branch]
        made = PullRequest(number, url, "open", head_branch, head_oid, base_branch, title, body, "")
        self.pull_requests[number] = made
        self.after_create()
        return made

    def update_pull_request(self, number: int, *, title: str, body: str) -> PullRequest:
        self.world.enter("update_pull_request")
        return self.change(number, title=title, body=body)

    def read_pull_request(self, number: int) -> PullRequest:
        self.world.enter("read_pull_request")
        if number not in self.pull_requests:
            raise NotFoundError(f"there is no pull request {number}")
        return self.pull_requests[number]

    def close_pull_request(self, number: int) -> PullRequest:
        self.world.enter("close_pull_request")
        return self.change(number, state="closed")

    def change(
        self, number: int, *, state: State | None = None, title: str | None = None, body: str | None = None
    ) -> PullRequest:
        """Change a pull request, as somebody at the forge would."""
        known = self.pull_requests[number]
        changed = replace(
            known,
            state=state or known.state,
            title=known.title if title is None else title,
            body=known.body if body is None else body,
            merge_commit_oid=self.world.branches["main"] if state == "merged" else known.merge_commit_oid,
        )
        self.pull_requests[number] = changed
        return changed
