"""JSON files: records whose keys, indentation, separators and escapes stay as their author wrote them."""

import json
import re
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]  # there, but in no stub
from typing import Final

from services.core.formats.bracketed import rebuild
from services.core.formats.envelope import Envelope
from services.core.formats.spans import Key, Node
from services.core.values import ParseError, Value, decode, dumps, equal, loads_text, read_plain


class JsonFormat:
    """Records in JSON files (``.json``)."""

    name = "json"

    def parse(self, data: bytes) -> dict[str, Value]:
        """Give the record in a file; ParseError when it is no JSON object."""
        return _object(decode(data).removeprefix("\ufeff"))

    def parse_canonical(self, data: bytes) -> tuple[dict[str, Value], bytes]:
        """Give the record and its canonical JSON text."""
        found = read_plain(data)
        if found is not None and isinstance(found[0], dict):
            return found[0], found[1]
        value = self.parse(data)
        return value, dumps(value)

    def edit(self, data: bytes, new: dict[str, Value]) -> bytes:
        """Give the bytes of the file with the record ``new``; only what changed is touched."""
        envelope = Envelope.open(data)
        old = _object(envelope.text)
        if equal(old, new):
            return data
        root, end = _scan(envelope.text, _space(envelope.text, 0))
        body = rebuild(envelope.text, root, new, _JsonWriter(envelope), "")
        text = envelope.text[: root.start] + body + envelope.text[end:]
        if not equal(loads_text(text), new):
            text = _pretty(new, "", "  ", ": ", envelope.newline, ascii_only=False) + envelope.newline
        return envelope.close(text)

    def new(self, value: dict[str, Value]) -> bytes:
        """Give a fresh file: two spaces of indentation, UTF-8, a final newline."""
        return (_pretty(value, "", "  ", ": ", "\n", ascii_only=False) + "\n").encode()


def _object(text: str) -> dict[str, Value]:
    value = loads_text(text)
    if not isinstance(value, dict):
        raise ParseError("value", 1, 1, "a record is a JSON object; put the content between { and }")
    return value


class _JsonWriter:
    """Writes what is new in the manner of one document."""

    def __init__(self, envelope: Envelope) -> None:
        text = envelope.text
        self._newline = envelope.newline
        self._ascii = text.isascii() and _ESCAPED.search(text) is not None
        found = _INDENT.search(text)
        self._unit = found[1] if found else None
        self.key_gap = ":" if re.search(r'"\s*:[^\s]', text) and not re.search(r'"\s*: ', text) else ": "
        tight = self._unit is None and re.search(r',["\d\[{]', text) and self.key_gap == ":"
        self.item_gap = "," if tight else ", "

    def key(self, name: str) -> str:
        return _string(name, ascii_only=self._ascii)

    def replaced(self, node: Node, value: Value) -> str:
        del node  # a JSON scalar is written in one way only
        return self.fresh(value, None)

    def fresh(self, value: Value, indent: str | None) -> str:
        if indent is None or self._unit is None:
            return _inline(value, self.item_gap, self.key_gap, ascii_only=self._ascii)
        return _pretty(value, indent, self._unit, self.key_gap, self._newline, ascii_only=self._ascii)


def _string(text: str, *, ascii_only: bool) -> str:
    dumps(text)  # refuses what has no UTF-8 form
    return json.dumps(text, ensure_ascii=ascii_only)


def _scalar(value: Value, *, ascii_only: bool) -> str:
    return _string(value, ascii_only=ascii_only) if isinstance(value, str) else dumps(value).decode()


def _inline(value: Value, item_gap: str, key_gap: str, *, ascii_only: bool) -> str:
    if isinstance(value, dict):
        members = (
            _string(key, ascii_only=ascii_only) + key_gap + _inline(item, item_gap, key_gap, ascii_only=ascii_only)
            for key, item in value.items()
        )
        return "{" + item_gap.join(members) + "}"
    if isinstance(value, list):
        return "[" + item_gap.join(_inline(item, item_gap, key_gap, ascii_only=ascii_only) for item in value) + "]"
    return _scalar(value, ascii_only=ascii_only)


def _pretty(value: Value, indent: str, unit: str, key_gap: str, newline: str, *, ascii_only: bool) -> str:
    if not value or not isinstance(value, dict | list):
        return _inline(value, ", ", key_gap, ascii_only=ascii_only)
    inner = indent + unit

    def item(one: Value) -> str:
        return _pretty(one, inner, unit, key_gap, newline, ascii_only=ascii_only)

    if isinstance(value, dict):
        lines = [_string(key, ascii_only=ascii_only) + key_gap + item(one) for key, one in value.items()]
    else:
        lines = [item(one) for one in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + newline + inner + f",{newline}{inner}".join(lines) + newline + indent + closing


# --- where things are ------------------------------------------------------------------------------

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_INDENT: Final = re.compile(r"[{\[][ \t]*\r?\n([ \t]+)")
_ESCAPED: Final = re.compile(r"\\u(?!00[0-7])[0-9a-fA-F]{4}")
_CONSTANTS: Final[dict[str, tuple[str, bool | None]]] = {
    "t": ("true", True),
    "f": ("false", False),
    "n": ("null", None),
}


def _space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _scan(text: str, start: int) -> tuple[Node, int]:
    """Find where the value at ``start`` and all in it are; the text is known to be valid JSON."""
    char = text[start]
    if char in "{[":
        return _scan_bracketed(text, start, "}" if char == "{" else "]")
    if char == '"':
        string, end = scanstring(text, start + 1, True)  # noqa: FBT003 (a C function)
        return Node(string, start, end, "double"), end
    if char in _CONSTANTS:
        word, constant = _CONSTANTS[char]
        return Node(constant, start, start + len(word), "plain"), start + len(word)
    found = _NUMBER.match(text, start)
    if found is None:
        raise ValueError(f"no JSON value at {start}")
    number: Value = Decimal(found[0]) if found[1] or found[2] else int(found[0])
    return Node(number, start, found.end(), "plain"), found.end()


def _scan_bracketed(text: str, start: int, closing: str) -> tuple[Node, int]:
    keys: list[Key] = []
    children: list[Node] = []
    position = _space(text, start + 1)
    while text[position] != closing:
        if text[position] == ",":
            position = _space(text, position + 1)
        if closing == "}":
            name, end = scanstring(text, position + 1, True)  # noqa: FBT003 (a C function)
            keys.append(Key(name, position, end))
            position = _space(text, _space(text, end) + 1)
        child, position = _scan(text, position)
        children.append(child)
        position = _space(text, position)
    value: Value
    if closing == "}":
        value = {key.name: child.value for key, child in zip(keys, children, strict=True)}
    else:
        value = [child.value for child in children]
    return Node(value, start, position + 1, "bracketed", keys, children), position + 1
