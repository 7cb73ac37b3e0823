"""Reviews of records, and how a workspace's remote is looked at."""

from typing import Literal

from gateway.models.base import Answer, Request

ReviewStateName = Literal["unreviewed", "reserved", "validated", "rejected"]


class Review(Answer):
    """How far the review of a record has come. ``until`` is set for a reservation, ``time`` for a verdict."""

    state: ReviewStateName
    by: str
    until: int | None
    reason: str
    time: int | None


class ReservationRequest(Request):
    """What to reserve; ``pending`` is for the next one: only with edits that are not in Git yet."""

    collection: str = ""
    pending: bool = False


class Verdict(Request):
    """What a review says. A rejection needs a reason; ``expected_revision`` 0 takes any."""

    verdict: Literal["validated", "rejected"]
    reason: str = ""
    expected_revision: int = 0
    collection: str = ""


class Polling(Answer):
    """How a remote is looked at by itself. ``every_seconds`` is null before the first look, 0 where it is off."""

    every_seconds: int | None
    last_poll: int | None
    next_poll: int | None
    error: str
    needs_person: bool
    failures: int
