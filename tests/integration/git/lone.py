"""Starts, calls and kills git services that run in processes of their own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protos.git.v1 import git_pb2_grpc
from services.runtime.clients import connect
from services.runtime.identity import Identity, Role, sign
from tests.integration.git.conftest import TENANT, WORKSPACE

ROOT = Path(__file__).parents[3]


@dataclass
class LoneService:
    """One service process. ``log`` is where its standard error goes."""

    data: Path
    log: Path
    process: "subprocess.Popen[str]"
    stub: git_pb2_grpc.GitServiceStub
    channel: grpc.Channel

    def kill(self) -> None:
        """Kill it with SIGKILL, as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait()
        self.channel.close()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


@dataclass
class Launcher:
    """Starts services. All take the same callers' key."""

    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    started: list[LoneService] = field(default_factory=list)

    def __call__(self, url: str, *, data: str = "data", token: str = "", lock_seconds: float = 30.0) -> LoneService:
        """Start one on a data folder; give it once it answers."""
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        settings = {
            "data": str(self.folder / data),
            "key": public,
            "workspaces": {WORKSPACE: {"url": url, "token": token}},
            "lock_seconds": lock_seconds,
        }
        log = self.folder / f"service-{len(self.started)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.git.lone_service"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        address = process.stdout.readline().strip()
        assert address, log.read_text(encoding="utf-8")
        channel = connect(address, self._identity)
        service = LoneService(self.folder / data, log, process, git_pb2_grpc.GitServiceStub(channel), channel)
        self.started.append(service)
        return service

    def _identity(self, _tenant: str) -> str:
        identity = Identity(TENANT, "u1", "ada", "Ada", "ada@lockstep.invalid", Role.VIEWER, "sync")
        return sign(identity, key=self.key, key_id="k", now=int(time.time()), jti="j")


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    """Give a launcher; what it started is gone afterwards."""
    launcher = Launcher(tmp_path)
    yield launcher
    for service in launcher.started:
        with contextlib.suppress(OSError):
            service.kill()


def gits_at(folder: Path, command: str = "") -> list[int]:
    """Give the processes, whoever's they are now, whose GIT_DIR is below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes()
            line = (entry / "cmdline").read_bytes()
            if b"GIT_DIR=" + bytes(folder) in environment and line and command.encode() in line:
                found.append(int(entry.name))
    return found


def until(what: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def kill_one(pid: int) -> None:
    """Kill a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
