"""The HTTP server of the stand-in forges: routing, tokens, faults, a log, and Git on the same port."""

import base64
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standins import forge_repositories as repositories
from tests.standins.faults import Fault, Faults, normal
from tests.standins.forge_git import GitRequest, git_request, run_backend
from tests.standins.forge_state import ForgeState, Method, Permission, PullRequest, Repository, Token

Json = dict[str, Any] | list[Any]


@dataclass(frozen=True)
class Request:
    """A request to the API: what the route's placeholders stand for, the query, the body, whose it is."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    token: Token | None


@dataclass(frozen=True)
class Answer:
    """An answer of the API."""

    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict)


Route = Callable[[Request], Answer]


class StandIn:
    """A forge over bare repositories in a folder, on a loopback port.

    What tests say and ask is here; the forges' own languages are in the subclasses.
    """

    kind: ClassVar[Literal["github", "gitlab"]]
    api_prefix: ClassVar[str]
    head_ref: ClassVar[str]
    default_scopes: ClassVar[tuple[str, ...]]

    def __init__(self, root: Path) -> None:
        self.state = ForgeState(root, self.head_ref)
        self.faults = Faults()
        self.log: list[str] = []
        self._routes = [(method, template, _pattern(template), call) for method, template, call in self.routes()]
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def api_url(self) -> str:
        """Base URL of the API as its adapter takes it."""
        raise NotImplementedError

    @property
    def counts(self) -> Counter[str]:
        """How often each endpoint was asked, ``POST /repos/{}/{}/pulls`` for example."""
        return Counter(self.log)

    def git_url(self, path: str) -> str:
        """Clone address of a repository."""
        return f"{self.url}/{path}.git"

    def token(
        self,
        username: str = "alice",
        *,
        value: str = "",
        name: str = "",
        scopes: tuple[str, ...] | None = None,
        expires_at: float = 0,
        permission: Permission = "write",
        permissions: Mapping[str, Permission] | None = None,
    ) -> str:
        """Issue a token: for the API, and as the password of Git over HTTP."""
        self.state.add_user(username, name=name)
        value = value or f"tok-{username}-{len(self.state.tokens) + 1}-c4n4ry"
        self.state.add_token(
            value,
            username,
            scopes=self.default_scopes if scopes is None else scopes,
            expires_at=expires_at,
            permission=permission,
            permissions=permissions,
        )
        return value

    def create_repository(
        self,
        path: str,
        files: Mapping[str, bytes] | None = None,
        *,
        default_branch: str = "main",
        is_private: bool = True,
    ) -> Path:
        """Make a repository with one commit of these files (empty without any); gives the bare folder."""
        with self.state.lock:
            made = self.state.add_repository(path, default_branch=default_branch, is_private=is_private)
            if files:
                repositories.commit(made.bare, default_branch, files, base="", message="Start")
            return made.bare

    def fork(self, path: str, of: str) -> Path:
        """Fork a repository; gives the fork's bare folder."""
        with self.state.lock:
            origin = self.repository(of)
            return self.state.add_repository(
                path, default_branch=origin.default_branch, is_private=origin.is_private, fork_of=origin
            ).bare

    def commit(self, path: str, branch: str, files: Mapping[str, bytes | None], message: str = "Change") -> str:
        """Commit on a branch (made from the default branch where it is new); gives the commit."""
        with self.state.lock:
            repository = self.repository(path)
            return repositories.commit(repository.bare, branch, files, base=repository.default_branch, message=message)

    def repository(self, path: str) -> Repository:
        """Find a repository that is known to be there."""
        found = self.state.repository(path)
        assert found is not None, path
        return found

    def pull_requests(self, path: str) -> list[PullRequest]:
        """Give all pull requests into a repository, oldest first, as they are now."""
        with self.state.lock:
            return [pull.refresh() for pull in self.state.pulls[self.repository(path).path]]

    def merge(
        self,
        path: str,
        number: int,
        method: Method = "merge",
        *,
        by: str = "merger",
        delete_branch: bool = False,
    ) -> str:
        """Press a merge button as a person would; gives the target branch's new commit."""
        with self.state.lock:
            pull = self.state.pull(self.repository(path), number)
            assert pull is not None, number
            return self.state.merge(pull, method, by=self.state.add_user(by), delete_branch=delete_branch)

    def close(self, path: str, number: int) -> None:
        """Close a pull request as a person would."""
        with self.state.lock:
            pull = self.state.pull(self.repository(path), number)
            assert pull is not None, number
            self.state.close(pull)

    def routes(self) -> list[tuple[str, str, Route]]:
        """Give method, path template and function of each endpoint."""
        raise NotImplementedError

    def secret_of(self, headers: Mapping[str, str]) -> str:
        """Give the token that a request to the API carries, or an empty string."""
        raise NotImplementedError

    def failed(self, status: int, message: str, **more: object) -> Answer:
        """Give an error in the forge's words."""
        raise NotImplementedError

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[str, Fault, Callable[[], Answer]]:
        """Find the endpoint of an API request: its name, the fault ordered for it, and what it does."""
        parts = urlsplit(target)
        path = parts.path.removeprefix(self.api_prefix) if parts.path.startswith(self.api_prefix) else ""
        for route_method, template, pattern, call in self._routes:  # noqa: B007 (used after the break)
            found = pattern.fullmatch(path)
            if found and route_method == method:
                break
        else:
            return f"{method} unknown", Fault(), lambda: self.failed(404, "Not Found")
        secret = self.secret_of(headers)
        token = self.state.token_of(secret)

        def effect() -> Answer:
            if secret and token is None:
                return self.failed(401, "Bad credentials")
            request = Request(
                path={name: unquote(value) for name, value in found.groupdict().items()},
                query={name: values[-1] for name, values in parse_qs(parts.query).items()},
                body=json.loads(body) if body else {},
                token=token,
            )
            with self.state.lock:
                return call(request)

        endpoint = normal(f"{method} {template}")
        return endpoint, self.faults.take(endpoint), effect

    def may_git(self, wanted: GitRequest, token: Token | None) -> tuple[int, Repository | None]:
        """Decide on a Git client's request: a status (200 lets it through) and the repository."""
        repository = self.state.repository(wanted.repository)
        needed: Permission = "write" if wanted.is_push else "read"
        is_open = repository is not None and not repository.is_private and not wanted.is_push
        if token is None:
            return (200, repository) if is_open else (401, None)
        if repository is None or not (is_open or token.may("read", repository.path)):
            return 404, None
        return (200, repository) if is_open or token.may(needed, repository.path) else (403, None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 (http.server finds them by name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        """Log nothing: tests read ``StandIn.log``."""

    def _handle(self) -> None:
        standin, body = self.server.standin, self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        parts = urlsplit(self.path)
        git = git_request(unquote(parts.path), parts.query)
        if git is not None and not parts.path.startswith("/api/"):
            self._git(git, parts.query, headers, body)
            return
        endpoint, fault, effect = standin.answer(self.command, self.path, headers, body)
        standin.log.append(endpoint)
        if not self._survives(fault):
            return
        if fault.status is not None:
            answer = standin.failed(fault.status, fault.message or "Ordered fault")
            answer.headers.update(_headers(fault))
        else:
            answer = effect()
        if fault.cut_after_effect:
            self._cut()
            return
        more = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
        self._send(answer.status, more, json.dumps(answer.body).encode())

    def _git(self, git: GitRequest, query: str, headers: dict[str, str], body: bytes) -> None:
        standin = self.server.standin
        endpoint = f"{self.command} /{{}}/{git.rest}"
        standin.log.append(endpoint)
        fault = standin.faults.take(endpoint)
        if not self._survives(fault):
            return
        token = standin.state.token_of(_basic_password(headers.get("authorization", "")))
        status, repository = standin.may_git(git, token)
        if fault.status is not None:
            status, repository = fault.status, None
        if status != 200 or repository is None:
            more = {"WWW-Authenticate": 'Basic realm="forge"'} if status == 401 else {}
            self._send(status, {"Content-Type": "text/plain", **more, **_headers(fault)}, b"refused\n")
            return
        status, answered, content = run_backend(
            repository.bare,
            git.rest,
            method=self.command,
            query=query,
            headers=headers,
            body=body,
            user=token.user.username if token else "",
        )
        if fault.cut_after_effect:
            self._cut()
            return
        self._send(status, answered, content)

    def _survives(self, fault: Fault) -> bool:
        if fault.slow:
            time.sleep(fault.slow)
        if fault.cut:
            self._cut()
        return not fault.cut

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _headers(fault: Fault) -> dict[str, str]:
    retry = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return {**retry, **fault.headers}


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))


def _basic_password(header: str) -> str:
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return value
    try:
        return base64.b64decode(value).decode().partition(":")[2]
    except ValueError:
        return ""
