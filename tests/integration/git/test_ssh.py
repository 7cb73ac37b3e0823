"""Remotes over ssh: a key that is nowhere but in memory, hosts that have to be known."""

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from services.git import addresses
from services.git.ports import RemoteAddress, Token
from services.git.remotes import Policy
from tests.integration.git.conftest import META, TENANT, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.test_writing import commit
from tests.standins.git_http import git
from tests.standins.names import Names
from tests.standins.ssh_host import SshHost, make_key


@pytest.fixture
def ssh_host(tmp_path: Path) -> Iterator[SshHost]:
    """Give a running sshd."""
    host = SshHost(tmp_path / "sshd").start()
    yield host
    host.stop()


@pytest.fixture
def over_ssh(service: Service, bare: Path, ssh_host: SshHost) -> RemoteAddress:
    """Put the workspace on the host's repository; give its address."""
    return put(service, ssh_host.url(bare), ssh_host)


def put(service: Service, url: str, host: SshHost) -> RemoteAddress:
    """Put the workspace on a repository of the host."""
    address = RemoteAddress(url, url, "main", "", Token(""), Token(host.key), host.known_hosts)
    service.workspaces.known[TENANT, WORKSPACE] = address
    return address


def change(service: Service, address: RemoteAddress, **fields: Any) -> None:
    """Change the workspace's address."""
    service.workspaces.known[TENANT, WORKSPACE] = replace(address, **fields)


def ssh_processes(service: Service) -> list[Path]:
    """Give the ssh clients that git has started for the workspace."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            if b"lockstep-ssh-" in words and str(service.mirror()).encode() in (entry / "environ").read_bytes():
                found.append(entry)
    return found


def left_over() -> set[str]:
    """Give the folders of ssh sessions."""
    return {entry.name for entry in Path(tempfile.gettempdir()).glob("lockstep-ssh-*")}


def test_fetch_and_push_go_over_ssh(service: Service, over_ssh: RemoteAddress, bare: Path) -> None:
    """Clone, fetch, ask and push work as over http; progress comes through; nothing stays behind."""
    assert over_ssh.ssh_key
    before = left_over()
    stub = service.stub()
    head = fetch(stub).new_oid
    assert head == git(bare, "rev-parse", "main")
    new = commit_file(bare, "records/new.json", "{}")
    assert fetch(stub).new_oid == new
    made = commit(stub, new, {b"records/r1.json": b"{}\n"}).commit_oid
    request = git_pb2.PushRequest(workspace_id=WORKSPACE, branch="main", new_oid=made, expected_old_oid=new)
    *_, last = stub.Push(request, metadata=META)
    assert last.result.moved
    assert git(bare, "rev-parse", "main") == made
    assert left_over() <= before
    assert ssh_processes(service) == []


def test_the_key_is_in_no_file_and_no_process_while_a_push_runs(
    service: Service, over_ssh: RemoteAddress, bare: Path, tmp_path: Path
) -> None:
    """Not in argv, not in an environment, not in a file of a session or of the service; only signatures leave."""
    marks = [line.encode() for line in over_ssh.ssh_key.reveal().splitlines()[2:4]]
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"records/r1.json": b"{}\n"}).commit_oid
    hook = bare / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/pushing\nwhile [ ! -e {tmp_path}/seen ]; do sleep 0.05; done\n")
    hook.chmod(0o755)
    request = git_pb2.PushRequest(workspace_id=WORKSPACE, branch="main", new_oid=made, expected_old_oid=head)
    pushing = threading.Thread(target=lambda: list(stub.Push(request, metadata=META)))
    pushing.start()
    until = time.monotonic() + 20
    while not (tmp_path / "pushing").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    looked_at = 0
    sessions = [file for folder in left_over() for file in (Path(tempfile.gettempdir()) / folder).iterdir()]
    files = [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ"), *sessions]
    files += [file for file in service.data.rglob("*") if file.is_file()]
    for file in files:
        # A process that has ended meanwhile, and the agent's socket, cannot be read.
        try:
            content = file.read_bytes()
        except OSError:
            continue
        looked_at += 1
        assert not any(mark in content for mark in marks), file
    (tmp_path / "seen").touch()
    pushing.join()
    assert looked_at > 10
    assert len(sessions) >= 3
    assert git(bare, "rev-parse", "main") == made


def test_a_host_whose_key_is_not_known_gets_nothing(
    service: Service, over_ssh: RemoteAddress, ssh_host: SshHost, tmp_path: Path
) -> None:
    """Another key under the host's name, and no key at all, are refused before anything is said to the host."""
    other = make_key(tmp_path / "other")[1]
    wrong = f"[127.0.0.1]:{ssh_host.port} {' '.join(other.split()[:2])}\n"
    for known_hosts in (wrong, "elsewhere.example " + wrong.partition(" ")[2]):
        change(service, over_ssh, known_hosts=known_hosts)
        with pytest.raises(errors.StateError) as refused:
            fetch(service.stub())
        assert refused.value.reason == "HOST_KEY"
        assert "--known-hosts" in refused.value.remedy
    assert "Accepted publickey" not in (ssh_host.folder / "log").read_text()


