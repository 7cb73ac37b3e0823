"""Server mode: five processes, PostgreSQL, mutual TLS, replicas that die."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from protos.pr.v1 import pr_pb2, pr_pb2_grpc
from services.runtime.tls import Certificates
from tests.certificates import Authority
from tests.e2e.installation import ROOT, Installation
from tests.e2e.server_mode import CONTRACTS, PROCESSES, SERVICES, Person, Server, command, healthy
from tests.remote import Remote

pytestmark = [pytest.mark.postgresql, pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_main_job(operator: Person, workspace: str, remote: Remote, canary: str) -> None:
    """Add, pull, edit, publish, merge: the remote holds the edit, and both sides are proven to be in sync."""
    operator.do("workspace", "set", workspace, "--token-stdin", stdin=canary)
    made = operator.do("create-pr", "-w", workspace)
    assert made["pr_url"].startswith(operator.server.url)
    operator.do("publications", "merge", str(made["pr_number"]), "-w", workspace)
    assert operator.do("git-status", "-w", workspace)["in_sync"]
    assert b'"size": 30' in remote.read("data/a.json")
    assert "Op Example" in remote.git("log", "--format=%an", "main")


def test_processes_end_on_sigterm_and_go_on_where_they_were(
    server: Server, operator: Person, workspace: str, remote: Remote
) -> None:
    """All end by themselves within Kubernetes' grace with exit code 0; started again, nothing is missing."""
    assert server.stop() == dict.fromkeys(PROCESSES, 0)
    for name in PROCESSES:
        log = server.log(name).read_text()
        kept = [(server.folder / secret).read_text().strip() for secret in ("internal-key", "master-keys")]
        assert not any(told in log for told in ("Traceback", operator.token, *kept)), name
    server.start()
    assert operator.do("git-status", "-w", workspace)["pending"] == 1
    made = operator.do("create-pr", "-w", workspace)
    operator.do("publications", "merge", str(made["pr_number"]), "-w", workspace)
    assert operator.do("git-status", "-w", workspace)["in_sync"]


def test_a_service_that_comes_back_is_found_again(server: Server, operator: Person, workspace: str) -> None:
    """While auth is away calls fail with one line; the others reach it again seconds after it is back."""
    assert server.stop("auth") == {"auth": 0}
    answer = operator.run("git-pull", workspace)
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1
    server.start("auth")
    server.wait(lambda: operator.run("git-pull", workspace).code == 0, "a pull", "sync", seconds=10)


@pytest.mark.parametrize("name", PROCESSES)
def test_without_certificates_nothing_starts(server: Server, name: str) -> None:
    """Each process refuses with one line that names the setting."""
    without = {key: value for key, value in server.environ(name).items() if "_TLS__" not in key}
    assert "LOCKSTEP_TLS__CERTIFICATE" in refusal(name, without)


WRONG = [
    ("gateway", {"TLS__AUTHORITY": "/nowhere/ca.pem"}, "/nowhere/ca.pem cannot be read"),
    ("sync", {"TLS__KEY": "{folder}/internal-key"}, "internal-key holds no private key"),
    ("git", {"TLS__KEY": "{client}"}, "client.key is not the key of"),
    ("pr", {"DATABASE_URL_FILE": "{folder}/internal-key"}, "LOCKSTEP_DATABASE_URL"),
    ("sync", {"DATABASE_URL_FILE": "{folder}/sqlite"}, "LOCKSTEP_DATABASE_URL"),
    ("pr", {"SECRETS__INTERNAL_KEY_FILE": "{folder}/placeholder"}, "secrets.internal_key is a placeholder"),
    ("gateway", {"LISTEN": "everywhere"}, "LOCKSTEP_LISTEN"),
]


@pytest.mark.parametrize(("name", "changed", "told"), WRONG)
def test_wrong_settings_are_told_in_one_line(server: Server, name: str, changed: dict[str, str], told: str) -> None:
    """A process with a setting that cannot be right refuses to start, and names it without its secret."""
    (server.folder / "sqlite").write_text(f"sqlite:///{server.folder}/one.db")
    (server.folder / "placeholder").write_text("changeme" * 8)
    values = {
        f"LOCKSTEP_{key}": value.format(folder=server.folder, client=server.client.key)
        for key, value in changed.items()
    }
    line = refusal(name, server.environ(name) | values)
    assert told in line
    assert (server.folder / "internal-key").read_text().strip() not in line


@pytest.mark.parametrize("name", ["auth", "gateway"])
def test_a_taken_address_is_told_in_one_line(server: Server, name: str) -> None:
    """A second process at the same address ends with one line; the first goes on."""
    assert server.addresses[name] in refusal(name, server.environ(name), code=1)
    assert server.serves(name)


