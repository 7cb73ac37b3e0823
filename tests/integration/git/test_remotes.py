"""Remotes over HTTP: tokens, faults, and processes that end when they should."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from services.git.remotes import Policy
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.test_writing import commit, push
from tests.standins.git_http import GitHost, Misbehaviour, git

# Requests of ``git ls-remote`` over protocol version 2, which goes before a fetch.
LISTED = 2


@pytest.fixture
def hosted(service: Service, host: GitHost, canary: str) -> GitHost:
    """Give the HTTP host, with the workspace on it and the right token."""
    service.workspaces.put(f"{host.url}/records.git", token=canary)
    return host


@contextlib.contextmanager
def stuck(host: GitHost, after: int = 0) -> Iterator[None]:
    """Let the host answer some requests, and no more."""
    host.wrong = Misbehaviour(after, hang=threading.Event())
    try:
        yield
    finally:
        assert host.wrong.hang
        host.wrong.hang.set()
        host.wrong = Misbehaviour()


def until(what: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def descendants() -> dict[int, bytes]:
    """Give the command lines of all processes below this one."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                status = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
                lines[int(entry.name)] = (entry / "cmdline").read_bytes()
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    # One may have ended between the two files that tell of it.
    return {pid: lines[pid] for pid in (found & lines.keys()) - {os.getpid()}}


def test_fetch_commit_and_push_over_http_with_a_token(service: Service, hosted: GitHost, bare: Path) -> None:
    """The whole way works with a token, and a second fetch asks for one ref and no more."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    assert push(stub, "main", made, head)
    assert git(bare, "rev-parse", "main") == made
    assert fetch(stub).new_oid == made
    hosted.asked.clear()
    assert fetch(stub).old_oid == made
    assert [line.split("?")[0] for line in hosted.asked] == [
        "GET /records.git/info/refs",
        "POST /records.git/git-upload-pack",
    ]


@pytest.mark.parametrize("token", ["", "ghp_wrongwrongwrongwrongwrongwrongwrong0"])
def test_a_wrong_or_missing_token_is_told_with_the_remedy(service: Service, hosted: GitHost, token: str) -> None:
    """No prompt, no token in the words, and the next call asks auth anew."""
    service.workspaces.put(f"{hosted.url}/records.git", token=token)
    with pytest.raises(errors.StateError) as refused:
        fetch(service.stub())
    assert refused.value.reason == "REMOTE_AUTH"
    assert "--token-stdin" in refused.value.remedy
    assert service.workspaces.forgotten
    assert not token or token not in str(refused.value)


def test_a_token_that_may_only_read_cannot_push(service: Service, hosted: GitHost) -> None:
    """Reading goes on working; the push says that the token is refused."""
    hosted.writers = False
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    with pytest.raises(errors.StateError) as refused:
        push(stub, "main", made, head)
    assert refused.value.reason == "REMOTE_AUTH"


@pytest.mark.parametrize(
    ("wrong", "kind", "reason"),
    [
        (Misbehaviour(status=404), errors.NotFoundError, "NO_REPOSITORY"),
        (Misbehaviour(status=500), errors.UnavailableError, "REMOTE_DOWN"),
        (Misbehaviour(status=429), errors.UnavailableError, "REMOTE_DOWN"),
        (Misbehaviour(cut=True), errors.UnavailableError, "NO_NETWORK"),
        (Misbehaviour(location="http://127.0.0.1:9"), errors.StateError, "REDIRECTED"),
    ],
)
def test_faults_of_a_host_are_told_apart(
    service: Service, hosted: GitHost, canary: str, wrong: Misbehaviour, kind: type[Exception], reason: str
) -> None:
    """Each fault has its kind and reason, in one line, without the token."""
    hosted.wrong = wrong
    with pytest.raises(kind) as failed:
        fetch(service.stub())
    assert isinstance(failed.value, errors.LockstepError)
    assert failed.value.reason == reason
    assert failed.value.remedy
    assert canary not in str(failed.value)
    hosted.wrong = Misbehaviour()
    assert fetch(service.stub()).cloned


def test_no_network_is_told(service: Service) -> None:
    """A port where nobody listens, and a host that does not exist."""
    for url in ("http://127.0.0.1:9/x.git", "https://nobody.invalid/x.git"):
        service.workspaces.put(url)
        with pytest.raises(errors.UnavailableError) as failed:
            fetch(service.stub())
        assert failed.value.reason == "NO_NETWORK"


def test_no_process_shows_the_token(service: Service, hosted: GitHost, canary: str) -> None:
    """While a push runs, no command line of any process holds the token in any shape."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    with stuck(hosted):
        running = stub.Push(
            git_pb2.PushRequest(workspace_id=WORKSPACE, branch="main", new_oid=made, expected_old_oid=head),
            metadata=META,
        )
        until(lambda: any(b"git-remote-http" in line or b"remote-http" in line for line in descendants().values()))
        lines = b"".join(descendants().values())
        assert b"push" in lines
        assert canary.encode() not in lines
        assert b"Basic" not in lines
    *_, last = running
    assert last.result.moved