def test_what_is_wrong_with_an_ssh_remote_is_told_apart(
    service: Service, over_ssh: RemoteAddress, ssh_host: SshHost, bare: Path, tmp_path: Path
) -> None:
    """A key that is not let in, none at all, one that cannot be read, no repository, nobody listening."""
    stub = service.stub()
    stranger = Token(make_key(tmp_path / "stranger")[0])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = ssh_host.url(bare).replace(str(ssh_host.port), str(free.getsockname()[1]))
        for fields, reason in (
            ({"ssh_key": stranger}, "REMOTE_AUTH"),
            ({"ssh_key": Token("")}, "REMOTE_AUTH"),
            ({"known_hosts": ""}, "REMOTE_AUTH"),
            ({"ssh_key": Token("nonsense")}, "BAD_KEY"),
            ({"target_url": ssh_host.url(bare.with_name("none.git"))}, "NO_REPOSITORY"),
            ({"target_url": nobody}, "NO_NETWORK"),
        ):
            change(service, over_ssh, **fields)
            with pytest.raises(errors.LockstepError) as refused:
                fetch(stub)
            assert refused.value.reason == reason, refused.value


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_keys_of_other_kinds_sign_in_too(service: Service, over_ssh: RemoteAddress, tmp_path: Path, kind: str) -> None:
    """RSA with SHA-2 and ECDSA are understood by sshd."""
    private, public = make_key(tmp_path / kind, kind)
    (tmp_path / "sshd" / "authorized").write_text(public)
    change(service, over_ssh, ssh_key=Token(private))
    assert fetch(service.stub()).cloned


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=touch%20x/repository.git",
        "-oProxyCommand=x:repository.git",
        "ssh://user@-oProxyCommand=x/repository.git",
        "git@-oProxyCommand=x:repository.git",
        "ssh://user:password@127.0.0.1/repository.git",
        "ssh://127.0.0.1:0/x",
        "ssh://127.0.0.1:99999/x",
        "127.0.0.1:-x",
        "ssh://host;id/x",
        "git@$(id):x",
        "ext::sh -c id",
        "ssh://127.0.0.1/x\n-oProxyCommand=x",
    ],
)
def test_an_address_cannot_hold_options_or_commands_of_ssh(service: Service, over_ssh: RemoteAddress, url: str) -> None:
    """Every such address is refused before ssh is started."""
    change(service, over_ssh, target_url=url)
    with pytest.raises(errors.InvalidInputError) as refused:
        fetch(service.stub())
    assert refused.value.reason == "BAD_REMOTE"


def test_a_server_reaches_ssh_remotes_only_where_its_operator_says_so(
    start: Callable[..., Service], bare: Path, ssh_host: SshHost
) -> None:
    """The protocol is off by default; where it is on, private addresses stay out of reach."""
    for number, protocols in enumerate((frozenset({"https"}), frozenset({"https", "ssh"}))):
        service = start(Policy(allowed_protocols=protocols), data=f"server-{number}")
        put(service, ssh_host.url(bare), ssh_host)
        with pytest.raises(errors.InvalidInputError, match="private network" if number else "not allowed"):
            fetch(service.stub())


def test_ssh_connects_to_the_address_that_was_judged_and_knows_the_host_by_its_name(
    start: Callable[..., Service], bare: Path, ssh_host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second answer of the name server changes nothing: the name is never looked up by ssh."""
    service = start(Policy(allowed_protocols=frozenset({"ssh"})))
    put(service, ssh_host.url(bare).replace("127.0.0.1", "forge.invalid"), ssh_host)
    address = service.workspaces.known[TENANT, WORKSPACE]
    change(service, address, known_hosts=ssh_host.known_hosts.replace("127.0.0.1", "forge.invalid"))
    real = socket.getaddrinfo

    def answered(host: str, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host == "forge.invalid" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    monkeypatch.setattr(addresses, "is_public", lambda _: True)
    assert fetch(service.stub()).new_oid == git(bare, "rev-parse", "main")


@pytest.mark.parametrize("found", [["127.0.0.9", "127.0.0.1"], ["::1", "127.0.0.9", "127.0.0.1"], ["127.0.0.1"]])
def test_every_address_of_a_host_is_tried(
    start: Callable[..., Service],
    bare: Path,
    ssh_host: SshHost,
    monkeypatch: pytest.MonkeyPatch,
    found: list[str],
) -> None:
    """Where nobody answers at the first ones, ssh goes to the next; the host is held to its keys all the same."""
    service = start(Policy(allowed_protocols=frozenset({"ssh"})))
    put(service, ssh_host.url(bare).replace("127.0.0.1", "forge.invalid"), ssh_host)
    address = service.workspaces.known[TENANT, WORKSPACE]
    known = ssh_host.known_hosts.replace("127.0.0.1", "forge.invalid")
    Names(monkeypatch).put("forge.invalid", found)
    monkeypatch.setattr(addresses, "is_public", lambda _: True)
    with pytest.raises(errors.StateError) as refused:
        fetch(service.stub())
    assert refused.value.reason == "HOST_KEY"
    change(service, address, known_hosts=known)
    assert fetch(service.stub()).new_oid == git(bare, "rev-parse", "main")
    ssh_host.stop()
    with pytest.raises(errors.UnavailableError) as silent:
        fetch(service.stub())
    assert silent.value.reason == "NO_NETWORK"


def test_a_call_that_ends_early_leaves_no_ssh_behind(
    service: Service, over_ssh: RemoteAddress, bare: Path, tmp_path: Path
) -> None:
    """Cancelling a push ends git, ssh and the agent."""
    assert over_ssh.ssh_key
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"records/r1.json": b"{}\n"}).commit_oid
    hook = bare / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/pushing\nsleep 30\n")
    hook.chmod(0o755)
    request = git_pb2.PushRequest(workspace_id=WORKSPACE, branch="main", new_oid=made, expected_old_oid=head)
    call = stub.Push(request, metadata=META)

    def drain() -> None:
        with pytest.raises(errors.LockstepError):
            list(call)

    pushing = threading.Thread(target=drain)
    pushing.start()
    until = time.monotonic() + 20
    while not (tmp_path / "pushing").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert ssh_processes(service)
    before = left_over()
    call.cancel()
    pushing.join()
    while ssh_processes(service) or left_over() == before:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert "git-ssh-agent" not in {thread.name for thread in threading.enumerate()}
