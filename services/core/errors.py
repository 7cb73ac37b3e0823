"""The one tree of domain errors.

Every error names what failed, on what, and what to do next, in one sentence each. A service raises
them; one interceptor maps them to gRPC status codes (``services.runtime.status``), the gateway maps
those to problem+json, and the CLI to one line and an exit code.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldViolation:
    """One thing wrong with one field of a request."""

    field: str
    description: str


class LockstepError(Exception):
    """Base of all errors that a user may see.

    ``message`` says what failed and on what; ``remedy`` what to do next; ``reason`` is a stable
    UPPER_SNAKE name for programs; ``metadata`` holds the ids involved. None of them may hold a secret.
    """

    reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        reason: str = "",
        metadata: dict[str, str] | None = None,
    ) -> None:
        """Keep the parts; ``str()`` gives message and remedy as one line."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.reason = reason or type(self).reason
        self.metadata = metadata or {}

    def __str__(self) -> str:
        """Give message and remedy in one line."""
        text = f"{self.message}: {self.remedy}" if self.remedy else self.message
        return " ".join(text.split())


class InvalidInputError(LockstepError):
    """The request itself is wrong, whatever the state (INVALID_ARGUMENT)."""

    reason = "INVALID_INPUT"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        reason: str = "",
        metadata: dict[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        """Keep the violations beside the parts of every error."""
        super().__init__(message, remedy=remedy, reason=reason, metadata=metadata)
        self.violations = tuple(violations)


class NotFoundError(LockstepError):
    """What was named is not there, or not in the caller's tenant (NOT_FOUND)."""

    reason = "NOT_FOUND"


class AlreadyExistsError(LockstepError):
    """What was to be made is there already (ALREADY_EXISTS)."""

    reason = "ALREADY_EXISTS"


class StateError(LockstepError):
    """The state has to change before this can be done (FAILED_PRECONDITION)."""

    reason = "FAILED_PRECONDITION"


class NeedsPersonError(StateError):
    """A person has to settle something first (FAILED_PRECONDITION with NeedsPerson details)."""

    reason = "NEEDS_PERSON"

    def __init__(self, message: str, *, why: str, ids: Sequence[str] = (), remedy: str = "") -> None:
        """Take ``why`` ("conflict", "quarantine", "brake") and the ids of what waits."""
        super().__init__(message, remedy=remedy)
        self.why = why
        self.ids = tuple(ids)[:100]


class MovedError(LockstepError):
    """Something moved meanwhile; the whole operation may be tried again (ABORTED)."""

    reason = "MOVED"


class BusyError(LockstepError):
    """A limit is reached; try again after ``retry_after`` seconds (RESOURCE_EXHAUSTED with RetryInfo)."""

    reason = "BUSY"

    def __init__(self, message: str, *, retry_after: float, remedy: str = "", reason: str = "") -> None:
        """Take the pause in seconds."""
        super().__init__(message, remedy=remedy, reason=reason)
        self.retry_after = retry_after


class UnavailableError(LockstepError):
    """Something outside does not answer; trying again may help (UNAVAILABLE)."""

    reason = "UNAVAILABLE"


class TimeoutExceededError(LockstepError):
    """It took longer than the call allows (DEADLINE_EXCEEDED)."""

    reason = "DEADLINE"


class CancelledError(LockstepError):
    """The caller went away (CANCELLED)."""

    reason = "CANCELLED"


class SignInError(LockstepError):
    """Nobody, or an ended session (UNAUTHENTICATED)."""

    reason = "SIGN_IN"


class ForbiddenError(LockstepError):
    """Somebody, but not allowed (PERMISSION_DENIED)."""

    reason = "FORBIDDEN"
