"""Runs git, the only way git is run: hardened, bounded in time, and never with a secret in sight.

The one module that imports GitPython. Of its command layer it relies on ``git.cmd.safer_popen`` (how
GitPython starts git) and ``Git.GIT_PYTHON_GIT_EXECUTABLE`` (which git). ``Git.execute`` itself does not do:
it hands the whole environment on, kills with SIGKILL only, and knows no process groups.

Promises: a fixed environment (allow-list; no configuration of user or system, no prompt, no hooks, no
credential helper); arguments are never joined into a shell line; credentials travel by environment; each
process leads a group of its own and ends with the call that started it, at its deadline, or with the service
however that ends; what git says
is scrubbed of tokens before anyone sees it.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

import structlog
from git.cmd import Git, safer_popen

from services.core.errors import StateError
from services.git import ssh
from services.git.failures import GitFailed
from services.git.orphans import Orphanage
from services.git.remotes import Policy, Remote
from services.git.watchdog import Watchdog, Watched, end
from services.runtime.context import current_call
from services.runtime.logs import redact

log = structlog.get_logger(__name__)

Argument: TypeAlias = str | bytes | Path

_INHERITED: Final = (
    "PATH",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
)
_CONFIG: Final = (
    ("core.hooksPath", os.devnull),
    ("core.askPass", ""),
    ("core.fsmonitor", "false"),
    ("core.deltaBaseCacheLimit", "256m"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
    ("protocol.ext.allow", "never"),
    ("push.default", "nothing"),
    ("push.recurseSubmodules", "no"),
    ("fetch.recurseSubmodules", "no"),
    ("submodule.recurse", "false"),
)
_KEPT_STDERR: Final = 64 * 1024
_LOGGED: Final = 2000
_PIPE_BYTES: Final = 1024 * 1024
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Finished:
    """What a process that has ended said."""

    code: int
    stdout: bytes
    stderr: str


class Process:
    """A running git whose output is read while it runs. Used as ``with runner.start(...) as process``."""

    def __init__(
        self, popen: "subprocess.Popen[bytes]", name: str, secrets: Sequence[str], orphanage: Orphanage
    ) -> None:
        """Take a started process."""
        self.popen = popen
        self.name = name
        self._orphanage = orphanage
        orphanage.enter(popen.pid)
        self._secrets = tuple(secrets)
        self._kept = bytearray()
        self._said = ""
        self._drain: threading.Thread | None = None

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe into git."""
        return _pipe(self.popen.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe out of git."""
        return _pipe(self.popen.stdout)

    def say(self, data: bytes) -> None:
        """Write all of standard input and close it; what nobody reads is lost, and the exit code says why."""
        with contextlib.suppress(BrokenPipeError):
            self.stdin.write(data)
            self.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()

    def keep_stderr(self) -> None:
        """Collect git's words in the background while stdout is read."""
        self._start_drain(_pipe(self.popen.stderr))

    def words(self) -> Iterator[str]:
        """Give the lines git writes to standard error as they come, scrubbed; stdout is collected meanwhile."""
        self._start_drain(self.stdout)
        kept = ""
        for line in _lines(_pipe(self.popen.stderr)):
            text = self.scrub(line)
            kept = (kept + text + "\n")[-_KEPT_STDERR:]
            yield text
        self._said = kept

    def finish_words(self) -> Finished:
        """After ``words``: wait for the end and give what was said."""
        self._join()
        return Finished(self.popen.wait(), bytes(self._kept), self._said)

    def finish(self) -> Finished:
        """After ``keep_stderr`` and reading all of stdout: wait for the end and give what was said."""
        self._join()
        return Finished(self.popen.wait(), b"", self.scrub(self._kept.decode("utf-8", "replace")))

    def scrub(self, text: str) -> str:
        """Give text without this process's secrets, or anything that looks like one."""
        return scrubbed(text, self._secrets)

    def _start_drain(self, pipe: IO[bytes]) -> None:
        def drain() -> None:
            while chunk := pipe.read1(_KEPT_STDERR):  # type: ignore[attr-defined]
                self._kept += chunk
                del self._kept[: -16 * _KEPT_STDERR]

        self._drain = threading.Thread(target=drain, name="git-drain", daemon=True)
        self._drain.start()

    def _join(self) -> None:
        if self._drain:
            self._drain.join()

    def close(self) -> None:
        """End the process and close its pipes."""
        end(self.popen)
        self._orphanage.leave(self.popen.pid)
        self._join()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()


class Runner:
    """Starts git under a policy. Safe for many threads."""

    def __init__(self, policy: Policy) -> None:
        """Take the policy; make an empty home folder for git."""
        self.policy = policy
        self.watchdog = Watchdog()
        self._orphanage = Orphanage()
        self._home = tempfile.TemporaryDirectory(prefix="lockstep-git-home-")

    def run(
        self,
        args: Sequence[Argument],
        *,
        at: Path,
        remote: Remote | None = None,
        stdin: bytes | None = None,
        keep_fd: int | None = None,
        good: Sequence[int] = (0,),
    ) -> Finished:
        """Run git to its end in the repository ``at``; give what it said.

        Raises GitFailed for an exit code that is not in ``good``, CancelledError or TimeoutExceededError
        when the call ended first.
        """
        with _transport(remote) as extra:
            process = self._spawn(args, at, remote, extra, want_stdin=stdin is not None, keep_fd=keep_fd)
            with self._watched(process, remote) as watched:
                out, err = process.popen.communicate(stdin)
                done = Finished(process.popen.returncode, out, process.scrub(err.decode("utf-8", "replace")))
                self.judge(process, done, good, watched)
        return done

    @contextlib.contextmanager
    def start(
        self,
        args: Sequence[Argument],
        *,
        at: Path,
        remote: Remote | None = None,
        keep_fd: int | None = None,
        extra: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Iterator[tuple[Process, Watched]]:
        """Start git and give it while it runs; whatever happens, it has ended afterwards.

        ``extra`` is added to its environment. ``stdin`` is for commands that read all of it before they answer.
        """
        with _transport(remote) as own:
            environment = {**own, **(extra or {})}
            process = self._spawn(args, at, remote, environment, want_stdin=stdin is not None, keep_fd=keep_fd)
            with self._watched(process, remote) as watched:
                if stdin is not None:
                    process.say(stdin)
                yield process, watched

    def open(self, args: Sequence[Argument], *, at: Path) -> Process:
        """Start a long-lived git with a pipe into it. The caller closes it and sees to its being watched."""
        return self._spawn(args, at, None, {}, want_stdin=True, keep_fd=None, quiet=True)

    def judge(self, process: Process, done: Finished, good: Sequence[int], watched: Watched) -> None:
        """Raise what the end of a process means; nothing when its exit code is in ``good``."""
        if done.code in good:
            return
        watched.call.check()
        log.info("git failed", command=process.name, code=done.code, said=done.stderr[-_LOGGED:])
        raise GitFailed(process.name, done.code, done.stderr, overdue=watched.overdue, swollen=watched.swollen)

    def close(self) -> None:
        """Let go of the watchdog and the home folder."""
        self.watchdog.close()
        self._orphanage.close()
        self._home.cleanup()

    @contextlib.contextmanager
    def _watched(self, process: Process, remote: Remote | None) -> Iterator[Watched]:
        memory = self.policy.remote_memory_bytes if remote and remote.url else 0
        watched = self.watchdog.watch(process.popen, current_call(), self.policy.timeout_seconds, memory)
        try:
            yield watched
        finally:
            self.watchdog.release(watched)
            process.close()

    def _spawn(
        self,
        args: Sequence[Argument],
        at: Path,
        remote: Remote | None,
        extra: Mapping[str, str],
        *,
        want_stdin: bool,
        keep_fd: int | None,
        quiet: bool = False,
    ) -> Process:
        current_call().check()
        name = str(args[0])
        try:
            popen: subprocess.Popen[bytes] = safer_popen(
                [Git.GIT_PYTHON_GIT_EXECUTABLE or "git", *args],
                cwd=at,
                env={**self._environment(at, remote), **extra},
                stdin=subprocess.PIPE if want_stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if quiet else subprocess.PIPE,
                bufsize=_PIPE_BYTES,
                start_new_session=True,
                pass_fds=() if keep_fd is None else (keep_fd,),
            )
        except FileNotFoundError:
            if at.is_dir():
                raise StateError("git is not installed", remedy="install git 2.39 or newer", reason="NO_GIT") from None
            raise GitFailed(name, 128, "fatal: not a git repository (the folder is gone)") from None
        return Process(popen, name, remote.secrets if remote else (), self._orphanage)

    def _environment(self, at: Path, remote: Remote | None) -> dict[str, str]:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= _libraries(os.environ)
        environment |= {
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "HOME": self._home.name,
            "GIT_DIR": str(at),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_ALLOW_PROTOCOL": ":".join(sorted(self.policy.allowed_protocols & {"https", "ssh", "http", "file"})),
            "GIT_ADVICE": "0",
        }
        config = (*_CONFIG, *(remote.config if remote else ()))
        for number, (key, value) in enumerate(config):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        environment["GIT_CONFIG_COUNT"] = str(len(config))
        return environment


def _transport(remote: Remote | None) -> contextlib.AbstractContextManager[dict[str, str]]:
    """Give what a remote's protocol needs in git's environment, as long as git runs."""
    return ssh.environment(remote.ssh) if remote and remote.ssh else contextlib.nullcontext({})


def scrubbed(text: str, secrets: Sequence[str]) -> str:
    """Give text without the secrets, credentials in addresses, and anything that looks like a token."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return redact(_USERINFO.sub("", text))


def _libraries(environ: Mapping[str, str]) -> dict[str, str]:
    """Give git the system's libraries, not the ones a single-file executable unpacks for itself."""
    original = environ.get("LD_LIBRARY_PATH_ORIG")
    if original:
        return {"LD_LIBRARY_PATH": original}
    if getattr(sys, "frozen", False) or "LD_LIBRARY_PATH" not in environ:
        return {}
    return {"LD_LIBRARY_PATH": environ["LD_LIBRARY_PATH"]}


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the process has no such pipe")
    return pipe


def _lines(pipe: IO[bytes]) -> Iterator[str]:
    """Split at line ends and at the carriage returns of git's progress."""
    rest = b""
    while chunk := pipe.read1(_KEPT_STDERR):  # type: ignore[attr-defined]
        *lines, rest = re.split(rb"[\r\n]+", rest + chunk)
        rest = rest[-_KEPT_STDERR:]
        yield from (line.decode("utf-8", "replace") for line in lines if line.strip())
    if rest.strip():
        yield rest.decode("utf-8", "replace")
