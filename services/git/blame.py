"""Who last changed each line of a file."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from services.core.errors import InvalidInputError
from services.git.commits import Person
from services.git.failures import GitFailed
from services.git.history import read_file
from services.git.mirror import Mirror
from services.git.supplying import supply_reachable
from services.git.versions import names_of

_HEAD: Final = re.compile(rb"([0-9a-f]{40}) (\d+) (\d+)")
_TOO_FAR: Final = re.compile(r"has only (\d+) lines?")
_MAX_SUMMARY: Final = 1000


@dataclass
class Origin:
    """Where lines come from: a commit, and the file in it. ``time`` is the author's, seconds since the epoch."""

    commit: str
    author: Person = field(default_factory=lambda: Person("", ""))
    time: int = 0
    summary: str = ""
    path: bytes = b""


@dataclass
class Hunk:
    """Neighbouring lines of one origin. Line numbers begin with 1."""

    origin: Origin
    path: bytes
    first_line: int
    original_line: int
    lines: list[bytes] = field(default_factory=list)


def blame(mirror: Mirror, commit: str, path: bytes, first: int, last: int) -> Iterator[Hunk]:
    """Give the lines of a file at a commit with their origins, in order; ``first`` and ``last`` 0 mean all.

    Raises NotFoundError (reason NO_FILE) when there is no such file, InvalidInputError when it is too large or
    has fewer lines.
    """
    if first < 0 or last < 0 or 0 < last < first:
        raise InvalidInputError("the first line comes after the last", remedy="give lines from 1, in order")
    file = read_file(mirror, commit, path)
    if not file.content:
        return
    if mirror.partial:
        supply_reachable(mirror, commit, (), names_of(mirror, commit, path))
    lines = [f"-L{first or 1},{last or ''}"] if first or last else []
    args: list[str | bytes] = ["blame", "--porcelain", "--no-progress", *lines, commit, "--", path]
    yield from mirror.healing_stream(lambda: _blame(mirror, args))


def _blame(mirror: Mirror, args: Sequence[str | bytes]) -> Iterator[Hunk]:
    with mirror.runner.start(args, at=mirror.path, remote=mirror.promising()) as (process, watched):
        process.keep_stderr()
        yield from _hunks(process.stdout)
        done = process.finish()
        if done.code and (found := _TOO_FAR.search(done.stderr)):
            raise InvalidInputError(f"the file has only {found[1]} lines", remedy="name lines that it has")
        mirror.runner.judge(process, done, (0,), watched)


def _hunks(pipe: IO[bytes]) -> Iterator[Hunk]:
    """Read git's porcelain format, in which what is said of a commit is said once."""
    origins: dict[str, Origin] = {}
    hunk: Hunk | None = None
    for line in pipe:
        head = _HEAD.match(line)
        if not head:
            raise GitFailed("blame", 128, "fatal: it wrote what is not its porcelain format")
        oid, original, final = head[1].decode("ascii"), int(head[2]), int(head[3])
        origin = origins.setdefault(oid, Origin(oid))
        content = _describe(origin, pipe)
        if hunk is None or hunk.origin is not origin or hunk.path != origin.path or not _follows(hunk, original):
            if hunk:
                yield hunk
            hunk = Hunk(origin, origin.path, final, original)
        hunk.lines.append(content)
    if hunk:
        yield hunk


def _describe(origin: Origin, pipe: IO[bytes]) -> bytes:
    """Read what is said of an origin up to the line itself, and give that without its end."""
    for line in pipe:
        if line.startswith(b"\t"):
            return line[1:].removesuffix(b"\n")
        key, _, value = line.removesuffix(b"\n").partition(b" ")
        if key == b"author":
            origin.author = Person(value.decode("utf-8", "replace"), origin.author.email)
        elif key == b"author-mail":
            origin.author = Person(origin.author.name, value.strip(b"<>").decode("utf-8", "replace"))
        elif key == b"author-time":
            origin.time = int(value)
        elif key == b"summary":
            origin.summary = value.decode("utf-8", "replace")[:_MAX_SUMMARY]
        elif key == b"filename":
            origin.path = _unquoted(value)
    raise GitFailed("blame", 128, "fatal: it ended within a line")


def _follows(hunk: Hunk, original: int) -> bool:
    return original == hunk.original_line + len(hunk.lines)


def _unquoted(name: bytes) -> bytes:
    """Undo git's quoting of names that would break a line."""
    if not name.startswith(b'"'):
        return name
    plain = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}

    def one(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8)]) if code.isdigit() else plain.get(code, code)

    return re.sub(rb"\\([0-7]{3}|.)", one, name[1:-1])
