"""Errors cross services whole: code, reason, remedy, details."""

from collections.abc import Callable, Iterator

import grpc
import pytest
from google.rpc import code_pb2

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from services.runtime import clients, serve
from services.runtime.identity import Verifier
from services.runtime.status import code_of, to_status
from tests.fakes.raising import Raising

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


def wanted(name: str) -> Exception:
    """Give the error of a number; anything else is one that nobody foresaw."""
    return ALL[int(name)] if name.isdecimal() else ZeroDivisionError("a secret detail")


@pytest.fixture(scope="module")
def stub() -> Iterator[git_pb2_grpc.GitServiceStub]:
    """Give a stub of a service that raises."""
    servicer = Raising(wanted)  # type: ignore[abstract]  # two methods are enough here
    methods = {f"/lockstep.git.v1.GitService/{name}" for name in ("DropMirror", "Fetch")}
    running = serve.start(
        "lockstep.git.v1.GitService",
        lambda server: git_pb2_grpc.add_GitServiceServicer_to_server(servicer, server),
        settings=serve.ServerSettings("127.0.0.1:0", threads=2),
        verifier=Verifier(dict),
        public_methods=frozenset(methods),
    )
    with clients.connect(running.address) as channel:
        yield git_pb2_grpc.GitServiceStub(channel)
    running.stop(0)


def call(stub: git_pb2_grpc.GitServiceStub, name: str) -> None:
    """Call once."""
    stub.DropMirror(git_pb2.DropMirrorRequest(workspace_id=name))


def read(stub: git_pb2_grpc.GitServiceStub, name: str) -> None:
    """Read a stream to its end."""
    list(stub.Fetch(git_pb2.FetchRequest(workspace_id=name)))


@pytest.mark.parametrize("ask", [call, read])
@pytest.mark.parametrize("number", range(len(ALL)), ids=lambda number: type(ALL[number]).__name__)
def test_an_error_arrives_as_it_was_raised(
    stub: git_pb2_grpc.GitServiceStub, number: int, ask: Callable[[git_pb2_grpc.GitServiceStub, str], None]
) -> None:
    """The same class with the same message, remedy, reason, metadata and details, in answers and in streams."""
    error = ALL[number]
    with pytest.raises(type(error)) as caught:
        ask(stub, str(number))
    arrived = caught.value
    assert type(arrived) is type(error)
    for name in ("message", "remedy", "reason", "metadata", "violations", "why", "ids", "retry_after"):
        assert getattr(arrived, name, None) == getattr(error, name, None)


@pytest.mark.parametrize("ask", [call, read])
def test_what_nobody_foresaw_shows_nothing_of_itself(
    stub: git_pb2_grpc.GitServiceStub, ask: Callable[[git_pb2_grpc.GitServiceStub, str], None]
) -> None:
    """The caller learns that it failed; the details are in the log only."""
    with pytest.raises(errors.LockstepError, match="nobody foresaw") as caught:
        ask(stub, "surprise")
    assert "secret detail" not in str(caught.value)


def test_a_call_without_an_identity_is_refused(stub: git_pb2_grpc.GitServiceStub) -> None:
    """Every method that is not public needs one."""
    with pytest.raises(errors.SignInError):
        stub.GetStatus(git_pb2.GetStatusRequest(workspace_id="1"))


def test_every_kind_of_error_has_a_code_of_its_own() -> None:
    """A caller can tell them apart; only what nobody foresaw is INTERNAL."""
    codes = {code_of(error) for error in ALL}
    assert grpc.StatusCode.INTERNAL not in codes
    assert code_of(errors.LockstepError("odd")) is grpc.StatusCode.INTERNAL
    assert to_status(ALL[0]).code == code_pb2.INVALID_ARGUMENT


def test_a_service_that_is_not_there_says_what_to_do() -> None:
    """An answer without our details is named after its code."""
    with clients.connect("127.0.0.1:9") as channel, pytest.raises(errors.UnavailableError, match="lockstep doctor"):
        call(git_pb2_grpc.GitServiceStub(channel), "0")
