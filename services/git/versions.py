"""The history of one file: which commits changed it, and what it was called then."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from services.git import commits
from services.git.history import no_file
from services.git.mirror import Mirror
from services.git.paging import page_size, page_token, skipped

_CHUNK: Final = 64 * 1024
_MAX_COMMIT_BYTES: Final = 256 * 1024
# A message of gRPC takes 12 MiB; bytes that are no UTF-8 grow to three when they are replaced.
_PAGE_BYTES: Final = 2 * 1024 * 1024
_MOST: Final = 2**31 - 1
_NOTHING: Final = "0" * 40


@dataclass(frozen=True)
class Version:
    """A file after one commit. ``status`` is git's letter: A, M, D, T or R; ``blob`` is empty for a deletion."""

    commit: commits.Commit
    status: str
    path: bytes
    old_path: bytes
    blob: str


@dataclass(frozen=True)
class _Entry:
    commit: str
    status: str
    path: bytes
    old_path: bytes
    blob: str


def path_history(mirror: Mirror, commit: str, path: bytes, size: int, token: str) -> tuple[list[Version], str]:
    """Give a page of the versions of a file, newest first, and the next page's token.

    Renames are followed as ``git log --follow`` does. A merge is listed by the commits that it brought. Raises
    NotFoundError (reason NO_FILE) when no commit changed such a path.
    """
    size, skip = page_size(size), skipped(token)
    mirror.healing(lambda: mirror.obtain([commit]))
    listed = list(mirror.healing_stream(lambda: _entries(mirror, commit, path, skip, size + 1)))
    if not listed and not skip:
        raise no_file(commit, path)
    page = listed[:size]
    found: list[Version] = []
    with mirror.pool.lease(mirror.path) as reader:
        contents = reader.contents([entry.commit for entry in page], _MAX_COMMIT_BYTES)
        room = _PAGE_BYTES
        for entry, (_, data) in zip(page, contents, strict=True):
            room -= len(data)
            if room >= 0 or not found:
                commit_then = commits.read(entry.commit, data)
                found.append(Version(commit_then, entry.status, entry.path, entry.old_path, entry.blob))
    return found, page_token(skip + len(found)) if len(listed) > len(found) else ""


def names_of(mirror: Mirror, commit: str, path: bytes) -> list[bytes]:
    """Give all names that a file had up to a commit."""
    found = {path: None}
    for entry in mirror.healing_stream(lambda: _entries(mirror, commit, path, 0, _MOST)):
        found |= {name: None for name in (entry.path, entry.old_path) if name}
    return list(found)


def _entries(mirror: Mirror, commit: str, path: bytes, skip: int, count: int) -> Iterator[_Entry]:
    """Give some entries of the history.

    ``--skip`` counts commits before git has looked whether they touch the path, so what is skipped is read here.
    """
    head: list[str | bytes] = ["log", "--follow", "-M", "-z", "--raw", "--no-abbrev", "--no-ext-diff", "--no-color"]
    args = [*head, "--no-decorate", "--no-show-signature", "--no-notes", f"--max-count={skip + count}", "--format=%H"]
    args = [*args, "--end-of-options", commit, "--", path]
    with mirror.runner.start(args, at=mirror.path, remote=mirror.promising()) as (process, watched):
        process.keep_stderr()
        found = list(_read(process.stdout))
        mirror.runner.judge(process, process.finish(), (0,), watched)
    yield from found[skip : skip + count]


def _read(pipe: IO[bytes]) -> Iterator[_Entry]:
    fields = _fields(pipe)
    commit = ""
    for field in fields:
        if not field.lstrip(b"\n").startswith(b":"):
            commit = field.strip().decode("ascii")
            continue
        _, _, _, blob, status = field.strip().decode("ascii").split(" ")
        old_path = next(fields)
        path = next(fields) if status[0] in "RC" else old_path
        kept = "" if blob == _NOTHING else blob
        yield _Entry(commit, status[0], path, old_path if status[0] == "R" else b"", kept)


def _fields(pipe: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := pipe.read1(_CHUNK):  # type: ignore[attr-defined]
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
