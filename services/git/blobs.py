"""Streams blobs in the order they were asked for, in batches of at most 1 MiB."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from services.git.failures import GitFailed, local_error, unreadable
from services.git.mirror import Mirror
from services.git.objects import ABSENT, CONTINUED
from services.git.supplying import supply

BATCH_BYTES: Final = 1024 * 1024 - 2048
MAX_BLOB_BYTES: Final = 10 * 1024 * 1024
# The most that a size takes in a message.
_SIZE_BYTES: Final = 10
_NO_BLOB: Final = -1


class Batch(NamedTuple):
    """Sizes of the blobs that begin in it (-1: there is no such blob), and content from where the last batch ended."""

    sizes: list[int]
    data: bytes


def read_blobs(mirror: Mirror, oids: Sequence[str], limit: int) -> Iterator[Batch]:
    """Give blobs in batches; one larger than ``limit`` bytes is announced without content.

    A damaged mirror is rebuilt and the reading goes on, unless a part of a blob has been given already.
    """
    mirror.ensure()
    given = _Given()
    try:
        supply(mirror, oids)
        yield from _read(mirror, oids, limit, given)
    except GitFailed as failure:
        if given.within:
            raise local_error(failure) from None
        mirror.heal(failure)
        try:
            supply(mirror, oids[given.blobs :])
            yield from _read(mirror, oids[given.blobs :], limit, _Given())
        except GitFailed as again:
            raise unreadable(again) from None


class _Given:
    """How far an answer has come: whole blobs in it, and whether it stands within one."""

    def __init__(self) -> None:
        self.blobs = 0
        self.within = False


def _read(mirror: Mirror, oids: Sequence[str], limit: int, given: _Given) -> Iterator[Batch]:
    sizes: list[int] = []
    parts: list[bytes] = []
    room = BATCH_BYTES
    with mirror.pool.lease(mirror.path) as reader:
        for size, data in reader.blobs(oids, limit):
            if size == ABSENT and mirror.lacks_objects():
                raise GitFailed("cat-file", 128, "fatal: missing blob")
            cost = len(data) + _SIZE_BYTES
            if cost > room and parts:
                yield Batch(sizes, b"".join(parts))
                given.blobs += len(sizes)
                given.within = size == CONTINUED
                sizes, parts, room = [], [], BATCH_BYTES
            if size != CONTINUED:
                sizes.append(max(size, _NO_BLOB))
            parts.append(data)
            room -= cost
        if parts:
            yield Batch(sizes, b"".join(parts))
