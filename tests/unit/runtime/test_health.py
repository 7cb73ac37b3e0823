"""Health without a certificate: a port of its own that tells whether the service serves, and nothing else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core.errors import UnavailableError
from services.runtime import serve
from services.runtime.identity import Verifier
from services.runtime.tls import Certificates
from tests.certificates import Authority
from tests.fakes.raising import Raising

SERVICE = "lockstep.git.v1.GitService"
SERVING = health_pb2.HealthCheckResponse.SERVING


def start(files: Certificates, port: int, wanted: Callable[[str], Exception] = ValueError) -> serve.RunningServer:
    """Serve a method that fails as ``wanted`` says, with mutual TLS, and health at ``port``."""
    servicer = Raising(wanted)  # type: ignore[abstract]  # two methods are enough here
    return serve.start(
        SERVICE,
        lambda server: git_pb2_grpc.add_GitServiceServicer_to_server(servicer, server),
        settings=serve.ServerSettings("127.0.0.1:0", threads=2, certificates=files, health_port=port),
        verifier=Verifier(dict),
        public_methods=frozenset({f"/{SERVICE}/DropMirror"}),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give a certificate that server and client show each other."""
    return Authority(tmp_path_factory.mktemp("tls")).issue("git")


@pytest.fixture
def port() -> int:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@pytest.fixture
def running(files: Certificates, port: int) -> Iterator[serve.RunningServer]:
    """Give a server that tells its health at ``port``."""
    server = start(files, port)
    yield server
    server.stop(0)


def status(port: int, service: str = "") -> int:
    """Ask as a kubelet does."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status)


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_is_told_to_who_has_no_certificate(running: serve.RunningServer, port: int, service: str) -> None:
    """The server as a whole and its service both serve."""
    assert status(port, service) == SERVING


def test_nothing_else_is_told_there(running: serve.RunningServer, port: int) -> None:
    """The service's methods are not there, not even one that is open to everybody."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as refused:
        git_pb2_grpc.GitServiceStub(channel).DropMirror(git_pb2.DropMirrorRequest(workspace_id="w"), timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_server_that_drains_does_not_serve(files: Certificates, port: int) -> None:
    """While a call is let finish, health says that no new ones should come; afterwards nobody answers."""
    begun, go_on = threading.Event(), threading.Event()

    def wanted(name: str) -> Exception:
        begun.set()
        go_on.wait(30)
        return ValueError(name)

    server = start(files, port, wanted)
    with grpc.secure_channel(server.address, files.channel()) as channel:
        stub = git_pb2_grpc.GitServiceStub(channel)
        call = stub.DropMirror.future(git_pb2.DropMirrorRequest(workspace_id="w"), timeout=30)
        assert begun.wait(30)
        ending = threading.Thread(target=server.stop, args=(30.0,))
        ending.start()
        until = time.monotonic() + 10
        while status(port) == SERVING:
            assert time.monotonic() < until
        go_on.set()
        assert call.code() is grpc.StatusCode.INTERNAL
        ending.join()
    with pytest.raises(grpc.RpcError):
        status(port)


def test_a_taken_port_is_told(running: serve.RunningServer, port: int, files: Certificates) -> None:
    """A second server at the same port does not start, and names the setting."""
    with pytest.raises(UnavailableError, match="health") as refused:
        start(files, port)
    assert "LOCKSTEP_HEALTH_PORT" in refused.value.remedy
