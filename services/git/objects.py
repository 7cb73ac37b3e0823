"""Reads objects of a mirror through long-lived ``git cat-file --batch-command --buffer`` processes.

A pool keeps a few processes for each mirror, ends idle ones, and never takes one back that was not read
to the end of its answers. Requests go out in windows smaller than a pipe, so neither side can block the
other; the next window is on its way while the answers of the last are read.
"""

import contextlib
import fcntl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from services.core.errors import InvalidInputError, NotFoundError, StateError
from services.git.failures import GitFailed
from services.git.runner import Argument, Process, Runner
from services.runtime.context import current_call

WINDOW: Final = 1000
PER_MIRROR: Final = 6
# diff-tree keeps every root that it was asked for.
USES: Final = 64
IN_ALL: Final = 32
IDLE_SECONDS: Final = 60.0
PIECE: Final = 1024 * 1024 - 4096
_COMMAND_BYTES: Final = 56
_PIPE_BYTES: Final = 1024 * 1024
_BLOB: Final = 46  # where the size is in "<40 hex> blob 123"
_SMALLEST_PIPE: Final = 4096
# Instead of the size of a blob: there is no such object; it is no blob; this is more of the blob before.
ABSENT: Final = -1
OTHER: Final = -2
CONTINUED: Final = -3
# A folder of three million files.
MOST_BYTES: Final = 128 * 1024 * 1024
_REAP_SECONDS: Final = 1.0
CAT_FILE: Final[tuple[Argument, ...]] = ("cat-file", "--batch-command", "--buffer")


class Info(NamedTuple):
    """What is known of an object without reading it: ``kind`` is empty when there is no such object."""

    oid: str
    kind: str
    size: int


