"""A token reaches git by its environment alone, for its one host, and stays nowhere."""

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from tests.canary import files_with, shapes
from tests.integration.git.conftest import META, TENANT, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.lone import Launcher, launch, until
from tests.integration.git.test_remotes import LISTED, descendants, stuck
from tests.integration.git.test_writing import commit, push
from tests.standins.git_http import GitHost, Misbehaviour, git

__all__ = ["launch"]


def proc(pid: int, name: str) -> bytes:
    """Give what the kernel shows of a process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def holders(token: str, name: str, but: int = 0) -> set[str]:
    """Give the programs below this process whose ``/proc`` file holds the token in any shape."""
    return {
        " ".join(proc(pid, "cmdline").decode(errors="replace").split("\0")[:3])
        for pid in descendants()
        if pid != but and any(shape in proc(pid, name) for shape in shapes(token))
    }


@pytest.fixture
def pushing(launch: Launcher, host: GitHost, canary: str) -> Iterator[Path]:
    """Have a service in the middle of a push that hangs; give the folder with its data and its log."""
    service = launch(f"{host.url}/records.git", token=canary)
    head = fetch(service.stub).new_oid
    made = commit(service.stub, head, {b"x": b"1"}).commit_oid
    request = git_pb2.PushRequest(workspace_id=WORKSPACE, branch="main", new_oid=made, expected_old_oid=head)
    with stuck(host):
        running = service.stub.Push(request, metadata=META)
        until(lambda: any(b"remote-http" in line for line in descendants().values()))
        yield service.data.parent
    list(running)
    service.kill()


def test_no_command_line_or_open_file_shows_the_token(pushing: Path, canary: str) -> None:
    """While a push runs: in the arguments of no process, in no file; in the environment of git's own alone."""
    for name in ("cmdline", "comm", "stat", "status", "maps", "mountinfo"):
        assert holders(canary, name) == set()
    for pid in descendants():
        with contextlib.suppress(OSError):
            links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
            assert not any(canary in link for link in links)
    having = holders(canary, "environ")
    assert having
    assert all(name.startswith(("git push", "git remote-http", "git-remote-http", "/usr")) for name in having), having
    assert all("cat-file" not in name and "sh -c" not in name for name in having)
    assert list(files_with(canary, pushing)) == []


def test_no_file_or_log_holds_the_token_afterwards(launch: Launcher, host: GitHost, canary: str) -> None:
    """After all that can go right and wrong with a token: nothing on disk, nothing in the log, in any shape."""
    service = launch(f"{host.url}/records.git", token=canary)
    head = fetch(service.stub).new_oid
    made = commit(service.stub, head, {b"x": b"1"}).commit_oid
    assert push(service.stub, "main", made, head)
    for wrong in (
        Misbehaviour(status=500),
        Misbehaviour(status=403),
        Misbehaviour(cut=True),
        Misbehaviour(location="http://127.0.0.1:9"),
    ):
        host.wrong = wrong
        with pytest.raises(errors.LockstepError) as failed:
            fetch(service.stub)
        assert not any(shape in repr(vars(failed.value)).encode() for shape in shapes(canary))
    host.wrong = Misbehaviour()
    host.token = "another"
    with pytest.raises(errors.StateError):
        fetch(service.stub)
    service.kill()
    assert service.log.stat().st_size > 0
    assert list(files_with(canary, service.data.parent)) == []


def test_a_token_echoed_by_the_remote_is_blacked_out(
    service: Service, remote: Path, host: GitHost, canary: str
) -> None:
    """A hook of the remote prints the token as it is and in base64: the error that carries its words has neither."""
    basic = base64.b64encode(f"tester:{canary}".encode()).decode()
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho 'no: {canary} {basic}' >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    service.workspaces.put(f"{host.url}/records.git", token=canary)
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    with pytest.raises(errors.StateError) as refused:
        push(stub, "main", made, head)
    said = repr(vars(refused.value)).encode()
    hook.unlink()
    assert refused.value.reason == "PUSH_REJECTED"
    assert not any(shape in said for shape in shapes(canary))


def test_the_token_goes_to_its_own_host_alone(service: Service, host: GitHost, canary: str, tmp_path: Path) -> None:
    """A fork on another host is asked with the same credential's header bound to it, and only there."""
    other = GitHost(tmp_path / "remotes", "").start()
    service.workspaces.put(f"{host.url}/records.git", token=canary)
    stub = service.stub()
    fetch(stub)
    host.wrong = Misbehaviour(LISTED, location=other.url)
    commit_file(tmp_path / "remotes" / "records.git", "records/n.json", "{}")
    with pytest.raises(errors.StateError):
        fetch(stub)
    assert other.asked == []
    other.stop()


@pytest.mark.parametrize("url", ["http://192.0.2.1/x.git", "http://192.0.2.1:8080/x", "HTTP://192.0.2.1/x"])
def test_plain_http_beyond_this_machine_gets_no_token(service: Service, canary: str, url: str) -> None:
    """Refused before a connection is made; without a token the operator's word decides."""
    service.workspaces.put(url, token=canary)
    with pytest.raises(errors.StateError, match="unencrypted") as refused:
        fetch(service.stub())
    assert canary not in repr(vars(refused.value))


def test_plain_http_on_this_machine_is_fine(service: Service, host: GitHost, canary: str) -> None:
    """Nobody listens on the way to oneself."""
    service.workspaces.put(f"{host.url.replace('127.0.0.1', 'localhost')}/records.git", token=canary)
    assert fetch(service.stub()).cloned


def test_nothing_of_the_token_is_in_the_mirror(service: Service, host: GitHost, canary: str) -> None:
    """Neither configuration, nor logs of refs, nor packs."""
    service.workspaces.put(f"{host.url}/records.git", token=canary)
    fetch(service.stub())
    assert list(files_with(canary, service.data)) == []
    assert "extraheader" not in git(service.mirror(), "config", "--list").lower()
    assert (service.data / "git" / TENANT).is_dir()
