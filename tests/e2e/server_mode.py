"""A server installation as an operator has it: one process for each service, PostgreSQL, mutual TLS."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import grpc
import httpx2
from cryptography.fernet import Fernet
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from protos.git.v1 import git_pb2
from protos.pr.v1 import pr_pb2
from protos.sync.v1 import sync_pb2
from services.runtime import clients
from services.runtime.interceptors import AUTHORIZATION
from services.runtime.tls import Certificates
from tests.certificates import Authority
from tests.e2e.installation import ROOT, Answer, Installation

CONTRACTS: dict[str, ModuleType] = {"auth": auth_pb2, "git": git_pb2, "sync": sync_pb2, "pr": pr_pb2}
SERVICES = tuple(CONTRACTS)
PROCESSES = (*SERVICES, "gateway")
START_SECONDS = 90.0
# Kubernetes kills after 30.
GRACE_SECONDS = 29.0

Bearer: TypeAlias = tuple[tuple[str, str], ...]


def command(name: str) -> list[str]:
    """Give the command that runs a process of the installation."""
    return [sys.executable, "-m", "gateway" if name == "gateway" else f"services.{name}"]


@dataclass
class Server:
    """Five processes (and replicas of them), by name, with one environment for all."""

    folder: Path
    database_url: str
    authority: Authority
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose ports and keys."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.addresses = dict(zip((*PROCESSES, "pr-2"), _free_addresses(len(PROCESSES) + 1), strict=True))
        for name, content in (
            ("database-url", self.database_url),
            ("master-keys", Fernet.generate_key().decode()),
            ("internal-key", secrets.token_urlsafe(48)),
        ):
            (self.folder / name).write_text(content + "\n")
        self.client = self.authority.issue("client")

    @property
    def url(self) -> str:
        """Give the address of the gateway."""
        return f"http://{self.addresses['gateway']}"

    def environ(self, name: str) -> dict[str, str]:
        """Give the whole environment of a process; ``pr-2`` is a replica of pr."""
        service, tls = name.partition("-")[0], self.authority.issue(name)
        found = {f"LOCKSTEP_ADDRESSES__{other.upper()}": self.addresses[other] for other in SERVICES}
        found |= {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LOCKSTEP_MODE": "server",
            "LOCKSTEP_DATA": str(self.folder / service),
            "LOCKSTEP_PUBLIC_URL": self.url,
            "LOCKSTEP_POLL_SECONDS": "1",
            "LOCKSTEP_GITHUB__URL": "",
            "LOCKSTEP_GITLAB__URL": "",
            "LOCKSTEP_GIT__ALLOWED_PROTOCOLS": "https,file",
            "LOCKSTEP_DATABASE_URL_FILE": str(self.folder / "database-url"),
            "LOCKSTEP_SECRETS__MASTER_KEYS_FILE": str(self.folder / "master-keys"),
            "LOCKSTEP_SECRETS__INTERNAL_KEY_FILE": str(self.folder / "internal-key"),
            "LOCKSTEP_TLS__CERTIFICATE": str(tls.certificate),
            "LOCKSTEP_TLS__KEY": str(tls.key),
            "LOCKSTEP_TLS__AUTHORITY": str(tls.authority),
        }
        host, _, port = self.addresses[name].rpartition(":")
        if name == "gateway":
            return found | {"LOCKSTEP_HOST": host, "LOCKSTEP_PORT": port}
        return found | {"LOCKSTEP_LISTEN": self.addresses[name]}

    def start(self, *names: str, run: list[str] | None = None) -> None:
        """Start processes at once, all five without names, in no order; wait until they serve."""
        for name in names or PROCESSES:
            with self.log(name).open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    run or command(name),
                    cwd=ROOT,
                    env=self.environ(name),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        for name in names or PROCESSES:
            self.wait(partial(self.serves, name), f"{name} to serve", name)

    def serves(self, name: str) -> bool:
        """Say whether a process answers that it serves; the gateway only when all services do."""
        process = self.processes[name]
        assert process.poll() is None, self.log(name).read_text()
        if name == "gateway":
            try:
                return httpx2.get(f"{self.url}/readyz", trust_env=False, timeout=10).is_success
            except httpx2.TransportError:
                return False
        with self.channel(name) as channel:
            try:
                return healthy(channel)
            except grpc.RpcError:
                return False

    def stop(self, *names: str) -> dict[str, int]:
        """Send SIGTERM to processes at once, all without names; give their exit codes."""
        asked = {name: self.processes.pop(name) for name in names or tuple(self.processes)}
        for process in asked.values():
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        return {name: process.wait(max(0.1, until - time.monotonic())) for name, process in asked.items()}

    def kill(self) -> None:
        """End what runs without a chance to clean up."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.processes.clear()

    def log(self, name: str) -> Path:
        """Give the file with what a process printed."""
        return self.folder / f"{name}.log"

    def wait(self, condition: Callable[[], object], what: str, name: str, seconds: float = START_SECONDS) -> None:
        """Wait until a condition holds."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"waited in vain for {what}; its log says:\n{self.log(name).read_text()[-3000:]}")
            time.sleep(0.1)

    @contextmanager
    def channel(self, name: str, certificates: Certificates | None = None) -> Iterator[grpc.Channel]:
        """Give a channel to a service, with a certificate of the installation's authority."""
        credentials = (certificates or self.client).channel()
        with grpc.secure_channel(self.addresses[name], credentials) as channel:
            yield channel

    def bearer(self, token: str) -> Bearer:
        """Give the metadata of somebody's calls."""
        with self.channel("auth") as channel:
            request = auth_pb2.ExchangeSessionRequest(session_token=token)
            answer = auth_pb2_grpc.AuthServiceStub(channel).ExchangeSession(request, timeout=30)
        return ((AUTHORIZATION, f"Bearer {answer.identity}"),)

    def service_bearer(self, service: str, tenant_id: str) -> Bearer:
        """Give the metadata of a service's calls in a tenant."""
        key = (self.folder / "internal-key").read_bytes().strip()
        proof = clients.prove(service, key, int(time.time()))
        with self.channel("auth") as channel:
            request = auth_pb2.IssueServiceIdentityRequest(service_proof=proof, tenant_id=tenant_id)
            answer = auth_pb2_grpc.AuthServiceStub(channel).IssueServiceIdentity(request, timeout=30)
        return ((AUTHORIZATION, f"Bearer {answer.identity}"),)

    def first_admin(self) -> str:
        """Give the token that the operator makes at the command line."""
        done = subprocess.run(
            [*command("auth"), "first-admin", "Op Example", "op@example.org"],
            cwd=ROOT,
            env=self.environ("auth"),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()


@dataclass
class Person:
    """Somebody with a token and the command line, on a machine without Lockstep's data."""

    server: Server
    token: str = field(repr=False)

    def run(self, *arguments: str, stdin: str = "") -> Answer:
        """Run a command of the command line."""
        client = {"LOCKSTEP_SERVER": self.server.url, "LOCKSTEP_TOKEN": self.token}
        return Installation(self.server.folder / "nothing").run(*arguments, stdin=stdin, env=client)

    def do(self, *arguments: str, stdin: str = "") -> Any:
        """Run a command that has to succeed; give its JSON."""
        answer = self.run(*arguments, "--json", stdin=stdin)
        assert answer.code == 0, (arguments, answer)
        return answer.json

    def http(self) -> httpx2.Client:
        """Give a client of the API."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx2.Client(base_url=self.server.url, headers=headers, trust_env=False, timeout=60)


def healthy(channel: grpc.Channel, service: str = "") -> bool:
    """Ask a server's health; raise grpc.RpcError where it does not even tell that."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _free_addresses(count: int) -> list[str]:
    """Give addresses that nobody listens on, all taken at once so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in held]
    finally:
        for one in held:
            one.close()
