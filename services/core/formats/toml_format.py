"""TOML files: records of which an edit touches only the lines of what changed."""

from collections.abc import Iterator
from typing import Final

from services.core.formats.envelope import Envelope, Newline
from services.core.formats.spans import NoSpliceError, apply
from services.core.formats.toml_block import TableEdit
from services.core.formats.toml_reader import Table, read
from services.core.formats.toml_writer import TomlWriter, refuse_null
from services.core.values import ParseError, Value, dumps, equal

_ROUNDS: Final = 3


class TomlFormat:
    """Records in TOML files (``.toml``). Dates and times are text in the record, as written in the file."""

    name = "toml"

    def parse(self, data: bytes) -> dict[str, Value]:
        """Give the record in a file; ParseError when it is no TOML."""
        return parse_text(Envelope.open(data).text)

    def parse_canonical(self, data: bytes) -> tuple[dict[str, Value], bytes]:
        """Give the record and its canonical JSON text."""
        value = self.parse(data)
        return value, dumps(value)

    def edit(self, data: bytes, new: dict[str, Value]) -> bytes:
        """Give the bytes of the file with the record ``new``; only what changed is touched.

        InvalidInputError where ``new`` holds null.
        """
        envelope = Envelope.open(data)
        text = edit_text(envelope.text, envelope.newline, new)
        return data if text == envelope.text else envelope.close(text)

    def new(self, value: dict[str, Value]) -> bytes:
        """Give a fresh file in the house style; InvalidInputError where the record holds null."""
        return new_text(value, "\n").encode()


def parse_text(text: str) -> dict[str, Value]:
    """Give the record in a TOML text; ParseError when it is none."""
    return read(text).value


def new_text(value: dict[str, Value], newline: Newline) -> str:
    """Write a record in the house style."""
    refuse_null(value)
    return TomlWriter(newline).document(value)


def edit_text(text: str, newline: Newline, new: dict[str, Value]) -> str:
    """Give a TOML text with another record, changed in place as far as that gives exactly ``new``.

    Each attempt is read back before it counts. What cannot be spliced is written anew field by field,
    and in the last resort as a whole.
    """
    root = read(text)
    if equal(root.value, new):
        return text
    refuse_null(new)
    for attempt in _attempts(text, root, new, TomlWriter.like(text, newline)):
        if equal(_read(attempt), new):
            kept = text.endswith("\n") or not attempt.endswith("\n")
            return attempt if kept else attempt.removesuffix("\n").removesuffix("\r")
    return new_text(new, newline)


def _attempts(text: str, root: Table, new: dict[str, Value], writer: TomlWriter) -> Iterator[str]:
    changed = {name for name in new if name not in root.value or not equal(root.value[name], new[name])}
    whole: frozenset[str] = frozenset()
    for _ in range(_ROUNDS):
        edit = TableEdit(text, writer)
        got: Value = None
        try:
            edit.table(root, new, whole=whole)
            attempt = apply(text, edit.splices)
        except NoSpliceError:
            pass
        else:
            yield attempt
            got = _read(attempt)
        wrong = changed
        if isinstance(got, dict):
            wrong = {name for name in new if name not in got or not equal(got[name], new[name])}
        if whole >= wrong:
            return
        whole |= wrong


def _read(text: str) -> Value:
    try:
        return parse_text(text)
    except ParseError:
        return None
