"""What surrounds a text in its file: byte order mark, line ends, the final newline."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from services.core.values import decode

Newline: TypeAlias = Literal["\n", "\r\n"]

_BOM: Final = "\ufeff"


@dataclass(frozen=True)
class Envelope:
    """The decoded text of a file without its mark, and how its lines end (by majority)."""

    bom: bool
    newline: Newline
    text: str

    @classmethod
    def open(cls, data: bytes) -> "Envelope":
        """Decode a file; ParseError (rule "encoding") when it is not UTF-8."""
        text = decode(data)
        bom = text.startswith(_BOM)
        crlf = text.count("\r\n")
        newline: Newline = "\r\n" if crlf > text.count("\n") - crlf else "\n"
        return cls(bom, newline, text[1:] if bom else text)

    def close(self, text: str) -> bytes:
        """Give the bytes of the file with another text in the same envelope."""
        return ((_BOM if self.bom else "") + text).encode()
