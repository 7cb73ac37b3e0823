"""Domain errors become problems, and problems the same domain errors again."""

import pytest

from gateway.cli.client import error_of
from gateway.cli.main import exit_code_of
from gateway.problems import problem, response
from services.core import errors

CASES: list[tuple[errors.LockstepError, int, int]] = [
    (errors.InvalidInputError("m", remedy="r"), 400, 2),
    (errors.InvalidInputError("m", remedy="r", reason="SCHEMA"), 422, 2),
    (errors.NotFoundError("m", remedy="r"), 404, 1),
    (errors.AlreadyExistsError("m", remedy="r"), 409, 1),
    (errors.StateError("m", remedy="r", reason="NOTHING_TO_PUBLISH"), 409, 1),
    (errors.NeedsPersonError("m", why="conflict", ids=["c1"], remedy="r"), 409, 3),
    (errors.MovedError("m", remedy="r"), 409, 1),
    (errors.BusyError("m", retry_after=2, remedy="r"), 429, 1),
    (errors.UnavailableError("m", remedy="r"), 503, 1),
    (errors.TimeoutExceededError("m", remedy="r"), 504, 1),
    (errors.SignInError("m", remedy="r"), 401, 4),
    (errors.ForbiddenError("m", remedy="r"), 403, 4),
    (errors.LockstepError("m", remedy="r"), 500, 1),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES)
def test_status_and_exit_code_of_each_kind(error: errors.LockstepError, status: int, code: int) -> None:
    """Every kind has its status, survives the way to the client, and ends the command with its code."""
    answer = response(error)
    assert answer.status_code == status
    assert answer.media_type == "application/problem+json"
    arrived = error_of(problem(error))
    assert (str(arrived), arrived.reason) == ("m: r", error.reason)
    assert exit_code_of(arrived) == code


def test_a_busy_answer_says_when_to_come_back() -> None:
    """Retry-After is whole seconds, one at least."""
    assert response(errors.BusyError("m", retry_after=0.2)).headers["Retry-After"] == "1"
