"""Record values: exact JSON-like data, its canonical text, equality, and paths into it.

A value keeps every digit: integers of any size stay ``int``, every other number is a ``Decimal``.
NaN and the infinities are no values. Mappings keep the order of their keys, though order is no part
of what two values mean (``equal``).
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, NoReturn, TypeAlias

import msgspec

from services.core.errors import InvalidInputError, NotFoundError

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | Decimal | bool | None"
Rule: TypeAlias = Literal["syntax", "encoding", "duplicate-key", "value"]

MAX_DEPTH: Final = 100
"""Deepest nesting of a value: far above real records, far below what exhausts a stack."""


class ParseError(InvalidInputError):
    """Bytes that are no record: which rule they break, where, and one sentence with the remedy.

    ``line`` and ``column`` count from 1, in lines and characters of the file; ``rule`` is stable and
    meant for programs and for grouping in quarantine lists.
    """

    reason = "PARSE_ERROR"

    def __init__(self, rule: Rule, line: int, column: int, message: str) -> None:
        """Keep the place beside the message."""
        super().__init__(message, metadata={"rule": rule, "line": str(line), "column": str(column)})
        self.rule: Rule = rule
        self.line = line
        self.column = column

    def moved(self, lines: int) -> "ParseError":
        """Give the same error ``lines`` further down, for text that is part of a larger file."""
        return ParseError(self.rule, self.line + lines, self.column, self.message)


def loads(data: bytes) -> Value:
    """Parse one JSON text (UTF-8, no BOM) exactly.

    Raises ParseError for anything RFC 8259 does not allow, and for repeated keys, lone surrogates,
    numbers beyond 4,300 digits and nesting beyond ``MAX_DEPTH``.
    """
    return loads_text(decode(data))


def loads_text(text: str) -> Value:
    """Parse one JSON text that is decoded already; as ``loads``."""
    try:
        value: Value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _refuse(text, error.pos, "syntax", f"this is no valid JSON ({error.msg}); correct it here")
    except _RepeatedKeyError as error:
        position = _repeated(text, error.key)
        message = f"the key {_shown(error.key)} occurs twice in one object; remove one of them"
        _refuse(text, position, "duplicate-key", message)
    except _ConstantError as error:
        position = max(text.find(error.name), 0)
        _refuse(text, position, "value", f"{error.name} is no JSON number; use null or a finite number")
    except RecursionError:
        _refuse_depth(text)
    except InvalidOperation:
        _refuse(text, 0, "value", "a number's exponent is out of range; write the number as a string")
    except ValueError:
        _refuse(text, 0, "value", "an integer has more than 4,300 digits; write it as a string")
    if text.count("[") + text.count("{") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        _refuse_depth(text)
    if "\\u" in text and (surrogate := _SURROGATE.search(text)) is not None and not _encodable(value):
        message = "half of a surrogate pair stands alone; write the whole character"
        _refuse(text, surrogate.start(), "value", message)
    return value


def read_plain(data: bytes) -> tuple[Value, bytes] | None:
    """Give value and canonical text of a JSON text in one quick pass; None where ``loads`` has to look.

    It takes what most records are: no escapes by number, no number but integers, no key twice. A key that is there
    twice shows in the count of colons: every key is followed by one, and those in text stand in the canonical text
    too.
    """
    if (b"\\" in data and b"\\u" in data) or data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        return None
    try:
        value: Value = _INTEGERS.decode(data)
        text = _ENCODER.encode(value)
    except (msgspec.MsgspecError, ValueError):
        return None
    return (value, text) if text.count(b":") == data.count(b":") else None


def dumps(value: Value) -> bytes:
    """Give the canonical compact JSON text in UTF-8: key order kept, every digit kept.

    ``loads(dumps(value))`` equals ``value``. Raises InvalidInputError for NaN, infinities and lone
    surrogates, TypeError for what is no value (floats, tuples, keys that are no strings).
    """
    if not _plain(value):
        return _slow(value).encode()
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        raise _lone_surrogate() from None


def equal(a: Value, b: Value) -> bool:
    """Say whether two values mean the same: types count, key order does not, ``1.10`` is ``1.1``."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(key in b and equal(item, b[key]) for key, item in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def escape(key: str) -> str:
    """Make a key one segment of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def get(value: Value, pointer: str) -> Value:
    """Give the value at a JSON pointer; NotFoundError when nothing is there."""
    for segment in _segments(pointer):
        value = _child(value, segment, pointer)
    return value


def set_at(value: Value, pointer: str, new: Value) -> Value:
    """Give a copy of ``value`` with ``new`` at the pointer; ``-`` or the length appends to a list.

    The object or list that is to hold it must exist (NotFoundError). ``value`` itself stays as it is.
    """
    return _with(value, _segments(pointer), pointer, new)


def remove_at(value: Value, pointer: str) -> Value:
    """Give a copy of ``value`` without what is at the pointer; NotFoundError when nothing is there."""
    segments = _segments(pointer)
    if not segments:
        raise InvalidInputError("the whole record cannot be removed as a field", remedy="name a field")
    return _without(value, segments, pointer)


def decode(data: bytes) -> str:
    """Decode UTF-8; ParseError (rule "encoding") names the first place that is none."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode()) + 1
        raise ParseError(
            "encoding", line, column, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None


def place(text: str, position: int) -> tuple[int, int]:
    """Give line and column, from 1, of a position in a text."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


# --- JSON ------------------------------------------------------------------------------------------


class _RepeatedKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _ConstantError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _unique(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _RepeatedKeyError(key)
        seen.add(key)
    return value


def _constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _refuse_float(text: str) -> NoReturn:
    raise ValueError(text)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_constant)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_INTEGERS: Final = msgspec.json.Decoder(float_hook=_refuse_float)
_TOO_DEEP: Final = f"this is nested more than {MAX_DEPTH} levels deep; flatten it"
_LONGEST_SHOWN: Final = 60
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def _refuse(text: str, position: int, rule: Rule, message: str) -> NoReturn:
    line, column = place(text, position)
    raise ParseError(rule, line, column, message) from None


def _refuse_depth(text: str) -> NoReturn:
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', text):
        depth += (found[0] in {"[", "{"}) - (found[0] in {"]", "}"})
        if depth > MAX_DEPTH:
            _refuse(text, found.start(), "value", _TOO_DEEP)
    _refuse(text, 0, "value", _TOO_DEEP)


def _repeated(text: str, key: str) -> int:
    names: list[set[str]] = []
    for found in re.finditer(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}]', text):
        if found[0] == "{":
            names.append(set())
        elif found[0] == "}":
            names.pop()
        elif found[2] and json.loads(found[1], strict=False) == key:
            if key in names[-1]:
                return found.start()
            names[-1].add(key)
    return 0


def _shown(key: str) -> str:
    return json.dumps(key if len(key) <= _LONGEST_SHOWN else key[:_LONGEST_SHOWN] + "…", ensure_ascii=False)


def _deeper(value: Value, left: int) -> bool:
    if isinstance(value, dict):
        return left == 0 or any(_deeper(item, left - 1) for item in value.values())
    if isinstance(value, list):
        return left == 0 or any(_deeper(item, left - 1) for item in value)
    return False


def _encodable(value: Value) -> bool:
    try:
        _ENCODER.encode(value)
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Value) -> bool:
    """Say whether msgspec writes this value exactly.

    It takes floats, and writes ``Decimal("NaN")`` and ``Decimal("100")`` such that they do not come back.
    """
    kind = type(value)
    if kind is str or kind is bool or kind is int or value is None:
        return True
    if isinstance(value, dict):
        return all(type(key) is str and _plain(item) for key, item in value.items())
    return isinstance(value, list) and all(map(_plain, value))


def _slow(value: Value) -> str:
    if isinstance(value, Decimal):
        return number_text(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_key(key)}:{_slow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_slow, value)) + "]"
    if value is not None and not isinstance(value, str | int | bool):
        raise TypeError(f"{type(value).__name__} is no record value")
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        raise _lone_surrogate() from None


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is {type(key).__name__}, not str")
    return _slow(key)


def number_text(value: Decimal) -> str:
    """Write a decimal with all its digits, such that it reads as a non-integer number again.

    Raises InvalidInputError for NaN and the infinities.
    """
    if not value.is_finite():
        raise InvalidInputError(f"{value} is no record value", remedy="use null or a finite number")
    text = str(value)
    return text if "." in text or "E" in text else text + ".0"


def _lone_surrogate() -> InvalidInputError:
    return InvalidInputError("a text holds half of a surrogate pair", remedy="write the whole character")


# --- pointers --------------------------------------------------------------------------------------


def _segments(pointer: str) -> list[str]:
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise InvalidInputError(f"{pointer!r} is no JSON pointer", remedy="begin it with a slash, as in /sources/0/url")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _index(items: list[Value], segment: str, pointer: str, *, end: int) -> int:
    if segment.isdecimal() and segment.isascii() and (segment == "0" or segment[0] != "0") and int(segment) < end:
        return int(segment)
    raise NotFoundError(
        f"there is no item {segment!r} at {pointer}",
        remedy=f"the list has {len(items)} items, counted from 0",
    )


def _child(value: Value, segment: str, pointer: str) -> Value:
    if isinstance(value, dict) and segment in value:
        return value[segment]
    if isinstance(value, list):
        return value[_index(value, segment, pointer, end=len(value))]
    raise NotFoundError(f"there is no field {pointer}", remedy="name a field the record has")


def _with(value: Value, segments: list[str], pointer: str, new: Value) -> Value:
    if not segments:
        return new
    head, rest = segments[0], segments[1:]
    if isinstance(value, list):
        if not rest and head in {"-", str(len(value))}:
            return [*value, new]
        index = _index(value, head, pointer, end=len(value))
        return [*value[:index], _with(value[index], rest, pointer, new), *value[index + 1 :]]
    if isinstance(value, dict) and (not rest or head in value):
        return {**value, head: _with(value.get(head), rest, pointer, new)}
    raise NotFoundError(f"there is no field to hold {pointer}", remedy="set the enclosing field first")


def _without(value: Value, segments: list[str], pointer: str) -> Value:
    head, rest = segments[0], segments[1:]
    child = _child(value, head, pointer)
    if isinstance(value, list):
        index = int(head)
        return [*value[:index], *([_without(child, rest, pointer)] if rest else []), *value[index + 1 :]]
    if not isinstance(value, dict):
        raise NotFoundError(f"there is no field {pointer}", remedy="name a field the record has")
    if rest:
        return {**value, head: _without(child, rest, pointer)}
    return {key: item for key, item in value.items() if key != head}
