"""Lists that live on disk once they are long, so that an import needs the same memory for any number of files."""

import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any, Final, Generic, TypeVar

import msgspec

T = TypeVar("T")

ITEMS: Final = 500
BYTES: Final = 4 * 1024 * 1024
IN_MEMORY: Final = 8 * 1024 * 1024


class Spool(Generic[T]):
    """Items in the order they were appended, read in chunks. One thread appends; any number read afterwards.

    ``kind`` is the type of the items: a ``msgspec.Struct`` or a union of tagged ones. The file has no name, so it
    goes with the process.
    """

    def __init__(self, kind: Any, *, items: int = ITEMS) -> None:
        """Take the type of the items, and how many make a chunk."""
        self._decode = msgspec.msgpack.Decoder(list[kind]).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._items = items
        self._file: IO[bytes] | None = None
        self._guard = threading.Lock()
        self._places: list[tuple[int, int]] = []
        self._end = 0
        self._last: list[T] = []
        self._weight = 0
        self._count = 0

    def __len__(self) -> int:
        """Give the number of items."""
        return self._count

    def append(self, item: T, weight: int = 0) -> None:
        """Add an item; ``weight`` is about its size in bytes: heavy items make short chunks."""
        self._last.append(item)
        self._count += 1
        self._weight += weight
        if len(self._last) >= self._items or self._weight >= BYTES:
            self._flush()

    def chunks(self) -> Iterator[list[T]]:
        """Give the items in lists."""
        for place, size in self._places:
            yield self._decode(self._read(place, size))
        if self._last:
            yield list(self._last)

    def close(self) -> None:
        """Give disk and memory back; the items are gone."""
        if self._file:
            self._file.close()
        self._places, self._last, self._count = [], [], 0

    def _flush(self) -> None:
        data = self._encode(self._last)
        with self._guard:
            if self._file is None:
                self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed by close
            self._file.seek(self._end)
            self._file.write(data)
        self._places.append((self._end, len(data)))
        self._end += len(data)
        self._last, self._weight = [], 0

    def _read(self, place: int, size: int) -> bytes:
        with self._guard:
            if self._file is None:
                raise RuntimeError("the spool is closed")
            self._file.seek(place)
            return self._file.read(size)
