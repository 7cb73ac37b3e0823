"""What differs between two trees, by long-lived ``git diff-tree --stdin`` processes.

Starting a git costs as much as comparing two trees of 100,000 files in folders by month, so the processes
are kept, in the same pool as the readers. A line that names no trees is given back as it is once all that
was asked before has been answered: that is how the end of an answer is seen.
"""

from collections.abc import Iterator, Sequence
from typing import IO, Final, NamedTuple

from services.git.failures import GitFailed
from services.git.mirror import Mirror
from services.git.objects import Reader

_COMMAND: Final = ("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", "--no-ext-diff")
_END: Final = b"end\n"
_CHUNK: Final = 1024 * 1024
# ":100644 100644 <40 hex> <40 hex> M", see git-diff-tree(1) "Raw output format".
_STATUS: Final = 97
_HEAD_BYTES: Final = 98


class Change(NamedTuple):
    """One path that differs. ``status`` is git's letter: A, M, D, T or R; blobs are hex."""

    status: bytes
    path: bytes
    old_path: bytes
    old_blob: bytes
    new_blob: bytes
    old_mode: int
    new_mode: int


def changes(
    mirror: Mirror,
    old: str,
    new: str,
    folders: Sequence[bytes],
    *,
    find_renames: bool,
) -> Iterator[Change]:
    """Give the paths that differ between two trees of the mirror, in path order.

    Raises GitFailed when a tree cannot be read.
    """
    renames = ("-M", "-l1000") if find_renames else ("--no-renames",)
    args = (*_COMMAND, *renames, "--", *folders)
    with mirror.pool.lease(mirror.path, args) as reader:
        reader.ask(f"{old} {new}\n{_END.decode()}")
        if reader.process.stdout.readline() != f"{old} {new}\n".encode():
            raise GitFailed("diff-tree", 128, f"fatal: unable to read tree {old} or {new}")
        for fields in _records(reader):
            yield _change(fields)


def _change(fields: Sequence[bytes]) -> Change:
    head = fields[0]
    return Change(
        head[_STATUS:_HEAD_BYTES],
        fields[-1],
        fields[1],
        head[15:55],
        head[56:96],
        int(head[1:7], 8),
        int(head[8:14], 8),
    )


def _records(reader: Reader) -> Iterator[Sequence[bytes]]:
    """Give head and one path, or two of a rename, of each change up to the end of the answer."""
    pipe: IO[bytes] = reader.process.stdout
    fields: list[bytes] = []
    rest = b""
    while fields or rest != _END:
        chunk = pipe.read1(_CHUNK)  # type: ignore[attr-defined]
        if not chunk:
            reader.broken()
        *more, rest = (rest + chunk).split(b"\0")
        fields += more
        at = 0
        while at < len(fields):
            size = 3 if fields[at][_STATUS:_HEAD_BYTES] in (b"R", b"C") else 2
            if at + size > len(fields):
                break
            yield fields[at : at + size]
            at += size
        del fields[:at]
