"""Writes objects into a mirror as one pack: all of them become visible at once, and none is half there.

Pack and index in the formats of gitformat-pack(5), version 2, without deltas. The pack is written beside
its final place, synced, renamed; the index last, since git looks for packs by their indexes.
"""

import contextlib
import hashlib
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

Kind: TypeAlias = Literal["commit", "tree", "blob"]

BEGUN: Final = ".pack-"
_TYPES: Final[dict[Kind, int]] = {"commit": 1, "tree": 2, "blob": 3}
_HEADER_BYTES: Final = 12
_CHUNK: Final = 1024 * 1024
_LARGE: Final = 1 << 31


def object_name(kind: Kind, data: bytes) -> bytes:
    """Give an object's name, 20 bytes."""
    digest = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.digest()


class PackWriter:
    """Collects objects in a temporary file; ``finish`` puts them into the mirror. Used as a context.

    The temporary file lies beside the mirror, so that it outlives a rebuild and nobody else sweeps it.
    """

    def __init__(self, mirror: Path) -> None:
        """Begin a pack for a mirror."""
        self._folder = mirror / "objects" / "pack"
        fd, name = tempfile.mkstemp(prefix=f"{mirror.name}{BEGUN}", dir=mirror.parent)
        self._path = Path(name)
        self._file = os.fdopen(fd, "w+b", buffering=_CHUNK)
        self._file.write(b"\0" * _HEADER_BYTES)
        self._at = _HEADER_BYTES
        self._entries: dict[bytes, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        """Give the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind, unless ``finish`` has put the pack into its place."""
        try:
            # Closing writes out what is left, and so fails once more on a disk that is full.
            with contextlib.suppress(OSError):
                self._file.close()
        finally:
            self._path.unlink(missing_ok=True)

    def add(self, kind: Kind, data: bytes) -> bytes:
        """Add an object and give its name, 20 bytes; adding it twice does no harm."""
        name = object_name(kind, data)
        if name in self._entries:
            return name
        # Trees are mostly names of objects, which do not compress.
        entry = _entry_header(_TYPES[kind], len(data)) + zlib.compress(data, 0 if kind == "tree" else 1)
        self._file.write(entry)
        self._entries[name] = (self._at, zlib.crc32(entry))
        self._at += len(entry)
        return name

    def finish(self) -> None:
        """Put the pack and its index into the mirror, durably."""
        self._file.seek(0)
        self._file.write(b"PACK" + struct.pack(">II", 2, len(self._entries)))
        self._file.seek(0)
        digest = hashlib.sha1(usedforsecurity=False)
        while chunk := self._file.read(_CHUNK):
            digest.update(chunk)
        checksum = digest.digest()
        self._file.write(checksum)
        self._file.flush()
        os.fsync(self._file.fileno())
        names = sorted(self._entries)
        final = self._folder / f"pack-{hashlib.sha1(b''.join(names), usedforsecurity=False).hexdigest()}.pack"
        if final.with_suffix(".idx").exists():
            return
        self._path.chmod(0o444)
        self._path.rename(final)
        _write_index(final.with_suffix(".idx"), names, self._entries, checksum)


def _entry_header(kind: int, size: int) -> bytes:
    first, size = (kind << 4) | (size & 15), size >> 4
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    header.append(first)
    return bytes(header)


def _write_index(path: Path, names: list[bytes], entries: dict[bytes, tuple[int, int]], pack: bytes) -> None:
    counts = [0] * 256
    for name in names:
        counts[name[0]] += 1
    total, fanout = 0, []
    for count in counts:
        total += count
        fanout.append(total)
    large = [entries[name][0] for name in names if entries[name][0] >= _LARGE]
    places = {offset: number for number, offset in enumerate(large)}
    offsets = [places[at] | _LARGE if (at := entries[name][0]) >= _LARGE else at for name in names]
    body = b"".join(
        (
            b"\xfftOc" + struct.pack(">I", 2),
            struct.pack(">256I", *fanout),
            b"".join(names),
            struct.pack(f">{len(names)}I", *(entries[name][1] for name in names)),
            struct.pack(f">{len(names)}I", *offsets),
            struct.pack(f">{len(large)}Q", *large),
            pack,
        ),
    )
    body += hashlib.sha1(body, usedforsecurity=False).digest()
    fd, temporary = tempfile.mkstemp(prefix="tmp_idx_", dir=path.parent)
    with os.fdopen(fd, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).chmod(0o444)
    Path(temporary).rename(path)
