"""Reads history: what changed between two trees, which commits lie between two, how far behind one is."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from services.core.errors import InvalidInputError, NotFoundError
from services.git import commits, names, trees
from services.git.failures import GitFailed, unknown_commit
from services.git.mirror import Mirror
from services.git.runner import Argument

_CHUNK: Final = 1024 * 1024
_MAX_PAGE: Final = 1000
_DEFAULT_PAGE: Final = 50


class Change(NamedTuple):
    """One path that differs. ``status`` is git's letter: A, M, D, T or R."""

    status: str
    path: bytes
    old_path: bytes
    old_blob: str
    new_blob: str
    old_mode: int
    new_mode: int


@dataclass(frozen=True)
class File:
    """One file at a commit."""

    content: bytes
    blob: str
    mode: int


def changed_paths(
    mirror: Mirror,
    old: str,
    new: str,
    folders: Sequence[bytes],
    *,
    find_renames: bool,
) -> Iterator[Change]:
    """Give the paths that differ between two commits or trees, in path order.

    Raises StateError (reason UNKNOWN_COMMIT) when one of them is neither in the mirror nor on a remote.
    """
    mirror.ensure()
    wanted = [oid for oid in (old, new) if oid and oid != names.EMPTY_TREE]
    kinds = mirror.healing(lambda: mirror.info(wanted))
    mirror.obtain([info.oid for info in kinds if info.kind not in ("commit", "tree")])
    options = ["-M", "-l1000"] if find_renames else ["--no-renames"]
    head: list[Argument] = [
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--no-abbrev",
        "--no-commit-id",
        "--no-ext-diff",
        *options,
    ]
    args = [*head, "--end-of-options", old or names.EMPTY_TREE, new, "--", *folders]
    sent = False
    for attempt in (1, 2):
        try:
            for change in _diff(mirror, args):
                sent = True
                yield change
        except GitFailed as failure:
            if sent or attempt == 2:  # noqa: PLR2004
                raise
            mirror.heal(failure)
        else:
            return


def behind(mirror: Mirror, remote_oid: str, imported_oid: str) -> int:
    """Give the number of commits in ``remote_oid`` that are not in ``imported_oid``; -1 when it is not known."""
    if remote_oid == imported_oid:
        return 0
    wanted = [oid for oid in (remote_oid, imported_oid) if oid]
    limits = [f"^{imported_oid}"] if imported_oid else []
    try:
        if not mirror.exists() or any(info.kind != "commit" for info in mirror.info(wanted)):
            return -1
        done = mirror.runner.run(["rev-list", "--count", remote_oid, *limits, "--"], at=mirror.path)
    except GitFailed:
        mirror.suspect()
        return -1
    return int(done.stdout)


def read_file(mirror: Mirror, commit: str, path: bytes) -> File:
    """Give a file at a commit.

    Raises NotFoundError (reason NO_FILE) when there is none, InvalidInputError (reason TOO_LARGE) when it is
    larger than the policy allows.
    """
    mirror.healing(lambda: mirror.obtain([commit]))
    return mirror.healing(lambda: _read_file(mirror, commit, path))


def list_commits(
    mirror: Mirror,
    to_oid: str,
    from_oid: str,
    path: bytes,
    size: int,
    token: str,
) -> tuple[list[commits.Commit], str]:
    """Give a page of the commits in ``to_oid`` and not in ``from_oid``, newest first, and the next page's token."""
    size = min(size if size > 0 else _DEFAULT_PAGE, _MAX_PAGE)
    skip = _skip(token)
    mirror.healing(lambda: mirror.obtain([oid for oid in (to_oid, from_oid) if oid]))
    limits = [f"^{from_oid}"] if from_oid else []
    paths = [path] if path else []
    args: list[Argument] = [
        "rev-list",
        f"--max-count={size + 1}",
        f"--skip={skip}",
        to_oid,
        *limits,
        "--",
        *paths,
    ]
    listed = mirror.healing(lambda: mirror.runner.run(args, at=mirror.path)).stdout.decode("ascii").split()
    page = listed[:size]
    with mirror.pool.lease(mirror.path) as reader:
        found = [commits.read(info.oid, data) for info, data in reader.contents(page)]
    return found, _token(skip + size) if len(listed) > size else ""


def _read_file(mirror: Mirror, commit: str, path: bytes) -> File:
    with mirror.pool.lease(mirror.path) as reader:
        ((_, data),) = reader.contents([commit])
        oid, mode = commits.read(commit, data).tree, trees.TREE
        for name in path.split(b"/"):
            entries = trees.parse(_whole(reader.contents([oid]))) if trees.is_tree(mode) else []
            found = next((entry for entry in entries if entry[1] == name), None)
            if found is None:
                raise _no_file(commit, path)
            mode, oid = found[0], found[2].hex()
        (info,) = reader.info([oid])
        if info.kind != "blob":
            raise _no_file(commit, path)
        limit = mirror.runner.policy.max_file_bytes
        if info.size > limit:
            raise InvalidInputError(
                f"{_shown(path)} has {info.size} bytes, more than the {limit} that are read at once",
                remedy="read it in a clone of the repository",
                reason="TOO_LARGE",
            )
        return File(_whole(reader.contents([oid])), oid, int(mode, 8))


def _whole(answers: Iterator[tuple[object, bytes]]) -> bytes:
    ((info, data),) = answers
    if not getattr(info, "kind", ""):
        raise GitFailed("cat-file", 128, "fatal: failed to read object")
    return data


def _diff(mirror: Mirror, args: Sequence[Argument]) -> Iterator[Change]:
    with mirror.runner.start(args, at=mirror.path) as (process, watched):
        process.keep_stderr()
        fields = _fields(process.stdout)
        for head in fields:
            yield _change(head, fields)
        done = process.finish()
        if done.code and GitFailed("diff-tree", done.code, done.stderr).unknown_object:
            raise unknown_commit(str(args[-1]))
        mirror.runner.judge(process, done, (0,), watched)


def _change(head: bytes, fields: Iterator[bytes]) -> Change:
    old_mode, new_mode, old_blob, new_blob, status = head.decode("ascii").split(" ")
    path = next(fields)
    old_path = path
    if status[0] in "RC":
        path = next(fields)
    return Change(status[0], path, old_path, old_blob, new_blob, int(old_mode[1:], 8), int(new_mode, 8))


def _fields(pipe: IO[bytes]) -> Iterator[bytes]:
    """Split at NULs."""
    rest = b""
    while chunk := pipe.read1(_CHUNK):  # type: ignore[attr-defined]
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


def _no_file(commit: str, path: bytes) -> NotFoundError:
    return NotFoundError(
        f"there is no file {_shown(path)} at {commit}",
        remedy="name a file of that commit",
        reason="NO_FILE",
    )


def _shown(path: bytes) -> str:
    return repr(path.decode("utf-8", "backslashreplace"))


def _token(skip: int) -> str:
    return base64.urlsafe_b64encode(b"skip:%d" % skip).decode("ascii")


def _skip(token: str) -> int:
    if not token:
        return 0
    try:
        number = int(base64.urlsafe_b64decode(token).removeprefix(b"skip:"))
    except (binascii.Error, ValueError):
        number = -1
    if number < 0:
        raise InvalidInputError("the page token is not one of this service", remedy="start at the first page")
    return number
