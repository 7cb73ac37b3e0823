"""The file of a load as it arrives: received in pieces, kept on disk, read by line."""

import hashlib
import tempfile
from collections.abc import Iterator
from typing import IO, Final, Self

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError

MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
MAX_LINE_BYTES: Final = 10 * 1024 * 1024
_IN_MEMORY: Final = 4 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


class Upload:
    """A file on its way in. Use it as a context; ``receive`` before reading lines."""

    def __init__(self, messages: Iterator[sync_pb2.LoadRecordsRequest]) -> None:
        """Take the messages of a call; raise InvalidInputError where the first is no header."""
        first = next(messages, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidInputError("the first message says nothing of what to load", remedy="send a header first")
        self.header = first.header
        self._messages = messages
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed at exit
        self._hash = hashlib.sha256(first.header.SerializeToString(deterministic=True))

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give disk and memory back."""
        self._file.close()

    def receive(self) -> bytes:
        """Take the whole file in, before anything is locked; give a hash of it and of what to do with it."""
        for message in self._messages:
            self._file.write(message.data)
            self._hash.update(message.data)
            if self._file.tell() > MAX_FILE_BYTES:
                raise InvalidInputError("the file is over 1 GiB", remedy="split it by lines and load it in parts")
        return self._hash.digest()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give number and text of the lines that are not empty."""
        self._file.seek(0)
        number = 0
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise InvalidInputError(f"line {number} is over 10 MiB", remedy="is this a file of JSON lines?")
            text = line.removeprefix(_BOM if number == 1 else b"").strip()
            if text:
                yield number, text
