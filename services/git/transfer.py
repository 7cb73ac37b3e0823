"""Talks to remotes: asks for refs, fetches, pushes. Everything a remote says becomes a domain error here."""

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.core.errors import LockstepError, MovedError, NotFoundError, StateError
from services.git import partial
from services.git.failures import GitFailed, at_remote, no_such_objects, remote_broken, too_many_refs
from services.git.remotes import Remote
from services.git.runner import Argument, Finished, Runner

_PROGRESS: Final = re.compile(r"(?:remote: )?([A-Z][\w ]+):\s+(?:(\d+)% \((\d+)/(\d+)\)|(\d+))")
_MOVED: Final = re.compile(
    r"stale info|fetch first|non-fast-forward|needs force|cannot lock ref|failed to (update|lock) ref"
    r"|incorrect old value|reference already exists|but expected",
)
# What a remote may list in one answer: about half a million refs.
LISTED_BYTES: Final = 32 * 1024 * 1024
_UNFILTERED: Final = re.compile(r"filtering not recognized by server")
_FETCH: Final[tuple[Argument, ...]] = (
    "fetch",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--progress",
    "--no-recurse-submodules",
)


@dataclass(frozen=True)
class Step:
    """How far git has come in one of its phases; ``total`` is 0 while unknown."""

    phase: str
    done: int
    total: int
    message: str


def refs(runner: Runner, at: Path, remote: Remote, patterns: Sequence[str]) -> dict[bytes, str]:
    """Ask a remote for the refs that match; give object names by full ref name."""
    at.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _listed(runner, at, remote, ["ls-remote", "--quiet", "--refs"], patterns)
    except GitFailed as failure:
        raise _asked(failure, remote.url) from None


def peeled_refs(runner: Runner, at: Path, remote: Remote, patterns: Sequence[str]) -> dict[bytes, str]:
    """Ask a remote for refs as ``refs`` does; what an annotated tag stands for comes as ``NAME^{}``, too."""
    try:
        return _listed(runner, at, remote, ["ls-remote", "--quiet"], patterns)
    except GitFailed as failure:
        raise at_remote(failure, remote.url) from None


def _listed(
    runner: Runner, at: Path, remote: Remote, command: Sequence[str], patterns: Sequence[str]
) -> dict[bytes, str]:
    args = [*command, "--end-of-options", remote.url, *patterns]
    with runner.start(args, at=at, remote=remote) as (process, watched):
        process.keep_stderr()
        text = process.stdout.read(LISTED_BYTES + 1)
        if len(text) > LISTED_BYTES:
            raise too_many_refs(remote.url)
        runner.judge(process, process.finish(), (0,), watched)
    lines = (line.partition(b"\t") for line in text.splitlines())
    return {name: oid.decode("ascii") for oid, _, name in lines if name}


def head(runner: Runner, at: Path, remote: Remote, branch: str) -> str:
    """Ask a remote for the head of a branch.

    Raises NotFoundError, reason EMPTY_REPOSITORY when there are no branches at all, NO_BRANCH when there
    are others.
    """
    name = f"refs/heads/{branch}"
    found = refs(runner, at, remote, [name]).get(name.encode())
    if found:
        return found
    if not refs(runner, at, remote, ["refs/heads/*"]):
        raise NotFoundError(
            f"the repository {remote.url} is empty",
            remedy=f"push a first commit to its branch {branch!r}",
            reason="EMPTY_REPOSITORY",
        )
    raise NotFoundError(
        f"there is no branch {branch!r} in {remote.url}",
        remedy="name a branch that exists with `lockstep git-config --branch`",
        reason="NO_BRANCH",
    )


def fetch(
    runner: Runner,
    mirror: Path,
    remote: Remote,
    refspecs: Sequence[str | bytes],
    fd: int,
    *,
    filtered: bool = False,
) -> Generator[Step, None, bool]:
    """Fetch refspecs into a mirror, giving git's progress. ``fd`` is the writer lock's, for git to inherit.

    ``filtered`` leaves the contents of files out where the remote knows how to; whether it did is given at the end.
    """
    options: list[Argument] = [*_FETCH, f"--filter={partial.FILTER}"] if filtered else [*_FETCH]
    name, speaking = (partial.NAME, partial.promising(remote)) if filtered else (remote.url, remote)
    try:
        done = yield from _steps(runner, [*options, "--end-of-options", name, *refspecs], mirror, speaking, fd)
    except GitFailed as failure:
        raise at_remote(failure, remote.url) from None
    return filtered and not _UNFILTERED.search(done.stderr)