class Reader:
    """One process, leased to one caller at a time."""

    def __init__(self, process: Process, args: Sequence[Argument], evictions: int) -> None:
        """Take a process that has just been started, and how often its mirror had gone away until then."""
        self.process = process
        self.args = tuple(args)
        self.uses = 0
        self.evictions = evictions
        self.used_at = 0.0
        self._window = max(1, min(WINDOW, _capacity(process) // _COMMAND_BYTES))

    def info(self, oids: Sequence[str]) -> Iterator[Info]:
        """Give kind and size of objects, in order."""
        for window in self._windows("info", oids):
            for oid in window:
                yield self._header(oid)

    def trees(self, oids: Sequence[str]) -> list[str]:
        """Give the root tree of commits (of a tree itself), in order; empty where there is none."""
        self.ask("".join([f"info {oid}^{{tree}}\n" for oid in oids]) + "flush\n")
        answers = [self.process.stdout.readline().split() for _ in oids]
        if not all(answers):
            self.broken()
        return [words[0].decode("ascii") if words[1:2] == [b"tree"] else "" for words in answers]

    def contents(self, oids: Sequence[str], limit: int | None = None) -> Iterator[tuple[Info, bytes]]:
        """Give whole objects, in order; all of them must be there.

        With a limit, of larger ones their first ``limit`` bytes. Raises StateError (reason BAD_OBJECTS) for one of
        more than MOST_BYTES, which no folder and no commit has that people made.
        """
        read = self.process.stdout.read
        for window in self._windows("contents", oids):
            for oid in window:
                info = self._header(oid)
                if not info.kind:
                    yield info, b""
                    continue
                if limit is not None and info.size > limit:
                    data = read(limit)
                    self._skip(info.size - len(data) + 1)
                    yield info, data
                    continue
                if info.size > MOST_BYTES:
                    raise _too_large(info)
                data = read(info.size + 1)
                if len(data) != info.size + 1:
                    self.broken()
                yield info, data[:-1]

    def blobs(self, oids: Sequence[str], limit: int) -> Iterator[tuple[int, bytes]]:
        """Give blobs, in order, as size and content; after a first piece of PIECE bytes others follow as CONTINUED.

        One of more than ``limit`` bytes has no content, nor has what is missing (ABSENT) or no blob (OTHER).
        """
        read, readline = self.process.stdout.read, self.process.stdout.readline
        for window in self._windows("contents", oids):
            for oid in window:
                line = readline()
                # Nearly all are blobs, and there are many.
                kind, size = ("blob", int(line[_BLOB:])) if line[40:_BLOB] == b" blob " else self._parsed(oid, line)[1:]
                if not kind:
                    yield ABSENT, b""
                elif kind != "blob" or size > limit:
                    self._skip(size + 1)
                    yield (size if kind == "blob" else OTHER), b""
                elif size <= PIECE:
                    data = read(size + 1)
                    if len(data) != size + 1:
                        self.broken()
                    yield size, data[:-1]
                else:
                    yield from self._long(size)

    def _long(self, size: int) -> Iterator[tuple[int, bytes]]:
        announced, left = size, size
        while left:
            data = self.process.stdout.read(min(left, PIECE))
            if not data:
                self.broken()
            yield announced, data
            announced = CONTINUED
            left -= len(data)
        self._skip(1)

    def _windows(self, command: str, oids: Sequence[str]) -> Iterator[Sequence[str]]:
        """Send one window ahead of the one whose answers are read."""
        size = self._window
        windows = [oids[start : start + size] for start in range(0, len(oids), size)]
        if windows:
            self._send(command, windows[0])
        for number, window in enumerate(windows):
            if number + 1 < len(windows):
                self._send(command, windows[number + 1])
            yield window

    def _send(self, command: str, oids: Sequence[str]) -> None:
        self.ask("".join([f"{command} {oid}\n" for oid in oids]) + "flush\n")

    def ask(self, lines: str) -> None:
        """Send lines; raise GitFailed when there is nobody to read them."""
        try:
            self.process.stdin.write(lines.encode("ascii"))
            self.process.stdin.flush()
        except BrokenPipeError:
            self.broken()

    def _skip(self, size: int) -> None:
        while size:
            gone = len(self.process.stdout.read(min(size, PIECE)))
            if not gone:
                self.broken()
            size -= gone

    def _header(self, oid: str) -> Info:
        return self._parsed(oid, self.process.stdout.readline())

    def _parsed(self, oid: str, line: bytes) -> Info:
        words = line.split()
        if len(words) == 3:  # noqa: PLR2004
            return Info(oid, words[1].decode("ascii"), int(words[2]))
        if len(words) == 2 and words[1] == b"missing":  # noqa: PLR2004
            return Info(oid, "", -1)
        raise self.broken()

    def broken(self) -> NoReturn:
        """Raise what the end of the process means: as a rule GitFailed."""
        current_call().check()
        code = 128
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.popen.wait(_REAP_SECONDS) or code
        # Unless something ended it, the likeliest reason is an object that cannot be unpacked.
        raise GitFailed(str(self.args[0]), code, "fatal: failed to read object")


def _too_large(info: Info) -> StateError:
    what = "folder" if info.kind == "tree" else info.kind
    return StateError(
        f"the {what} {info.oid} of the repository has {info.size} bytes, more than the {MOST_BYTES} that are read",
        remedy="divide it; in a folder of millions of files, put them into folders by year or by letter",
        reason="BAD_OBJECTS",
    )


def _capacity(process: Process) -> int:
    """Widen the pipe out of a process; give the size of the one into it, one page where that is not known."""
    if not hasattr(fcntl, "F_GETPIPE_SZ"):
        return _SMALLEST_PIPE
    with contextlib.suppress(OSError):
        # Git writes ahead while the last part is worked on; refused where a user has too many pipes.
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return fcntl.fcntl(process.stdin.fileno(), fcntl.F_GETPIPE_SZ)


class ObjectPool:
    """Leases readers. Safe for many threads."""

    def __init__(self, runner: Runner, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the runner and a clock in seconds."""
        self._runner = runner
        self._clock = clock
        self._guard = threading.Lock()
        self._idle: dict[Path, list[Reader]] = {}
        self._evictions: dict[Path, int] = {}
        self._timer: threading.Timer | None = None

    @contextlib.contextmanager
    def lease(self, mirror: Path, args: Sequence[Argument] = CAT_FILE) -> Iterator[Reader]:
        """Lease a reader of a mirror; it ends with the call if that ends early."""
        reader = self._take(mirror, tuple(args))
        limit = self._runner.policy.timeout_seconds
        watched = self._runner.watchdog.watch(reader.process.popen, current_call(), limit)
        whole = False
        try:
            yield reader
            whole = True
        except (NotFoundError, InvalidInputError):
            # What was read is not what was looked for, but it was read to its end.
            whole = True
            raise
        finally:
            self._runner.watchdog.release(watched)
            self._give_back(mirror, reader, fit=whole and reader.process.popen.poll() is None)

    def evict(self, mirror: Path) -> None:
        """End the readers of a mirror that is going away: the idle ones now, leased ones when they come back."""
        with self._guard:
            self._evictions[mirror] = self._evictions.get(mirror, 0) + 1
            gone = self._idle.pop(mirror, [])
        for reader in gone:
            reader.process.close()

    def close(self) -> None:
        """End all idle readers."""
        with self._guard:
            if self._timer:
                self._timer.cancel()
        for mirror in list(self._idle):
            self.evict(mirror)

    def _take(self, mirror: Path, args: tuple[Argument, ...]) -> Reader:
        with self._guard:
            evictions = self._evictions.get(mirror, 0)
            idle = self._idle.get(mirror, [])
            for reader in [reader for reader in reversed(idle) if reader.args == args]:
                idle.remove(reader)
                if reader.process.popen.poll() is None:
                    return reader
                reader.process.close()
        return Reader(self._runner.open(args, at=mirror), args, evictions)

    def _give_back(self, mirror: Path, reader: Reader, *, fit: bool) -> None:
        reader.used_at = self._clock()
        reader.uses += 1
        gone: list[Reader] = []
        with self._guard:
            if fit and reader.uses < USES and reader.evictions == self._evictions.get(mirror, 0):
                readers = self._idle.setdefault(mirror, [])
                readers.append(reader)
                if len(readers) > PER_MIRROR:
                    gone.append(readers.pop(0))
            else:
                gone.append(reader)
            gone += self._surplus()
        for old in gone:
            old.process.close()

    def _surplus(self) -> list[Reader]:
        """Take out what is too old or too many; see to it that somebody looks again."""
        now = self._clock()
        everyone = sorted((r.used_at, mirror) for mirror, readers in self._idle.items() for r in readers)
        surplus = len(everyone) - IN_ALL
        gone = [
            self._idle[mirror].pop(0)
            for number, (used_at, mirror) in enumerate(everyone)
            if number < surplus or now - used_at >= IDLE_SECONDS
        ]
        if len(gone) < len(everyone) and self._timer is None:
            self._timer = threading.Timer(IDLE_SECONDS, self._look_again)
            self._timer.daemon = True
            self._timer.start()
        return gone

    def _look_again(self) -> None:
        with self._guard:
            self._timer = None
            gone = self._surplus()
        for reader in gone:
            reader.process.close()
