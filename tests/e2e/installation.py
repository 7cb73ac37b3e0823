"""A standalone Lockstep as a person has it: a process, a data folder, and the command line."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gateway.cli.connect import running_address
from gateway.cli.main import main

ROOT = Path(__file__).parents[2]


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Give standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Installation:
    """One data folder and, while it runs, the process that serves it."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self, moment: str = "") -> None:
        """Start ``lockstep up``; with a moment, one that kills itself then. Waits until it answers."""
        command = ["-m", "tests.e2e.crashing", moment] if moment else ["-m", "gateway.cli.main"]
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.data.parent), "LOCKSTEP_POLL_SECONDS": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, "--data", str(self.data), "up", "--port", "0"],
                cwd=ROOT,
                env=environ | self.settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait(lambda: bool(running_address(self.data)), "the server to answer")

    @property
    def log(self) -> Path:
        """Give the file with what the server printed."""
        return self.data.with_suffix(".log")

    def kill(self) -> None:
        """End the process without a chance to clean up."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """Ask the process to end, and wait for it; give its exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def wait_dead(self) -> None:
        """Wait until the process has killed itself."""
        process = self.process
        assert process
        self.wait(lambda: process.poll() is not None, "the process to die")
        assert process.returncode == -signal.SIGKILL

    def wait(self, condition: Any, what: str, seconds: float = 60.0) -> None:
        """Wait until a condition holds."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"waited in vain for {what}; the log says:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def run(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Answer:
        """Run a command of the command line."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch.dict(os.environ, env or {}),
            patch("sys.stdin", io.StringIO(stdin)),
        ):
            code = main(["--data", str(self.data), *arguments])
        return Answer(code, out.getvalue(), err.getvalue())

    def do(self, *arguments: str, stdin: str = "") -> Any:
        """Run a command that has to succeed; give its JSON."""
        answer = self.run(*arguments, "--json", stdin=stdin)
        assert answer.code == 0, (arguments, answer)
        return answer.json

    def status(self) -> Any:
        """Give git-status."""
        return self.do("git-status")

    def publications(self) -> Sequence[Any]:
        """Give all publications."""
        return list(self.do("publications", "list")["publications"])

    def wait_state(self, *states: str) -> Any:
        """Wait until the one publication has one of the states; give it."""
        self.wait(lambda: [p["state"] for p in self.publications()] in [[s] for s in states], f"state {states}")
        return self.publications()[0]
