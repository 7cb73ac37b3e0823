"""A pr service over real gRPC, on a real database, with the other services in memory."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.auth.v1 import auth_pb2_grpc
from protos.git.v1 import git_pb2_grpc
from protos.pr.v1 import pr_pb2, pr_pb2_grpc
from protos.sync.v1 import sync_pb2_grpc
from services.pr.ports import Connect
from services.pr.server import FULL_NAME, Timing, register, wire
from services.pr.tables import metadata
from services.runtime import serve
from services.runtime.clients import as_tenant, connect
from services.runtime.database import Database
from services.runtime.identity import Identity, Role, Verifier, sign
from tests.fakes.services import FakeAuth, FakeGit, FakeSync
from tests.fakes.world import World

TENANT = "tenant-1"
KEY = Ed25519PrivateKey.generate()
VERIFIER = Verifier(lambda: {"k1": KEY.public_key()})
SECONDS = 20.0


class Killed(BaseException):
    """Ends a worker's thread on the spot, as a dying process would."""


class Clock:
    """The time, which tests may put forward."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


def identity(role: Role = Role.REVIEWER, tenant: str = TENANT, service: str = "") -> Identity:
    """Give a made-up caller."""
    return Identity(tenant, "u1", "grace", "Grace Hopper", "grace@example.org", role, service)


def token(who: Identity) -> str:
    """Sign an identity as auth would."""
    return sign(who, key=KEY, key_id="k1", now=int(time.time()), jti="j")


class Server:
    """Runs a servicer of any service in this process."""

    def __init__(self, name: str, add: Callable[..., None], servicer: object) -> None:
        settings = serve.ServerSettings("127.0.0.1:0", threads=12)
        register_it = lambda server: add(servicer, server)  # noqa: E731  the two take their arguments the other way
        self.running = serve.start(name, register_it, settings=settings, verifier=VERIFIER)
        self.address = self.running.address


@dataclass
class Others:
    """The stubs that pr is wired with."""

    git: git_pb2_grpc.GitServiceStub
    sync: sync_pb2_grpc.SyncServiceStub
    auth: auth_pb2_grpc.AuthServiceStub


@contextmanager
def others(world: World) -> Iterator[Others]:
    """Serve git, sync and auth in memory."""
    # The calls that pr never makes are left out.
    git, sync, auth = FakeGit(world), FakeSync(world), FakeAuth(world)  # type: ignore[abstract]
    servers = [
        Server("lockstep.git.v1.GitService", git_pb2_grpc.add_GitServiceServicer_to_server, git),
        Server("lockstep.sync.v1.SyncService", sync_pb2_grpc.add_SyncServiceServicer_to_server, sync),
        Server("lockstep.auth.v1.AuthService", auth_pb2_grpc.add_AuthServiceServicer_to_server, auth),
    ]
    channels = [connect(server.address, lambda tenant: token(identity(Role.ADMIN, tenant, "pr"))) for server in servers]
    try:
        yield Others(
            git_pb2_grpc.GitServiceStub(channels[0]),
            sync_pb2_grpc.SyncServiceStub(channels[1]),
            auth_pb2_grpc.AuthServiceStub(channels[2]),
        )
    finally:
        for channel in channels:
            channel.close()
        for server in servers:
            server.running.stop(0)


def _go_on(_name: str) -> None:
    """Let every step go on."""


class Installation:
    """One pr process: server, worker and a stub for callers."""

    def __init__(
        self,
        url: str,
        stubs: Others,
        *,
        clock: Clock | None = None,
        checkpoint: Callable[[str], None] = _go_on,
        connect_forge: Connect | None = None,
        start: bool = True,
        timing: Timing | None = None,
    ) -> None:
        self.database = Database.open(url, "pr", metadata)
        self.database.migrate()
        self.servicer, self.worker = wire(
            database=self.database,
            git_stub=stubs.git,
            sync_stub=stubs.sync,
            auth_stub=stubs.auth,
            clock=clock or Clock(),
            public_url="http://lockstep.test/",
            timing=timing or Timing(poll=0.2, idle=0.05, lease=2.0, merge_grace=0),
            checkpoint=checkpoint,
            connect=connect_forge,
            threads=2,
        )
        settings = serve.ServerSettings("127.0.0.1:0", threads=12)
        self.running = serve.start(
            FULL_NAME, lambda server: register(server, self.servicer), settings=settings, verifier=VERIFIER
        )
        self._channels = [connect(self.running.address, lambda tenant: token(identity(tenant=tenant)))]
        self.stub = pr_pb2_grpc.PrServiceStub(self._channels[0])
        if start:
            self.worker.start()

    def as_(self, who: Identity) -> pr_pb2_grpc.PrServiceStub:
        """Give a stub that calls as somebody else."""
        self._channels.append(connect(self.running.address, lambda _tenant: token(who)))
        return pr_pb2_grpc.PrServiceStub(self._channels[-1])

    def stop(self) -> None:
        """Stop worker and server."""
        self.worker.stop(5)
        for channel in self._channels:
            channel.close()
        self.running.stop(0)
        self.database.close()

    def create(self, *record_ids: str, **more: Any) -> pr_pb2.Publication:
        """Publish records of the workspace w1."""
        request = pr_pb2.CreatePublicationRequest(workspace_id="w1", record_ids=record_ids, **more)
        return self.stub.CreatePublication(request, metadata=as_tenant(TENANT), timeout=SECONDS).publication

    def get(self, name: str, workspace_id: str = "") -> pr_pb2.Publication:
        """Read a publication."""
        request = pr_pb2.GetPublicationRequest(workspace_id=workspace_id, publication=name)
        return self.stub.GetPublication(request, metadata=as_tenant(TENANT), timeout=SECONDS).publication

    def refresh(self, name: str) -> pr_pb2.Publication:
        """Ask the outside now."""
        request = pr_pb2.RefreshPublicationRequest(publication_id=name)
        return self.stub.RefreshPublication(request, metadata=as_tenant(TENANT), timeout=SECONDS).publication

    def merge(self, name: str) -> pr_pb2.MergePublicationResponse:
        """Merge on plain Git."""
        request = pr_pb2.MergePublicationRequest(publication_id=name)
        return self.stub.MergePublication(request, metadata=as_tenant(TENANT), timeout=SECONDS)

    def close(self, name: str) -> pr_pb2.Publication:
        """Close a publication."""
        request = pr_pb2.ClosePublicationRequest(publication_id=name)
        return self.stub.ClosePublication(request, metadata=as_tenant(TENANT), timeout=SECONDS).publication

    def watch(self, name: str) -> list[pr_pb2.WatchPublicationResponse]:
        """Watch a publication to the end of the stream."""
        request = pr_pb2.WatchPublicationRequest(publication_id=name)
        return list(self.stub.WatchPublication(request, metadata=as_tenant(TENANT), timeout=SECONDS))

    def until(self, name: str, *states: int) -> pr_pb2.Publication:
        """Wait until a publication is in one of the states."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            now = self.get(name)
            if now.state in states:
                return now
            time.sleep(0.05)
        raise AssertionError(f"still in state {now.state}, not {states}: {now.error}")