def fetch_objects(
    runner: Runner,
    mirror: Path,
    remote: Remote,
    oids: Sequence[str],
    fd: int,
) -> Generator[Step, None, None]:
    """Fetch objects that a remote has promised, all in one request, giving git's progress; ``fd`` as for ``fetch``.

    Raises NotFoundError (reason NO_OBJECT, its name as ``oid`` in the metadata) for one that the remote does not
    have, StateError (reason NO_PARTIAL_CLONE) where the remote gives no objects by name.
    """
    args = [*_FETCH, f"--filter={partial.FILTER}", "--stdin", "--end-of-options", partial.NAME]
    names = "".join(f"{oid}\n" for oid in oids).encode("ascii")
    try:
        yield from _steps(runner, args, mirror, partial.asked_by_name(remote), fd, stdin=names)
    except GitFailed as failure:
        raise no_such_objects(failure, remote.url) or at_remote(failure, remote.url) from None


def push(
    runner: Runner,
    mirror: Path,
    remote: Remote,
    branch: str,
    new: str,
    expected_old: str,
    fd: int,
) -> Generator[Step, None, bool]:
    """Move a branch of a remote from ``expected_old`` (empty: not there) to ``new`` (empty: remove it).

    Gives git's progress and, at the end, whether the branch moved. Raises MovedError (reason STALE_REF) when
    the branch has another value, StateError (reason PUSH_REJECTED) when the remote does not want it.
    """
    name = f"refs/heads/{branch}"
    args = ["push", "--porcelain", "--progress", "--no-verify", "--no-recurse-submodules"]
    args += [f"--force-with-lease={name}:{expected_old}", "--end-of-options", remote.url, f"{new}:{name}"]
    try:
        done = yield from _steps(runner, args, mirror, remote, fd, good=(0, 1))
    except GitFailed as failure:
        raise at_remote(failure, remote.url) from None
    flag, summary = _porcelain(done.stdout)
    if done.code == 0 and flag and flag != "!":
        return flag != "="
    now = refs(runner, mirror, remote, [name]).get(name.encode(), "")
    if now == new:
        return False
    raise _refused(done, summary, branch, remote.url, expected_old, now)


def _asked(failure: GitFailed, url: str) -> LockstepError:
    error = at_remote(failure, url)
    return remote_broken(failure, url) if error is failure else error


def _refused(done: Finished, summary: str, branch: str, url: str, expected: str, now: str) -> LockstepError:
    if now != expected or _MOVED.search(summary):
        return MovedError(
            f"the branch {branch!r} of {url} is at {now or 'nothing'}, not at {expected or 'nothing'}",
            remedy="fetch and try again",
            reason="STALE_REF",
            metadata={"branch": branch, "oid": now},
        )
    if not summary:
        return at_remote(GitFailed("push", done.code, done.stderr), url)
    words = [line.removeprefix("remote:").strip() for line in done.stderr.splitlines() if line.startswith("remote:")]
    said = " ".join(word for word in words if word and not _PROGRESS.match(word))[:500]
    return StateError(
        f"{url} refuses the push to {branch!r}: {said or summary}",
        remedy="do what the remote asks for, or choose another branch",
        reason="PUSH_REJECTED",
        metadata={"branch": branch},
    )


def _porcelain(stdout: bytes) -> tuple[str, str]:
    """Give flag and summary of the one ref in the output of ``git push --porcelain``."""
    for line in stdout.decode("utf-8", "replace").splitlines():
        parts = line.split("\t")
        if len(parts) >= 3 and len(parts[0]) == 1:  # noqa: PLR2004
            return parts[0], parts[2]
    return "", ""


def _steps(
    runner: Runner,
    args: Sequence[Argument],
    mirror: Path,
    remote: Remote,
    fd: int,
    good: Sequence[int] = (0,),
    stdin: bytes | None = None,
) -> Generator[Step, None, Finished]:
    with runner.start(args, at=mirror, remote=remote, keep_fd=fd, stdin=stdin) as (process, watched):
        yield from _thinned(process.words())
        done = process.finish_words()
        runner.judge(process, done, good, watched)
        return done


def _thinned(words: Iterator[str]) -> Iterator[Step]:
    """Give the first word of each phase and each whole percentage that is a multiple of five."""
    last = ("", -1)
    for line in words:
        found = _PROGRESS.match(line)
        if not found:
            continue
        phase, percent, done, total, count = found.groups()
        mark = (phase, int(percent or 0) // 5)
        if mark != last:
            last = mark
            yield Step(phase.lower(), int(done or count or 0), int(total or 0), line.strip())
