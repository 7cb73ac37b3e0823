"""Cuts GitHub's official API description to the paths in use, and runs Prism with it before a stand-in.

Prism forwards each request and answers with an error of its own when the request or the stand-in's
answer breaks the description.
"""

import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).with_name("contract")
DESCRIPTION = CONTRACT / "node_modules/@octokit/openapi/generated/api.github.com.json"
PRISM = CONTRACT / "node_modules/@stoplight/prism-cli/dist/index.js"
PATHS = {
    "/user": ("get",),
    "/repos/{owner}/{repo}": ("get",),
    "/repos/{owner}/{repo}/pulls": ("get", "post"),
    "/repos/{owner}/{repo}/pulls/{pull_number}": ("get", "patch"),
}
_STARTED = "Prism is listening"
# What the description leaves out although the documentation of each of these endpoints, or of all, has it.
_MORE_ANSWERS = {
    ("/repos/{owner}/{repo}/pulls", "get"): ("404",),
    ("/repos/{owner}/{repo}/pulls", "post"): ("404",),
    ("/repos/{owner}/{repo}/pulls/{pull_number}", "patch"): ("404",),
}


def missing() -> str:
    """Say what is not installed; empty when Prism can run."""
    if shutil.which("node") is None:
        return "needs Node"
    if not (DESCRIPTION.exists() and PRISM.exists()):
        return "needs the packages of tests/standins/contract: run `npm ci` there, as `make test-all` does"
    return ""


def cut(description: dict[str, Any], base: str) -> dict[str, Any]:
    """Give the description of the paths in use with all that they refer to, for a server at ``base``."""
    paths: dict[str, Any] = {}
    for path, methods in PATHS.items():
        whole = description["paths"][path]
        paths[path] = {method: whole[method] for method in methods}
        for method in methods:
            answers = paths[path][method]["responses"]
            for status in _MORE_ANSWERS.get((path, method), ()):
                answers.setdefault(status, {"$ref": "#/components/responses/not_found"})
            for answer in answers.values():
                # Its example is a link to another host, and no test of an answer.
                answer.pop("headers", None)
    components: dict[str, Any] = {}
    waiting = _references(paths)
    while waiting:
        kind, name = waiting.pop()
        if name in components.setdefault(kind, {}):
            continue
        components[kind][name] = description["components"][kind][name]
        waiting |= _references(components[kind][name])
    components["securitySchemes"] = {"token": {"type": "apiKey", "in": "header", "name": "Authorization"}}
    small = {
        "openapi": description["openapi"],
        "info": description["info"],
        "servers": [{"url": base}],
        "security": [{"token": []}],
        "paths": paths,
        "components": components,
    }
    replaced: dict[str, Any] = json.loads(json.dumps(small).replace("https://api.github.com", base))
    return replaced


def _references(part: object) -> set[tuple[str, str]]:
    found = re.findall(r'"\$ref": "#/components/([^/"]+)/([^"]+)"', json.dumps(part))
    return {(kind, name) for kind, name in found}


class Prism:
    """A running ``prism proxy --errors``; ``url`` is what clients take for the API's base."""

    def __init__(self, upstream: str, folder: Path) -> None:
        description = folder / "github.json"
        cut_down = cut(json.loads(DESCRIPTION.read_text()), upstream)
        description.write_text(json.dumps(cut_down))
        port = self._port = _free_port()
        self._markers = 0
        self.url = f"http://127.0.0.1:{port}"
        self.output: list[str] = []
        started = time.monotonic()
        self._process = subprocess.Popen(
            [*f"node {PRISM} proxy --errors -h 127.0.0.1 -p {port}".split(" "), str(description), upstream],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        while not any(_STARTED in line for line in list(self.output)):
            if self._process.poll() is not None or time.monotonic() - started > 90:
                self.stop()
                raise RuntimeError("prism did not start: " + "".join(self.output)[-2000:])
            time.sleep(0.05)
        self.seconds_to_start = time.monotonic() - started

    def complaints(self) -> list[str]:
        """Give the lines in which Prism complained about requests or answers since the last call."""
        self._catch_up()
        lines = list(self.output)
        del self.output[: len(lines)]
        return [line.strip() for line in lines if "✖" in line and "/marker-" not in line]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        if self._process.stdout:
            self._process.stdout.close()

    def _catch_up(self) -> None:
        """Wait for the log to reach now: a request of our own is its last line."""
        self._markers += 1
        marker = f"/marker-{self._markers}"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        connection.request("GET", marker)
        connection.getresponse().read()
        connection.close()
        deadline = time.monotonic() + 10
        while not any(f"{marker} " in line and "✖" in line for line in list(self.output)):
            assert time.monotonic() < deadline, "prism's log stands still"
            time.sleep(0.01)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
