"""What pr needs of the outside: workspaces, and the pull requests of wherever a workspace lives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from services.forges.models import Kind, PullRequest
from services.pr.model import Publication


@dataclass(frozen=True)
class Place:
    """Where a workspace lives. The token is in memory only, and in no text."""

    workspace_id: str
    kind: Kind
    branch: str
    target_url: str
    push_url: str
    api_url: str
    token: str = field(repr=False)


class Workspaces(Protocol):
    """Knows where workspaces live."""

    def resolve(self, tenant_id: str, workspace_id: str) -> Place:
        """Give a workspace's place with its token; raise NotFoundError when it is gone."""
        ...


class PullRequests(Protocol):
    """The pull requests of one repository. ``services.forges.ports.Forge`` fills this port."""

    def find_pull_request(self, head_branch: str) -> PullRequest | None:
        """Give the newest pull request from a branch, in any state."""
        ...

    def create_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        """Open a pull request; raise AlreadyExistsError when the branch has an open one."""
        ...

    def update_pull_request(self, number: int, *, title: str, body: str) -> PullRequest:
        """Replace title and body."""
        ...

    def read_pull_request(self, number: int) -> PullRequest:
        """Read one pull request."""
        ...

    def close_pull_request(self, number: int) -> PullRequest:
        """Close a pull request without merging."""
        ...


Connect: TypeAlias = Callable[[Place, Publication], PullRequests]
# Called with the name of a step and "before" or "after" its outside effect; see the crash tests.
Checkpoint: TypeAlias = Callable[[str], None]
