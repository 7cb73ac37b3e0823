"""A host of bare repositories over smart HTTP that wants a token, and that can be told to misbehave."""

import base64
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.standins.forge_git import git_request, run_backend


@dataclass
class Misbehaviour:
    """What goes wrong with every request but the first ``after``, until it is reset.

    A status, a redirect to another host, a cut connection, or no answer until ``hang`` is set.
    """

    after: int = 0
    status: int = 0
    location: str = ""
    hang: threading.Event | None = None
    cut: bool = False


@dataclass
class GitHost:
    """A running host. ``asked`` has the method and path of every request."""

    folder: Path
    token: str
    url: str = ""
    wrong: Misbehaviour = field(default_factory=Misbehaviour)
    asked: list[str] = field(default_factory=list)
    writers: bool = True

    def start(self) -> "GitHost":
        """Serve on a free port of this machine."""
        host = self

        class Handler(_Handler):
            git_host = host

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        if self.wrong.hang:
            self.wrong.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def may_enter(self, authorization: str) -> bool:
        """Say whether a header carries the token; any user name will do."""
        if not self.token:
            return True
        kind, _, value = authorization.partition(" ")
        if kind.lower() != "basic":
            return False
        return base64.b64decode(value).decode().partition(":")[2] == self.token


class _Handler(BaseHTTPRequestHandler):
    git_host: GitHost
    protocol_version = "HTTP/1.1"
    # Head and body are written one after the other: the second would wait 40 ms for the first to be acknowledged.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a Git client."""
        host = self.git_host
        parts = urlsplit(self.path)
        host.asked.append(f"{self.command} {self.path}")
        body = self._body()
        host.wrong.after -= 1
        wrong = host.wrong if host.wrong.after < 0 else Misbehaviour()
        if wrong.hang:
            wrong.hang.wait(60)
        if wrong.cut:
            self.close_connection = True
            return
        if wrong.location:
            self._answer(302, {"Location": wrong.location + self.path}, b"")
            return
        if wrong.status:
            self._answer(wrong.status, {}, b"no")
            return
        if not host.may_enter(self.headers.get("Authorization", "")):
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"no token")
            return
        asked = git_request(parts.path, parts.query)
        bare = host.folder / f"{asked.repository}.git" if asked else host.folder / "none"
        if asked is None or not bare.is_dir():
            self._answer(404, {}, b"no such repository")
            return
        if asked.is_push and not host.writers:
            self._answer(403, {}, b"the token may not write")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = run_backend(
            bare, asked.rest, method=self.command, query=parts.query, headers=headers, body=body, user="tester"
        )
        self._answer(*answer)

    def do_POST(self) -> None:
        """Answer a Git client."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Keep quiet."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def git(at: Path, *args: str | bytes | Path, stdin: bytes | None = None) -> str:
    """Run git as a user would; give what it prints."""
    environment = os.environ | {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    done = subprocess.run(["git", *args], cwd=at, input=stdin, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {args!r}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode("utf-8", "surrogateescape").strip()
