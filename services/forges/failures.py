"""Turns what a forge's HTTP answers say into domain errors, alike for all forges.

Nothing here holds a token: a forge's own words are scrubbed before they are shown.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from services.core.errors import (
    AlreadyExistsError,
    BusyError,
    ForbiddenError,
    InvalidInputError,
    LockstepError,
    NotFoundError,
    SignInError,
    StateError,
    UnavailableError,
)

_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_DEFAULT_PAUSE = 60.0
_MAX_WORDS = 300


@dataclass(frozen=True)
class Refusal:
    """An answer with an error status: its words and its headers, with lower-case names."""

    status: int
    words: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Failures:
    """Makes the errors of one adapter.

    ``forge`` is its name for people, ``host`` where it is, ``token`` what must not be shown; ``clock``
    gives seconds since the epoch, for pauses until a reset time.
    """

    forge: str
    host: str
    token: str = field(repr=False)
    clock: Callable[[], float]

    def refused(self, subject: str, refusal: Refusal) -> LockstepError:
        """Give the error for an answer; ``subject`` names what was asked for ("repository 'o/r'")."""
        status, words = refusal.status, self.scrub(refusal.words)
        said = f": {words}" if words else ""
        if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.FORBIDDEN and _is_rate_limit(refusal)):
            return BusyError(
                f"{self.forge} limits the rate of requests for this token",
                retry_after=_pause(refusal.headers, self.clock()),
                remedy="wait, it is tried again by itself",
                reason="FORGE_RATE_LIMIT",
            )
        if status == HTTPStatus.UNAUTHORIZED:
            return SignInError(
                f"{self.forge} at {self.host} does not accept the token",
                remedy="store a new token with `lockstep workspace set NAME --token-stdin`",
                reason="FORGE_TOKEN",
            )
        if status == HTTPStatus.FORBIDDEN:
            return ForbiddenError(
                f"the token may not do this with the {subject} on {self.forge}{said}",
                remedy="give the token write access to code and pull requests",
            )
        if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return NotFoundError(
                f"there is no {subject} on {self.host}, or the token may not see it",
                remedy="check the address and what the token has access to",
            )
        if status in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY} and "already exists" in words.lower():
            return AlreadyExistsError(
                f"{self.forge} has it already{said}",
                remedy="look it up by its branch",
                reason="PULL_REQUEST_EXISTS",
            )
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return InvalidInputError(
                f"{self.forge} refuses this for the {subject}{said}", remedy="check branches, title and text"
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return self.unreachable(f"it answered {status}")
        if is_redirect(status):
            return self.moved(subject, refusal.headers.get("location", ""))
        return StateError(f"{self.forge} answered {status} for the {subject}{said}", remedy="look at it on the forge")

    def unreachable(self, why: str) -> UnavailableError:
        """Give the error for no answer, or one from a broken server."""
        return UnavailableError(
            f"{self.forge} at {self.host} does not work right now ({self.scrub(why)})",
            remedy="try again later; `lockstep doctor` checks the connection",
            reason="FORGE_UNAVAILABLE",
        )

    def unreadable(self, subject: str) -> UnavailableError:
        """Give the error for an answer that is not what the forge's API promises."""
        return UnavailableError(
            f"the answer of {self.host} for the {subject} is not one of {self.forge}'s",
            remedy="check the forge's address with `lockstep doctor`",
            reason="FORGE_ANSWER",
        )

    def moved(self, subject: str, location: str) -> StateError:
        """Give the error for a redirect: a renamed repository, or http where https is asked for."""
        where = f" to {self.scrub(location.partition('?')[0])}" if location else ""
        return StateError(
            f"the {subject} has moved{where}",
            remedy="store its new address with `lockstep workspace set NAME --repo URL`",
            reason="REPOSITORY_MOVED",
        )

    def scrub(self, text: str) -> str:
        """Take the token and user information of URLs out of a text; one line, not too long."""
        clean = text.replace(self.token, "***") if self.token else text
        return " ".join(_USERINFO.sub("", clean).split())[:_MAX_WORDS]


def is_redirect(status: int) -> bool:
    """Say whether a status sends elsewhere (304 says that nothing has changed)."""
    return status // 100 == 3 and status != HTTPStatus.NOT_MODIFIED  # noqa: PLR2004 (the class of redirects)


def _is_rate_limit(refusal: Refusal) -> bool:
    words = refusal.words.lower()
    return (
        refusal.headers.get("x-ratelimit-remaining") == "0"
        or "retry-after" in refusal.headers
        or "rate limit" in words
        or "abuse detection" in words
    )


def _pause(headers: Mapping[str, str], now: float) -> float:
    """Give the seconds to wait: Retry-After (seconds or a date), else the time of the limit's reset."""
    after = headers.get("retry-after", "").strip()
    if after.isdigit():
        return float(after)
    if after:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - now)
        except ValueError:
            return _DEFAULT_PAUSE
    for name in ("x-ratelimit-reset", "ratelimit-reset"):
        reset = headers.get(name, "").strip()
        if reset.isdigit():
            return max(1.0, float(reset) - now)
    return _DEFAULT_PAUSE