def test_a_cancelled_call_ends_its_git(service: Service, hosted: GitHost) -> None:
    """The caller goes away: the git processes end though the remote does not answer, and the lock is free."""
    stub = service.stub()
    fetch(stub)
    commit_file(hosted.folder / "records.git", "records/n.json", "{}")
    with stuck(hosted, LISTED):
        running = stub.Fetch(git_pb2.FetchRequest(workspace_id=WORKSPACE), metadata=META)
        until(lambda: any(b"\0fetch\0" in line for line in descendants().values()))
        running.cancel()
        until(lambda: not any(b"remote-http" in line for line in descendants().values()))
    fetch(stub)


def test_a_deadline_ends_git_and_is_told(service: Service, hosted: GitHost) -> None:
    """A call that may take a second takes about that, whatever the remote does."""
    with stuck(hosted), pytest.raises(errors.TimeoutExceededError):
        list(service.stub().Fetch(git_pb2.FetchRequest(workspace_id=WORKSPACE), metadata=META, timeout=1))
    until(lambda: not any(b"remote-http" in line for line in descendants().values()))


def test_the_operators_limit_ends_git(start: Callable[..., Service], host: GitHost, canary: str) -> None:
    """Without a deadline of the caller the setting holds."""
    base = Policy.standalone()
    service = start(
        Policy(
            allowed_protocols=base.allowed_protocols,
            allow_private_addresses=base.allow_private_addresses,
            timeout_seconds=0.5,
        ),
        data="limited",
    )
    service.workspaces.put(f"{host.url}/records.git", token=canary)
    with stuck(host), pytest.raises(errors.TimeoutExceededError, match="timeout_seconds"):
        fetch(service.stub())


def test_a_killed_git_leaves_nothing_that_stops_the_next(service: Service, hosted: GitHost) -> None:
    """``kill -9`` of git within a fetch: an error now, and the next fetch does the whole work."""
    stub = service.stub()
    fetch(stub)
    new = commit_file(hosted.folder / "records.git", "records/n.json", "{}")
    failed: list[Exception] = []

    def doomed() -> None:
        try:
            fetch(stub)
        except errors.LockstepError as error:
            failed.append(error)

    with stuck(hosted, LISTED):
        thread = threading.Thread(target=doomed)
        thread.start()
        until(lambda: any(b"\0fetch\0" in line for line in descendants().values()))
        for pid, line in descendants().items():
            if b"\0fetch\0" in line:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        thread.join(20)
        assert not thread.is_alive()
    assert isinstance(failed[0], errors.UnavailableError)
    assert fetch(stub).new_oid == new


def test_a_waiting_writer_gives_up_in_time(start: Callable[..., Service], bare: Path) -> None:
    """Somebody else writes for too long: BUSY with a time to come back, not a hanging call."""
    base = Policy.standalone()
    service = start(Policy(base.allowed_protocols, allow_private_addresses=True, lock_seconds=0.3), data="busy")
    service.workspaces.put(f"file://{bare}")
    stub = service.stub()
    fetch(stub)
    commit_file(bare, "records/n.json", "{}")
    locks = service.servicer.parts.locks
    with locks.hold(service.mirror().with_suffix(".lock")), pytest.raises(errors.BusyError) as busy:
        fetch(stub)
    assert busy.value.retry_after > 0
    fetch(stub)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x.git",
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "ssh://git@example.invalid/x",
        "git@example.invalid:x/y.git",
        "--upload-pack=id",
        "https://user:secret@example.invalid/x",
        "https://127.0.0.1/x.git",
        "https://localhost/x.git",
        "https://10.0.0.1/x.git",
        "https://169.254.169.254/x.git",
        "https://[::1]/x.git",
        "https://[fd00::1]/x.git",
        "",
    ],
)
def test_a_server_speaks_to_public_https_only(start: Callable[..., Service], url: str) -> None:
    """By default no other protocol, no address inside, no credentials in the address, no option."""
    service = start(Policy(), data="strict")
    service.workspaces.put(url)
    with pytest.raises(errors.InvalidInputError) as refused:
        fetch(service.stub())
    assert refused.value.remedy
    assert "secret" not in str(refused.value)


def test_a_token_never_travels_in_the_clear(service: Service, canary: str) -> None:
    """Plain http to another machine is refused before anything is sent."""
    service.workspaces.put("http://192.0.2.1/x.git", token=canary)
    with pytest.raises(errors.StateError, match="unencrypted"):
        fetch(service.stub())


def test_a_user_s_git_settings_do_not_matter(
    service: Service, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks, aliases, rewritten addresses and odd environment variables of the machine change nothing."""
    marker = tmp_path / "ran"
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[core]\n\thooksPath = {tmp_path}\n\tfsmonitor = "touch {marker}"\n[url "file:///nowhere"]\n\tinsteadOf = file://\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {marker}")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {marker}")
    assert fetch(service.stub()).cloned
    assert not marker.exists()
