"""What lies outside auth: the forges that tokens and repositories are checked at."""

from typing import Protocol

from services.forges.models import Kind, Profile, Project


class ForgeDesk(Protocol):
    """Asks a forge. Errors are those of ``services.forges.ports.Forge``; none holds the token."""

    def profile(self, kind: Kind, base_url: str, token: str) -> Profile:
        """Say whose token it is, at a host named by its web base."""
        ...

    def project(self, kind: Kind, target_url: str, push_url: str, token: str, api_url: str) -> Project:
        """Describe the repository that is proposed to."""
        ...
