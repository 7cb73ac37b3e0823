"""Which forges are on, which one an address belongs to, and where its API is."""

from dataclasses import dataclass
from typing import Final

from services.core.errors import FieldViolation, InvalidInputError, StateError
from services.forges.address import api_url_at, api_url_for, guess_kind, parse
from services.forges.models import Kind

KINDS: Final[tuple[Kind, ...]] = ("plain", "github", "gitlab")
# What a forge takes as the user of HTTP basic auth beside a token.
BASIC_USERS: Final[dict[Kind, str]] = {"plain": "git", "github": "x-access-token", "gitlab": "oauth2"}


@dataclass(frozen=True)
class ForgeHosts:
    """The configured web bases; an empty one means that the forge is off."""

    github: str
    gitlab: str

    def configured(self, kind: Kind) -> str:
        """Give the web base of a forge; StateError (reason FORGE_OFF) when it is off."""
        url = self._url(kind)
        if not url:
            raise StateError(
                f"{_name(kind)} is off in this installation",
                remedy=f"set {kind}.url (LOCKSTEP_{kind.upper()}__URL), or choose another forge",
                reason="FORGE_OFF",
            )
        return url

    def chosen(self, kind: Kind | None, url: str) -> Kind:
        """Give the asked kind, which must be on, or the one that the address belongs to."""
        if kind is None:
            return self.guess(url)
        if kind != "plain":
            self.configured(kind)
            _require_forge_address(kind, url)
        return kind

    def guess(self, url: str) -> Kind:
        """Give the kind of an address's host; plain when unknown, or when that forge is off."""
        for kind in KINDS:
            if self._url(kind) and _is_under(url, self._url(kind)):
                return kind
        kind = guess_kind(url)
        return kind if self._url(kind) else "plain"

    def api_url(self, kind: Kind, url: str) -> str:
        """Give the API's base URL for a repository; empty for plain Git."""
        if kind == "plain":
            return ""
        if _is_under(url, self._url(kind)):
            return api_url_at(kind, self._url(kind))
        return api_url_for(kind, url)

    def _url(self, kind: Kind) -> str:
        return {"plain": "", "github": self.github, "gitlab": self.gitlab}[kind]


def _is_under(url: str, base: str) -> bool:
    """Say whether a repository lies on a host, over the web or over ssh."""
    try:
        repository, host = parse(url), parse(base)
    except InvalidInputError:
        return False
    if not url.startswith(("https://", "http://")):
        return repository.host == host.host
    return repository.base == host.base and repository.segments[: len(host.segments)] == host.segments


def _require_forge_address(kind: Kind, url: str) -> None:
    try:
        parse(url)
    except InvalidInputError:
        message = f"the repository is not on a {_name(kind)} host"
        raise InvalidInputError(
            message, remedy="choose --forge plain", violations=[FieldViolation("forge", message)]
        ) from None


def _name(kind: Kind) -> str:
    return {"plain": "plain Git", "github": "GitHub", "gitlab": "GitLab"}[kind]
