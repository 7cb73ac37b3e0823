"""Where addresses come from, and who may write: between services and between processes."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from services.core.errors import BusyError, NotFoundError
from services.git.locks import WriterLocks
from services.git.workspaces import REMEMBERED_SECONDS, AuthWorkspaces
from services.runtime.clients import connect

TOKEN = "ghp_" + "t" * 36


class Auth(auth_pb2_grpc.AuthServiceServicer):
    """Auth, as far as this service asks it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.upstream = ""

    def ResolveWorkspace(  # noqa: N802
        self, request: auth_pb2.ResolveWorkspaceRequest, context: grpc.ServicerContext
    ) -> auth_pb2.ResolveWorkspaceResponse:
        caller = dict(context.invocation_metadata())
        self.asked.append(str(caller["authorization"]))
        if request.workspace_id != "w":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such workspace")
        workspace = auth_pb2.Workspace(
            id="w", repository_url="https://h.invalid/fork", branch="main", upstream_url=self.upstream
        )
        return auth_pb2.ResolveWorkspaceResponse(workspace=workspace, token=TOKEN, username="bot")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def auth() -> Auth:
    """Give an auth."""
    return Auth()  # type: ignore[abstract]  # grpc answers UNIMPLEMENTED for the rest


@pytest.fixture
def stub(auth: Auth) -> Iterator[auth_pb2_grpc.AuthServiceStub]:
    """Give a stub of it."""
    server = grpc.server(ThreadPoolExecutor(2))
    auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with connect(f"127.0.0.1:{port}", lambda tenant: f"identity-of-git-in-{tenant}") as channel:
        yield auth_pb2_grpc.AuthServiceStub(channel)
    server.stop(0).wait()


def test_an_address_is_asked_as_the_service_and_remembered_for_seconds(
    auth: Auth, stub: auth_pb2_grpc.AuthServiceStub
) -> None:
    """One question serves a few seconds and one tenant; a refused token is asked for anew."""
    clock = Clock()
    workspaces = AuthWorkspaces(stub, clock)
    address = workspaces.resolve("t1", "w")
    assert (address.target_url, address.push_url) == ("https://h.invalid/fork", "https://h.invalid/fork")
    assert (address.username, address.token.reveal()) == ("bot", TOKEN)
    assert TOKEN not in repr(address)
    workspaces.resolve("t1", "w")
    assert auth.asked == ["Bearer identity-of-git-in-t1"]
    workspaces.resolve("t2", "w")
    assert auth.asked[-1] == "Bearer identity-of-git-in-t2"
    clock.now += REMEMBERED_SECONDS
    workspaces.resolve("t1", "w")
    assert len(auth.asked) == 3
    workspaces.forget("t1", "w")
    workspaces.resolve("t1", "w")
    assert len(auth.asked) == 4


def test_the_upstream_is_the_target_and_the_fork_is_pushed_to(auth: Auth, stub: auth_pb2_grpc.AuthServiceStub) -> None:
    """With an upstream, importing and proposing go there; pushing goes to the repository."""
    auth.upstream = "https://h.invalid/upstream"
    address = AuthWorkspaces(stub).resolve("t1", "w")
    assert (address.target_url, address.push_url) == ("https://h.invalid/upstream", "https://h.invalid/fork")


def test_an_unknown_workspace_is_unknown(stub: auth_pb2_grpc.AuthServiceStub) -> None:
    """What auth does not know is not found here either."""
    with pytest.raises(NotFoundError):
        AuthWorkspaces(stub).resolve("t1", "other")


def test_a_writer_of_another_process_is_waited_for(tmp_path: Path) -> None:
    """The lock holds between processes, ends with the process that held it, and tells that it died."""
    file = tmp_path / "w.lock"
    script = (
        "import sys, time; from pathlib import Path; from services.git.locks import WriterLocks\n"
        f"with WriterLocks(5).hold(Path({str(file)!r})): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BusyError), WriterLocks(0.2).hold(file):
            pass
        other.kill()
    with WriterLocks(5).hold(file) as held:
        assert held.unclean
    with WriterLocks(5).hold(file) as held:
        assert not held.unclean
