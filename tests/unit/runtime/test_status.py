"""Errors cross services whole: code, reason, remedy, details."""

import grpc
import pytest
from google.rpc import code_pb2

from services.core import errors
from services.runtime.status import code_of, from_rpc_error, to_status

ALL = [
    errors.InvalidInputError("bad", remedy="good", violations=[errors.FieldViolation("/a", "is odd")]),
    errors.NotFoundError("nothing", remedy="look", reason="NO_BRANCH"),
    errors.AlreadyExistsError("there"),
    errors.StateError("not now", remedy="wait", reason="IMPORT_FIRST", metadata={"subject": "w"}),
    errors.NeedsPersonError("settle", why="conflict", ids=["1", "2"], remedy="resolve"),
    errors.MovedError("moved", reason="STALE_REF"),
    errors.BusyError("busy", retry_after=2.5),
    errors.UnavailableError("gone"),
    errors.TimeoutExceededError("late"),
    errors.CancelledError("left"),
    errors.SignInError("who?"),
    errors.ForbiddenError("no"),
]


class Failed(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """A failed call, as a client of gRPC gets it."""

    def __init__(self, status: object, code: grpc.StatusCode, details: str) -> None:
        self._trailing = (("grpc-status-details-bin", status.SerializeToString()),) if status else ()  # type: ignore[attr-defined]
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._trailing


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_it_was_raised(error: errors.LockstepError) -> None:
    """The same class with the same message, remedy, reason, metadata and details."""
    status = to_status(error)
    arrived = from_rpc_error(Failed(status, code_of(error), status.message))
    assert type(arrived) is type(error)
    assert (arrived.message, arrived.remedy, arrived.reason) == (error.message, error.remedy, error.reason)
    for name in ("violations", "why", "ids", "retry_after", "metadata"):
        assert getattr(arrived, name, None) == getattr(error, name, None)


def test_every_kind_of_error_has_a_code_of_its_own() -> None:
    """A caller can tell them apart; only what nobody foresaw is INTERNAL."""
    codes = {code_of(error) for error in ALL}
    assert grpc.StatusCode.INTERNAL not in codes
    assert code_of(errors.LockstepError("odd")) is grpc.StatusCode.INTERNAL
    assert to_status(ALL[0]).code == code_pb2.INVALID_ARGUMENT


def test_a_service_that_is_not_there_says_what_to_do() -> None:
    """An answer without our details is named after its code."""
    arrived = from_rpc_error(Failed(None, grpc.StatusCode.UNAVAILABLE, "connection refused"))
    assert isinstance(arrived, errors.UnavailableError)
    assert "lockstep doctor" in str(arrived)
