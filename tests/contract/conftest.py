"""The stand-ins for forges."""

from tests.standins.fixtures import github_standin, gitlab_standin

__all__ = ["github_standin", "gitlab_standin"]
