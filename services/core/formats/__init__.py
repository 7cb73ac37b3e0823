"""The formats records are kept in: reading them exactly, and editing them in place.

A format is one module with ``parse``, ``edit`` and ``new``. For each of them holds:
``parse(new(v)) == v``; ``edit(data, parse(data)) == data`` byte for byte; ``parse(edit(data, v)) == v``,
and that edit touches only the lines of the fields that differ.
"""

from typing import Final, Protocol

from services.core.formats.json_format import JsonFormat
from services.core.formats.markdown_format import MarkdownFormat
from services.core.formats.toml_format import TomlFormat
from services.core.formats.yaml_format import YamlFormat
from services.core.values import ParseError, Value

__all__ = ["FORMATS", "Format", "ParseError", "format_of"]


class Format(Protocol):
    """One way to write a record to a file."""

    @property
    def name(self) -> str:
        """The name in configuration and answers."""
        ...

    def parse(self, data: bytes) -> dict[str, Value]:
        """Give the record in a file; ParseError with rule, line, column and remedy when it holds none."""
        ...

    def parse_canonical(self, data: bytes) -> tuple[dict[str, Value], bytes]:
        """Give the record as ``parse``, and its canonical JSON text as ``values.dumps``, in one go."""
        ...

    def edit(self, data: bytes, new: dict[str, Value]) -> bytes:
        """Give bytes whose ``parse`` equals ``new``, touching only those of ``data`` whose value changed.

        ParseError when ``data`` holds no record; InvalidInputError when the format cannot hold ``new``.
        """
        ...

    def new(self, value: dict[str, Value]) -> bytes:
        """Give a fresh file in the house style."""
        ...


_JSON: Final[Format] = JsonFormat()
_YAML: Final[Format] = YamlFormat()
_MARKDOWN: Final[Format] = MarkdownFormat()
_TOML: Final[Format] = TomlFormat()

FORMATS: Final[dict[str, Format]] = {one.name: one for one in (_JSON, _YAML, _MARKDOWN, _TOML)}
"""All formats by name."""

_BY_EXTENSION: Final[dict[bytes, Format]] = {
    b"json": _JSON,
    b"yaml": _YAML,
    b"yml": _YAML,
    b"md": _MARKDOWN,
    b"markdown": _MARKDOWN,
    b"toml": _TOML,
}


def format_of(path: bytes) -> Format | None:
    """Give the format of a file by its extension, in either case; None if it has none of ours."""
    name = path.rsplit(b"/", 1)[-1]
    stem, dot, extension = name.rpartition(b".")
    return _BY_EXTENSION.get(extension.lower()) if dot and stem else None
