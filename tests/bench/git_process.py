"""The git service in a process of its own, so that its memory and its turn at the interpreter are its own.

``python -m tests.bench.git_process`` reads one line of JSON: data folder, public key, workspaces with the
URLs of their remotes. It prints its address and serves until standard input ends.
"""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protos.git.v1 import git_pb2_grpc
from services.git import server
from services.git.ports import RemoteAddress, Token
from services.git.remotes import Policy
from services.runtime import serve
from services.runtime.clients import as_tenant, connect
from services.runtime.identity import Identity, Role, Verifier, sign

TENANT = "bench"
META = as_tenant(TENANT)
# The one workspace that is a partial clone.
PARTIAL = "partial"


@dataclass(frozen=True)
class GitProcess:
    """A service that runs: a stub of it, its process, its data folder."""

    stub: git_pb2_grpc.GitServiceStub
    pid: int
    data: Path

    def mirror(self, workspace: str) -> Path:
        """Give where the mirror of a workspace is."""
        return self.data / "git" / TENANT / f"{workspace}.git"

    def peak_bytes(self) -> int:
        """Give the most memory that the process has held at once; git's own processes are not in it."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def git_process(data: Path, workspaces: Mapping[str, str]) -> Iterator[GitProcess]:
    """Serve workspaces (id to URL of the remote) until the block ends."""
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    said = json.dumps({"data": str(data), "key": public, "workspaces": dict(workspaces)})
    command = [sys.executable, "-m", "tests.bench.git_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(said + "\n")
        process.stdin.flush()
        identity = Identity(TENANT, "u1", "ada", "Ada", "ada@lockstep.invalid", Role.VIEWER, "sync")

        # Services keep an identity for as long as it is good.
        @cache
        def token(minute: int) -> str:
            return sign(identity, key=key, key_id="k", now=60 * minute, jti="j")

        channel = connect(process.stdout.readline().strip(), lambda _: token(int(time.time()) // 60))
        with channel:
            yield GitProcess(git_pb2_grpc.GitServiceStub(channel), process.pid, data)
        process.stdin.close()


class _Workspaces:
    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls

    def resolve(self, tenant_id: str, workspace_id: str) -> RemoteAddress:
        assert tenant_id == TENANT
        url = self._urls[workspace_id]
        return RemoteAddress(url, url, "main", "", Token(""), partial_clone=workspace_id == PARTIAL)

    def forget(self, tenant_id: str, workspace_id: str) -> None:
        pass


def _main() -> None:
    said = json.loads(sys.stdin.readline())
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(said["key"]))
    servicer = server.wire(Path(said["data"]), _Workspaces(said["workspaces"]), Policy.standalone())
    running = serve.start(
        server.SERVICE,
        lambda s: server.register(s, servicer),
        # As in standalone mode.
        settings=serve.ServerSettings(f"unix:{said['data']}/socket"),
        verifier=Verifier(lambda: {"k": public}),
    )
    sys.stdout.write(running.address + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    running.stop(0)
    servicer.close()


if __name__ == "__main__":
    _main()
