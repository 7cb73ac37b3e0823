"""Serves bare repositories over smart HTTP with ``git http-backend``."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_GIT_REQUEST = re.compile(
    r"^/(?P<repository>.+?)(?:\.git)?/(?P<rest>info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.+)$"
)


@dataclass(frozen=True)
class GitRequest:
    """A request of a Git client: repository path without ``.git``, the rest of the path, what it wants."""

    repository: str
    rest: str
    is_push: bool


def git_request(path: str, query: str) -> GitRequest | None:
    """Read a request's path as one of a Git client; None when it is something else."""
    found = _GIT_REQUEST.match(path)
    if found is None:
        return None
    is_push = found["rest"] == "git-receive-pack" or "service=git-receive-pack" in query
    return GitRequest(found["repository"], found["rest"], is_push)


def run_backend(
    bare: Path, rest: str, *, method: str, query: str, headers: dict[str, str], body: bytes, user: str
) -> tuple[int, dict[str, str], bytes]:
    """Let ``git http-backend`` answer; gives status, headers and body."""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(bare.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "PATH_INFO": f"/{bare.name}/{rest}",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
    # As under any web server: what a program said before it failed is the answer.
    head, _, content = (done.stdout or b"Status: 500 Internal Server Error").partition(b"\r\n\r\n")
    answered = dict(_lines(head.decode().split("\r\n")))
    status = int(answered.pop("Status", "200").split()[0])
    return status, answered, content


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(": ")
        yield name, value
