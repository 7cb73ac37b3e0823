"""``python -m services.auth`` as a deployment runs it: PostgreSQL, mutual TLS, SIGTERM."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography.fernet import Fernet

from protos.auth.v1 import auth_pb2 as pb
from protos.auth.v1 import auth_pb2_grpc
from services.core.errors import LockstepError
from services.runtime import clients
from services.runtime.config import load
from services.runtime.launch import Environment, certificates_of
from tests.certificates import Authority

pytestmark = pytest.mark.postgresql


@pytest.fixture
def environment(tmp_path: Path, postgres_url: str) -> dict[str, str]:
    """Give the environment of a server installation."""
    files = Authority(tmp_path).issue("auth")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / "master").write_text(Fernet.generate_key().decode() + "\n")
    return {
        "LOCKSTEP_MODE": "server",
        "LOCKSTEP_LISTEN": address,
        "LOCKSTEP_ADDRESSES__AUTH": address,
        "LOCKSTEP_DATABASE_URL": postgres_url,
        "LOCKSTEP_TLS__CERTIFICATE": str(files.certificate),
        "LOCKSTEP_TLS__KEY": str(files.key),
        "LOCKSTEP_TLS__AUTHORITY": str(files.authority),
        "LOCKSTEP_SECRETS__MASTER_KEYS_FILE": str(tmp_path / "master"),
        "LOCKSTEP_SECRETS__INTERNAL_KEY": Fernet.generate_key().decode(),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def process(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run the service."""
    command = [sys.executable, "-m", "services.auth"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


def test_auth_serves_over_mutual_tls_and_drains_on_sigterm(
    environment: dict[str, str], process: subprocess.Popen[str], tmp_path: Path
) -> None:
    """The first operator signs in, a service proves itself, a stranger without certificate gets nowhere."""
    settings, _ = load(environ={key: value for key, value in environment.items() if key != "HOME"})
    git = Environment("git", settings, certificates_of(settings))
    wait_for(environment["LOCKSTEP_LISTEN"], process)
    command = [sys.executable, "-m", "services.auth", "first-admin", "Op", "op@example.org"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    signed_in = git.auth.ExchangeSession(pb.ExchangeSessionRequest(session_token=made.stdout.strip()))
    assert git.verifier.verify(signed_in.identity).username == "admin"

    with pytest.raises(LockstepError, match="no workspace"):
        git.auth.ResolveWorkspace(
            pb.ResolveWorkspaceRequest(workspace_id="x"), metadata=clients.as_tenant(signed_in.tenant_id)
        )
    authority = grpc.ssl_channel_credentials((tmp_path / "ca.pem").read_bytes())
    with grpc.secure_channel(environment["LOCKSTEP_LISTEN"], authority) as channel:
        stranger = auth_pb2_grpc.AuthServiceStub(channel)
        with pytest.raises(grpc.RpcError):
            stranger.ListVerificationKeys(pb.ListVerificationKeysRequest(), timeout=10)

    process.send_signal(signal.SIGTERM)
    log = process.communicate(timeout=60)[1]
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert made.stdout.strip() not in log


def wait_for(address: str, process: subprocess.Popen[str]) -> None:
    """Wait until the service answers."""
    host, _, port = address.rpartition(":")
    for _ in range(300):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.1)
        else:
            return
    pytest.fail("the service does not answer")
