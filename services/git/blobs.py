"""Streams blobs in the order they were asked for, in batches of at most 1 MiB."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from services.git.failures import GitFailed, local_error, unreadable
from services.git.mirror import Mirror

BATCH_BYTES: Final = 1024 * 1024 - 2048
MAX_BLOB_BYTES: Final = 10 * 1024 * 1024
# Name, size, offset and their tags in a message.
_PIECE_OVERHEAD: Final = 64


class Piece(NamedTuple):
    """A blob or a part of one; ``size`` is -1 when there is no such blob."""

    oid: str
    size: int
    data: bytes
    offset: int
    last: bool


def read_blobs(mirror: Mirror, oids: Sequence[str], limit: int) -> Iterator[list[Piece]]:
    """Give batches of pieces; a blob larger than ``limit`` bytes is announced without content.

    A damaged mirror is rebuilt and the reading goes on, unless a part of a blob has been given already.
    """
    mirror.ensure()
    given = _Given()
    try:
        yield from _read(mirror, oids, limit, given)
    except GitFailed as failure:
        if given.within:
            raise local_error(failure) from None
        mirror.heal(failure)
        try:
            yield from _read(mirror, oids[given.blobs :], limit, _Given())
        except GitFailed as again:
            raise unreadable(again) from None


class _Given:
    """How far an answer has come: whole blobs in it, and whether it stands within one."""

    def __init__(self) -> None:
        self.blobs = 0
        self.within = False


def _read(mirror: Mirror, oids: Sequence[str], limit: int, given: _Given) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    size = 0
    for piece in _pieces(mirror, oids, limit):
        cost = len(piece.data) + _PIECE_OVERHEAD
        if size + cost > BATCH_BYTES and batch:
            yield batch
            given.blobs += sum(piece.last for piece in batch)
            given.within = not batch[-1].last
            batch, size = [], 0
        batch.append(piece)
        size += cost
    if batch:
        yield batch


def _pieces(mirror: Mirror, oids: Sequence[str], limit: int) -> Iterator[Piece]:
    with mirror.pool.lease(mirror.path) as reader:
        for info, offset, data in reader.blobs(oids, limit):
            if not info.kind and mirror.lacks_objects():
                raise GitFailed("cat-file", 128, "fatal: missing blob")
            blob = info.kind == "blob"
            last = not blob or info.size > limit or offset + len(data) == info.size
            yield Piece(info.oid, info.size if blob else -1, data, offset, last)
