"""Attacks on where git connects to: addresses, names that change, redirects, protocols, helpers."""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from services.git import transfer
from services.git.remotes import Policy
from tests.integration.git.conftest import META, WORKSPACE, Service, fetch
from tests.standins.git_http import GitHost, Misbehaviour, git
from tests.standins.names import Names
from tests.unit.git.test_addresses import PRIVATE

HOST = "forge.lockstep.invalid"


@dataclass
class Site:
    """A web server that serves files of a folder and remembers who asked."""

    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def serve_files() -> Iterator[Callable[[Path], Site]]:
    """Give a function that serves a folder as a plain web server does."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start_one(folder: Path) -> Site:
        site = Site("")

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                site.asked.append(self.path)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        site.url = f"http://127.0.0.1:{server.server_port}"
        return site

    yield start_one
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Give the name service."""
    return Names(monkeypatch)


@pytest.fixture
def strict(start: Callable[..., Service]) -> Service:
    """Give a service as an operator runs it by default."""
    return start(Policy(), data="strict")


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_of_an_address_inside_is_refused(strict: Service, names: Names, address: str) -> None:
    """The name looks harmless; one of its addresses is not."""
    names.put(HOST, ["140.82.121.4", address])
    strict.workspaces.put(f"https://{HOST}/x.git")
    with pytest.raises(errors.InvalidInputError, match="private network") as refused:
        fetch(strict.stub())
    assert refused.value.reason == "BAD_REMOTE"


@pytest.mark.parametrize("address", [a for a in PRIVATE if "%" not in a])
def test_an_address_inside_is_refused_as_it_is(strict: Service, address: str) -> None:
    """No name service is needed to see through a literal."""
    host = f"[{address}]" if ":" in address else address
    strict.workspaces.put(f"https://{host}/x.git")
    with pytest.raises(errors.InvalidInputError):
        fetch(strict.stub())


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "localhost.localdomain"])
def test_odd_spellings_are_judged_by_what_they_stand_for(strict: Service, names: Names, host: str) -> None:
    """Resolvers read these as this machine, so they are refused like it."""
    names.put(host, ["127.0.0.1"])
    strict.workspaces.put(f"https://{host}/x.git")
    with pytest.raises(errors.InvalidInputError):
        fetch(strict.stub())


def test_a_proxy_is_no_way_around(strict: Service, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy in the environment, addresses inside are still refused."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    names.put(HOST, ["10.0.0.1"])
    for host in ("10.0.0.1", "[::ffff:10.0.0.1]", "localhost", HOST):
        strict.workspaces.put(f"https://{host}/x.git")
        with pytest.raises(errors.InvalidInputError):
            fetch(strict.stub())


def test_git_connects_to_the_address_that_was_judged(service: Service, host: GitHost, names: Names) -> None:
    """The name service changes its answer after the check: it is not asked again by git.

    To git's own resolver the name does not exist; only the address that was judged can have led it here.
    """
    host.token = ""
    port = host.url.rpartition(":")[2]
    names.put(HOST, ["127.0.0.1"])
    service.workspaces.put(f"http://{HOST}:{port}/records.git")
    assert fetch(service.stub()).cloned
    names.put(HOST, ["127.0.0.9"])
    asked = len(host.asked)
    with pytest.raises(errors.UnavailableError):
        fetch(service.stub())
    assert len(host.asked) == asked


def test_each_question_is_judged_anew(strict: Service, names: Names) -> None:
    """A name that was public a moment ago and is not any more is refused before anything is sent."""
    names.put(HOST, ["192.0.2.1"], ["10.0.0.1"])
    strict.workspaces.put(f"https://{HOST}/x.git")
    for _ in range(2):
        with pytest.raises(errors.InvalidInputError):
            fetch(strict.stub())
    assert names.asked == [HOST, HOST]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_redirects_are_not_followed(service: Service, host: GitHost, canary: str, tmp_path: Path, after: int) -> None:
    """Whichever of the three requests is redirected, the other host hears nothing, least of all the token."""
    other = GitHost(tmp_path / "remotes", canary).start()
    service.workspaces.put(f"{host.url}/records.git", token=canary)
    host.wrong = Misbehaviour(after, location=other.url)
    with pytest.raises(errors.StateError) as refused:
        fetch(service.stub())
    assert refused.value.reason == "REDIRECTED"
    assert other.asked == []
    other.stop()


def test_alternates_of_a_plain_web_server_are_not_followed(
    service: Service, bare: Path, tmp_path: Path, serve_files: Callable[[Path], Site]
) -> None:
    """A host without Git's own protocol names another host for the objects: that one is not asked."""
    inside = serve_files(tmp_path)
    pack = next(iter(bare.glob("objects/pack/*.pack")), None)
    if pack:
        content = pack.read_bytes()
        for file in (bare / "objects/pack").iterdir():
            file.unlink()
        git(bare, "unpack-objects", "-q", stdin=content)
    git(bare, "update-server-info")
    tree = git(bare, "rev-parse", "main^{tree}")
    (bare / "objects" / tree[:2] / tree[2:]).unlink()
    for name in ("alternates", "http-alternates"):
        (bare / "objects/info" / name).write_text(f"{inside.url}/objects\n", encoding="ascii")
    site = serve_files(bare.parent)
    service.workspaces.put(f"{site.url}/records.git")
    with pytest.raises(errors.LockstepError) as failed:
        fetch(service.stub())
    assert type(failed.value) is not errors.LockstepError
    assert site.asked
    assert inside.asked == []
    assert not service.mirror().exists()


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch {marker}'",
        "ext::touch% {marker}",
        "fd::17",
        "file::ext::touch {marker}",
        "https::ext::touch {marker}",
        "http::https://127.0.0.1/x",
        "transport::x",
        "--upload-pack=touch {marker}",
        "-u touch {marker}",
        "--config=core.gitProxy=touch {marker}",
        "ssh://-oProxyCommand=touch {marker}/x",
        "ssh://git@-oProxyCommand=touch%20{marker}/x",
        "-oProxyCommand=touch {marker}:x",
        "git://127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "rsync://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "http+unix:///tmp/x",
        "testgit::x",
        "C:\\x",
        "\\\\127.0.0.1\\x",
        "https://127.0.0.1\\@example.invalid/x",
        "https://a@b/x",
        "https://:@b/x",
        "https://exa mple.invalid/x",
        "https://example.invalid:99999/x",
        "https://[::1/x",
        "https://\u2488.example.invalid/x",
        "https:///etc/passwd",
        "https:etc",
        " https://127.0.0.1/x",
        "https://127.0.0.1/x\n",
        "file://127.0.0.1/etc",
        "\0",
        "a" * 3000,
        ".",
        "..",
        "relative/path",
        "~root/x",
    ],
)
@pytest.mark.parametrize("policy", [Policy(), Policy.standalone()])
def test_no_address_starts_anything(start: Callable[..., Service], tmp_path: Path, policy: Policy, url: str) -> None:
    """Helpers, options, other protocols and malformed addresses: refused by name, and nothing has run."""
    marker = tmp_path / "ran"
    service = start(policy, data="any")
    service.workspaces.put(url.replace("{marker}", str(marker)))
    stub = service.stub()
    calls: list[Callable[[], object]] = [
        lambda: fetch(stub),
        lambda: stub.GetStatus(git_pb2.GetStatusRequest(workspace_id=WORKSPACE), metadata=META),
        lambda: stub.ListRemoteRefs(git_pb2.ListRemoteRefsRequest(workspace_id=WORKSPACE), metadata=META),
    ]
    for call in calls:
        with pytest.raises(errors.LockstepError) as refused:
            call()
        assert type(refused.value) is not errors.LockstepError
        assert refused.value.remedy
    assert not marker.exists()
    assert not service.mirror().exists()