def refusal(name: str, environ: dict[str, str], code: int = 2) -> str:
    """Give the one line with which a process refuses to start."""
    done = subprocess.run(command(name), cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done
    assert done.stdout == ""
    # gRPC itself tells why it cannot bind an address, in its own words.
    [line] = [line for line in done.stderr.splitlines() if " add_port.cc:" not in line]
    return line


@pytest.mark.parametrize("name", SERVICES)
def test_strangers_are_refused(server: Server, tmp_path: Path, name: str) -> None:
    """Who has no certificate, or one of another authority, or speaks no TLS, is not even told the health."""
    foreign = Authority(tmp_path / "foreign").issue("client")
    address, ours = server.addresses[name], server.authority.path.read_bytes()
    strangers = {
        "no certificate": grpc.secure_channel(address, grpc.ssl_channel_credentials(ours)),
        "a foreign one": grpc.secure_channel(
            address, Certificates(foreign.certificate, foreign.key, server.authority.path).channel()
        ),
        "no TLS": grpc.insecure_channel(address),
    }
    for who, channel in strangers.items():
        with channel, pytest.raises(grpc.RpcError) as refused:
            healthy(channel)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE, who
    # A client of ours does not talk to a server of another authority either.
    with server.channel(name, foreign) as channel, pytest.raises(grpc.RpcError):
        healthy(channel)
    assert server.serves(name)


@pytest.mark.parametrize("name", SERVICES)
def test_reflection_is_off(server: Server, name: str) -> None:
    """A server tells its health, but not its methods."""
    with server.channel(name) as channel:
        full_name = next(iter(CONTRACTS[name].DESCRIPTOR.services_by_name.values())).full_name
        assert healthy(channel, full_name)
        with pytest.raises(grpc.RpcError) as refused:
            reflected(channel)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_is_on_in_standalone() -> None:
    """On one's own machine every service tells its health and its methods."""
    # A socket's address holds about a hundred bytes, so not in pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="lse2e", dir="/tmp"))
    installation = Installation(folder / "data")
    try:
        installation.start()
        for name in SERVICES:
            [path] = folder.rglob(f"{name}.sock")
            with grpc.insecure_channel(f"unix:{path}") as channel:
                assert healthy(channel)
                assert f"lockstep.{name}.v1.{name.capitalize()}Service" in reflected(channel)
    finally:
        installation.kill()
        shutil.rmtree(folder)


def reflected(channel: grpc.Channel) -> set[str]:
    """Give the services that a server tells of."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    [answer] = stub.ServerReflectionInfo(iter([request]), timeout=10)
    return {service.name for service in answer.list_services_response.service}


@pytest.mark.parametrize("moment", ["commit:after", "push:after", "open:after"])
def test_another_replica_takes_over(
    server: Server, operator: Person, workspace: str, remote: Remote, tmp_path: Path, moment: str
) -> None:
    """One of two replicas is killed in the middle: the other ends its work, and nothing happens twice."""
    assert server.stop("pr") == {"pr": 0}
    run = [sys.executable, "-m", "tests.e2e.dying_replica", moment, str(tmp_path / "died")]
    server.start("pr", "pr-2", run=run)
    operator.run("create-pr", "-w", workspace)
    replicas = {name: server.processes[name] for name in ("pr", "pr-2")}
    server.wait(lambda: any(process.poll() is not None for process in replicas.values()), "a replica to die", "pr")
    [survivor] = [name for name, process in replicas.items() if process.poll() is None]
    begun = time.monotonic()
    server.wait(lambda: state(server, operator, survivor, workspace) == ["opened"], "the other to go on", survivor)
    print(f"taken over after {time.monotonic() - begun:.1f} s")

    branch = remote.git("for-each-ref", "--format=%(refname:short)", "refs/heads/lockstep/")
    assert len(branch.split()) == 1
    assert remote.git("rev-list", "--count", f"main..{branch}") == "1"
    [dead] = set(replicas) - {survivor}
    assert server.processes.pop(dead).returncode == -signal.SIGKILL
    assert server.stop(survivor) == {survivor: 0}
    server.start("pr")
    [found] = operator.do("publications", "list", "-w", workspace)["publications"]
    assert found["pr_number"] == 1
    operator.do("publications", "merge", found["id"], "-w", workspace)
    assert operator.do("git-status", "-w", workspace)["in_sync"]


def state(server: Server, person: Person, replica: str, workspace: str) -> list[str]:
    """Ask a replica for the states of a workspace's publications."""
    bearer = server.bearer(person.token)
    with server.channel("auth") as channel:
        named = auth_pb2.GetWorkspaceRequest(workspace=workspace)
        found = auth_pb2_grpc.AuthServiceStub(channel).GetWorkspace(named, timeout=30, metadata=bearer)
    with server.channel(replica) as channel:
        request = pr_pb2.ListPublicationsRequest(workspace_id=found.workspace.id)
        page = pr_pb2_grpc.PrServiceStub(channel).ListPublications(request, timeout=30, metadata=bearer)
    return [pr_pb2.PublicationState.Name(one.state).rpartition("_")[2].lower() for one in page.publications]
