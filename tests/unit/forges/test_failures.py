"""What a forge's refusals become."""

import pytest

from services.core import errors
from services.forges.failures import Failures, Refusal

FAILURES = Failures("GitHub", "api.github.com", "t0ken", lambda: 1_000.0)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Refusal(400, "", {}), errors.InvalidInputError),
        (Refusal(401, "Bad credentials", {}), errors.SignInError),
        (Refusal(403, "Resource not accessible", {"x-ratelimit-remaining": "4999"}), errors.ForbiddenError),
        (Refusal(403, "API rate limit exceeded", {}), errors.BusyError),
        (Refusal(403, "Forbidden", {"x-ratelimit-remaining": "0"}), errors.BusyError),
        (Refusal(403, "You have exceeded a secondary rate limit", {}), errors.BusyError),
        (Refusal(404, "Not Found", {}), errors.NotFoundError),
        (Refusal(405, "", {}), errors.StateError),
        (Refusal(408, "", {}), errors.UnavailableError),
        (Refusal(409, "Another open merge request already exists", {}), errors.AlreadyExistsError),
        (Refusal(409, "Conflict", {}), errors.StateError),
        (Refusal(410, "Gone", {}), errors.NotFoundError),
        (Refusal(422, "A pull request already exists for o:b.", {}), errors.AlreadyExistsError),
        (Refusal(422, "Validation Failed", {}), errors.InvalidInputError),
        (Refusal(429, "", {}), errors.BusyError),
        (Refusal(500, "", {}), errors.UnavailableError),
        (Refusal(521, "", {}), errors.UnavailableError),
        (Refusal(307, "", {"location": "https://h/x"}), errors.StateError),
    ],
)
def test_each_refusal_becomes_one_kind_of_error_with_a_remedy(
    refusal: Refusal, kind: type[errors.LockstepError]
) -> None:
    """The kind tells what may help: waiting, another token, another address, other input."""
    error = FAILURES.refused("repository 'o/r'", refusal)
    assert type(error) is kind
    assert error.remedy
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30", "x-ratelimit-reset": "9999"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:17:00 GMT"}, 20.0),
        ({"retry-after": "soon"}, 60.0),
        ({"x-ratelimit-reset": "1090"}, 90.0),
        ({"ratelimit-reset": "1090"}, 90.0),
        ({"x-ratelimit-reset": "500"}, 1.0),
        ({}, 60.0),
    ],
)
def test_the_pause_is_the_forge_s(headers: dict[str, str], seconds: float) -> None:
    """Retry-After goes first, then the reset time, then a minute."""
    error = FAILURES.refused("repository 'o/r'", Refusal(429, "", headers))
    assert isinstance(error, errors.BusyError)
    assert error.retry_after == seconds


def test_neither_token_nor_user_information_is_shown() -> None:
    """Whatever the forge repeats."""
    words = "no t0ken at https://me:pw@h/x for t0ken\nand more"
    for status in (403, 409, 418, 422):
        text = str(FAILURES.refused("repository 'o/r'", Refusal(status, words, {})))
        assert "t0ken" not in text
        assert "pw@" not in text
    moved = str(FAILURES.moved("repository 'o/r'", "https://me:pw@h/x?private_token=t0ken"))
    assert "https://h/x" in moved
    assert "t0ken" not in moved
