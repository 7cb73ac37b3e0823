"""The port that a forge's adapter fills."""

from typing import Protocol

from services.forges.models import Profile, Project, PullRequest


class Forge(Protocol):
    """One repository on a forge, spoken to with one token.

    Every method makes one or two HTTP requests, repeats none by itself, and raises domain errors:
    ``SignInError`` (reason FORGE_TOKEN), ``ForbiddenError``, ``NotFoundError``, ``AlreadyExistsError``,
    ``InvalidInputError``, ``StateError``, ``BusyError`` with the pause the forge asks for, and
    ``UnavailableError`` when no answer came. After an ``UnavailableError`` the effect may have happened:
    look with ``find_pull_request`` or ``read_pull_request`` before trying again. Objects are not shared
    between threads.
    """

    def profile(self) -> Profile:
        """Say whose token it is."""
        ...

    def project(self) -> Project:
        """Describe the repository that is proposed to."""
        ...

    def find_pull_request(self, head_branch: str) -> PullRequest | None:
        """Give the newest pull request, in any state, from a branch of the repository pushed to."""
        ...

    def create_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        """Open a pull request; ``AlreadyExistsError`` when the branch has an open one."""
        ...

    def update_pull_request(self, number: int, *, title: str, body: str) -> PullRequest:
        """Replace title and body."""
        ...

    def read_pull_request(self, number: int) -> PullRequest:
        """Read one pull request."""
        ...

    def close_pull_request(self, number: int) -> PullRequest:
        """Close a pull request without merging; closing a closed one changes nothing."""
        ...
