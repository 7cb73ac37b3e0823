"""A git service behind a real gRPC server, over real repositories."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core.errors import NotFoundError
from services.git import server
from services.git.ports import RemoteAddress, Token
from services.git.remotes import Policy
from services.git.servicer import GitServicer
from services.runtime import serve
from services.runtime.clients import as_tenant, connect
from services.runtime.identity import Identity, Role, Verifier, sign
from tests.standins.git_http import GitHost, git

TENANT = "tenant-1"
WORKSPACE = "workspace-1"


class KnownWorkspaces:
    """The port's contract over a dict: what auth would say."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], RemoteAddress] = {}
        self.forgotten = 0

    def resolve(self, tenant_id: str, workspace_id: str) -> RemoteAddress:
        if (tenant_id, workspace_id) not in self.known:
            raise NotFoundError(f"there is no workspace {workspace_id!r}", remedy="add it")
        return self.known[tenant_id, workspace_id]

    def forget(self, tenant_id: str, workspace_id: str) -> None:  # noqa: ARG002  the port's signature
        self.forgotten += 1

    def put(
        self,
        url: str,
        *,
        branch: str = "main",
        push_url: str = "",
        token: str = "",
        workspace: str = WORKSPACE,
        partial_clone: bool = False,
    ) -> None:
        address = RemoteAddress(url, push_url or url, branch, "tester", Token(token), partial_clone=partial_clone)
        self.known[TENANT, workspace] = address


@dataclass
class Service:
    """A running service and the ways to call it."""

    data: Path
    workspaces: KnownWorkspaces
    servicer: GitServicer
    running: serve.RunningServer
    key: Ed25519PrivateKey
    channels: list[grpc.Channel] = field(default_factory=list)

    def stub(
        self, service: str = "sync", tenant: str = TENANT, role: Role = Role.VIEWER
    ) -> git_pb2_grpc.GitServiceStub:
        """Give a stub that calls as a service, or as a person with a role when ``service`` is empty."""
        identity = Identity(tenant, "u1", "ada", "Ada", "ada@lockstep.invalid", role, service)

        def token(_: str) -> str:
            return sign(identity, key=self.key, key_id="k", now=int(time.time()), jti="j")

        channel = connect(self.running.address, token)
        self.channels.append(channel)
        return git_pb2_grpc.GitServiceStub(channel)

    def mirror(self, workspace: str = WORKSPACE) -> Path:
        return self.data / "git" / TENANT / f"{workspace}.git"

    def stop(self) -> None:
        for channel in self.channels:
            channel.close()
        self.running.stop(0)
        self.servicer.close()


META = as_tenant(TENANT)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Give a function that starts a service under a policy."""
    services: list[Service] = []

    def start_one(policy: Policy | None = None, data: str = "data") -> Service:
        workspaces = KnownWorkspaces()
        servicer = server.wire(tmp_path / data, workspaces, policy or Policy.standalone())
        key = Ed25519PrivateKey.generate()
        running = serve.start(
            server.SERVICE,
            lambda s: server.register(s, servicer),
            settings=serve.ServerSettings("127.0.0.1:0"),
            verifier=Verifier(lambda: {"k": key.public_key()}),
        )
        services.append(Service(tmp_path / data, workspaces, servicer, running, key))
        return services[-1]

    yield start_one
    for service in services:
        service.stop()


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    """Give a service that a person runs on one machine."""
    return start()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Give a bare repository with three commits on main."""
    return make_repository(tmp_path / "remotes", "records")


@pytest.fixture
def remote(bare: Path, service: Service) -> Path:
    """Give a bare repository that the workspace is on."""
    service.workspaces.put(f"file://{bare}")
    return bare


@pytest.fixture
def host(tmp_path: Path, bare: Path, canary: str) -> Iterator[GitHost]:
    """Give an HTTP host of the repository ``records`` that wants the canary token."""
    host = GitHost(tmp_path / "remotes", canary).start()
    yield host
    host.stop()


def make_repository(folder: Path, name: str) -> Path:
    """Make a bare repository with three commits on main."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.git"
    git(folder, "init", "-q", "--bare", "-b", "main", path)
    git(path, "config", "http.receivepack", "true")
    work = folder / f"{name}-work"
    git(folder, "clone", "-q", path, work)
    for number in range(3):
        (work / "records").mkdir(exist_ok=True)
        (work / "records" / f"r{number}.json").write_text(f'{{"id": {number}}}\n', encoding="utf-8")
        (work / "README.md").write_text(f"version {number}\n", encoding="utf-8")
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", f"commit {number}")
    git(work, "push", "-q", "origin", "HEAD:main")
    return path


def commit_file(bare: Path, path: str, content: str, branch: str = "main") -> str:
    """Let somebody else push a change; give the commit."""
    work = bare.parent / f"{bare.stem}-work"
    git(work, "fetch", "-q", "origin")
    git(work, "checkout", "-q", "-B", branch, f"origin/{branch}")
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    (work / path).write_text(content, encoding="utf-8")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", f"change {path}")
    git(work, "push", "-q", "origin", f"HEAD:{branch}")
    return git(work, "rev-parse", "HEAD")


def fetch(stub: git_pb2_grpc.GitServiceStub, workspace: str = WORKSPACE) -> git_pb2.FetchResult:
    """Fetch; give the result."""
    *_, last = stub.Fetch(git_pb2.FetchRequest(workspace_id=workspace), metadata=META)
    assert last.WhichOneof("event") == "result"
    return last.result


def processes_at(folder: Path) -> list[int]:
    """Give the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cwd").resolve() == folder.resolve():
                    found.append(int(entry.name))
    return found
