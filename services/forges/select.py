"""Chooses the adapter for a repository."""

import time
from collections.abc import Callable

from services.core.errors import InvalidInputError
from services.forges.address import api_url_at, api_url_for, guess_kind, repository_path, require_safe
from services.forges.github import GitHub
from services.forges.gitlab import GitLab
from services.forges.models import Kind, Profile
from services.forges.ports import Forge

__all__ = ["connect", "guess_kind", "read_profile"]

_ADAPTERS: dict[Kind, type[GitHub] | type[GitLab]] = {"github": GitHub, "gitlab": GitLab}


def connect(
    kind: Kind,
    target_url: str,
    push_url: str,
    token: str,
    api_url: str = "",
    *,
    clock: Callable[[], float] = time.time,
) -> Forge:
    """Give the forge of a repository; nothing is sent before its first method is called.

    ``target_url`` is the repository proposed to, ``push_url`` the one pushed to (the same, or a fork).
    ``api_url`` is GitHub's API base or GitLab's web base; derived from ``target_url`` when empty. Raises
    InvalidInputError for addresses that are not on a forge, and for a token that would go out in the clear.
    """
    adapter = _adapter(kind)
    base = api_url.rstrip("/") or api_url_for(kind, target_url)
    require_safe(base, has_token=bool(token))
    target = repository_path(target_url, base)
    return adapter(base, target, repository_path(push_url or target_url, base), token, clock=clock)


def read_profile(kind: Kind, token: str, base_url: str = "", *, clock: Callable[[], float] = time.time) -> Profile:
    """Say whose token it is, at github.com, gitlab.com or a self-managed host named by its web base."""
    adapter = _adapter(kind)
    base = api_url_at(kind, base_url)
    require_safe(base, has_token=bool(token))
    return adapter(base, "", "", token, clock=clock).profile()


def _adapter(kind: Kind) -> type[GitHub] | type[GitLab]:
    if kind not in _ADAPTERS:
        raise InvalidInputError(
            "a plain Git remote has no forge", remedy="choose one with --forge github or --forge gitlab"
        )
    return _ADAPTERS[kind]