class Endless(http.server.BaseHTTPRequestHandler):
    """A host that lists branches for as long as anybody listens, in git's older protocol or its newer one."""

    protocol_version = "HTTP/1.1"
    newer = False

    def do_GET(self) -> None:
        """Say what it can, and go on."""
        self._begin("advertisement")
        service = packet(b"# service=git-upload-pack\n") + b"0000"
        if self.newer:
            self._send(service + packet(b"version 2\n") + packet(b"ls-refs\n") + packet(b"fetch\n") + b"0000")
            self._send(b"")
            return
        self._send(service + packet(b"%040x refs/heads/main\0agent=x\n" % 1))
        self._list()

    def do_POST(self) -> None:
        """Answer every question with branches."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._begin("result")
        self._list()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _list(self) -> None:
        number = 0
        while True:
            lines = [b"%040x refs/heads/%s%09d\n" % (1, b"x" * 200, number + n) for n in range(1000)]
            number += len(lines)
            try:
                self._send(b"".join(map(packet, lines)))
            except OSError:
                self.close_connection = True
                return

    def _send(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def packet(line: bytes) -> bytes:
    """Give a line as git's protocol sends it."""
    return b"%04x%s" % (len(line) + 4, line)


@pytest.mark.parametrize("newer", [False, True], ids=["protocol 0", "protocol 2"])
def test_a_remote_that_lists_branches_without_end_is_left(start: Callable[..., Service], *, newer: bool) -> None:
    """What git keeps of a list is bounded, whoever asks for it; the error says so long before the deadline."""
    service = start(replace(Policy.standalone(), remote_memory_bytes=64 * 1024 * 1024))
    handler = type("Handler", (Endless,), {"newer": newer})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    service.workspaces.put(f"http://127.0.0.1:{server.server_port}/x.git")
    stub = service.stub()
    calls: list[Callable[[], object]] = [
        lambda: fetch(stub),
        lambda: stub.ListRemoteRefs(git_pb2.ListRemoteRefsRequest(workspace_id=WORKSPACE), metadata=META),
        lambda: stub.ListTags(git_pb2.ListTagsRequest(workspace_id=WORKSPACE), metadata=META),
    ]
    try:
        for call in calls:
            began = time.monotonic()
            with pytest.raises(errors.StateError) as refused:
                call()
            assert refused.value.reason == "TOO_MANY_REFS"
            assert time.monotonic() - began < 30
    finally:
        server.shutdown()
        server.server_close()


def test_a_list_that_is_too_long_for_the_service_is_refused(
    service: Service, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository with more branches than fit: a typed error, and shorter lists are given still."""
    stub = service.stub()
    fetch(stub)
    for number in range(20):
        git(remote, "update-ref", f"refs/heads/b{number}", "main")
    monkeypatch.setattr(transfer, "LISTED_BYTES", 1000)
    with pytest.raises(errors.StateError) as refused:
        stub.ListRemoteRefs(git_pb2.ListRemoteRefsRequest(workspace_id=WORKSPACE), metadata=META)
    assert refused.value.reason == "TOO_MANY_REFS"
    assert fetch(stub).cloned is False
