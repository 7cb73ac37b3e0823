"""Conditions on the fields of a record, and the orders of a list. Pure: how they read and what they mean.

A condition is ``FIELD OP VALUE`` with one of ``= != < <= > >=``, ``FIELD contains VALUE`` or ``FIELD exists``, each
with ``not`` before it if need be: ``importance>=8``, ``place.town = Ayr``, ``tags contains flood``,
``not sources exists``. A field is named by its keys with dots between them or by its JSON pointer, in double quotes
where it holds spaces or operators. A value is a number, ``true``, ``false``, ``null``, a text in double quotes, or
text as it is; ``"8"`` is a text, ``8`` a number.

Only values of one kind compare: ``importance>=8`` is false for a record whose importance is a text or that has none,
and ``not importance>=8`` is true for it. Numbers compare by value, texts by code points, so that dates as 2024-01-31
compare as dates. ``contains`` looks for a part of a text, or for an item of a list.
"""

import json
import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NoReturn, TypeAlias, get_args

from services.core.errors import FieldViolation, InvalidInputError
from services.core.values import Value, loads_text

Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "exists"]
Scalar: TypeAlias = str | int | Decimal | bool | None
SortColumn: TypeAlias = Literal["id", "title", "updated_at", "quality"]

MAX_CONDITIONS: Final = 32
# Of the text that a record is sorted by; the record's key decides between equal beginnings.
MAX_SORTED: Final = 200
SYNTAX: Final = "write FIELD OP VALUE with = != < <= > >= or contains, or FIELD exists, as in importance>=8"
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_BARE: Final = re.compile(r"[^\s=!<>\"]+")
_OPERATOR: Final = re.compile(r"\s*(<=|>=|!=|=|<|>)\s*|\s+(contains)\s+|\s+(exists)\s*$")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
# Would count from the end, or in another notation, in PostgreSQL, where lists are counted 0, 1, 2 here.
_ODD_INDEX: Final = re.compile(r"\s*[+-]?\d+\s*")
_INDEX: Final = re.compile(r"0|[1-9]\d*")
_OPERATORS: Final[dict[str, Operator]] = {operator: operator for operator in get_args(Operator)}
_WORDS: Final[dict[str, Scalar]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Condition:
    """What has to hold for the field at ``path``, or, with ``negated``, has not to."""

    path: tuple[str, ...]
    operator: Operator
    value: Scalar = None
    negated: bool = False


@dataclass(frozen=True)
class Sort:
    """The order of a list: by a column of the record or by the field at ``path``."""

    column: SortColumn | None = "id"
    path: tuple[str, ...] = ()
    descending: bool = False


def conditions_of(texts: list[str]) -> list[Condition]:
    """Read conditions; raise InvalidInputError naming text, column and remedy of the first that is none."""
    if len(texts) > MAX_CONDITIONS:
        raise InvalidInputError(f"there are {len(texts)} conditions", remedy=f"give at most {MAX_CONDITIONS}")
    return [condition_of(text) for text in texts]


def condition_of(text: str) -> Condition:
    """Read one condition; raise InvalidInputError naming column (from 1) and remedy."""
    if text.startswith("not ") and not _OPERATOR.match(text, 3):
        start = len(text) - len(text[3:].lstrip())
        return _read(text, start, negated=True)
    return _read(text, len(text) - len(text.lstrip()), negated=False)


def sort_of(text: str) -> Sort:
    """Read an order: ``id`` when empty, a column, or a field; with ``-`` before it the largest comes first."""
    name = text.removeprefix("-")
    descending = name != text
    columns: dict[str, SortColumn] = {column: column for column in get_args(SortColumn)}
    if not name and not descending:
        return Sort()
    if name in columns:
        return Sort(columns[name], (), descending)
    return Sort(None, _path(name, text, len(text) - len(name)), descending)


def matches(value: Value, conditions: list[Condition]) -> bool:
    """Say whether all conditions hold for a record's content."""
    return all(_holds(value, condition) != condition.negated for condition in conditions)


def sort_text(value: Value, path: tuple[str, ...]) -> str:
    """Give a text that sorts among those of other records as the field at ``path`` does.

    Records without it come first, then numbers, texts, false, true, lists and objects.
    """
    there, found = _at(value, path)
    if not there or found is None:
        return "0"
    if isinstance(found, bool):
        return "4" if found else "3"
    if isinstance(found, int | Decimal):
        return "1" + _sortable(found)
    return "2" + found[:MAX_SORTED].replace("\0", "\ufffd") if isinstance(found, str) else "5"


def _read(text: str, start: int, *, negated: bool) -> Condition:
    path, end = _field(text, start)
    found = _OPERATOR.match(text, end)
    if found is None:
        _refuse(text, end, "a comparison is missing" if not text[end:].strip() else "this is no comparison")
    operator = _OPERATORS[found[1] or found[2] or found[3]]
    if operator == "exists":
        return Condition(path, operator, None, negated)
    value = _value(text, found.end())
    if operator in ("<", "<=", ">", ">=") and (value is None or isinstance(value, bool)):
        _refuse(text, found.end(), "true, false and null have no order; only numbers and texts do")
    return Condition(path, operator, value, negated)


def _field(text: str, start: int) -> tuple[tuple[str, ...], int]:
    quoted, bare = _QUOTED.match(text, start), _BARE.match(text, start)
    if quoted:
        return _path(_unquoted(text, quoted), text, start), quoted.end()
    if bare is None:
        _refuse(text, start, "a field's name is missing")
    return _path(bare[0], text, start), bare.end()


def _path(name: str, text: str, start: int) -> tuple[str, ...]:
    """Give the keys in a field's name, the same for ``/place/town`` and ``place.town``."""
    if name.startswith("/"):
        path = tuple(part.replace("~1", "/").replace("~0", "~") for part in name[1:].split("/"))
    else:
        path = tuple(name.split("."))
    if not all(path) and not name.startswith("/"):
        _refuse(text, start, f"'{name}' is no name of a field")
    for part in path:
        if "\0" in part or (_ODD_INDEX.fullmatch(part) and not _INDEX.fullmatch(part)):
            _refuse(text, start, f"'{name}' is no name of a field: the items of a list are counted 0, 1, 2")
    return path


def _value(text: str, start: int) -> Scalar:
    rest = text[start:].strip()
    if not rest:
        _refuse(text, start, 'a value is missing; the empty text is written ""')
    if rest in _WORDS:
        return _WORDS[rest]
    if _NUMBER.fullmatch(rest):
        number = loads_text(rest)
        return number if isinstance(number, int | Decimal) else None
    quoted = _QUOTED.fullmatch(rest)
    value = _unquoted(text, quoted) if quoted else rest
    if rest[0] in "=<>!":
        _refuse(text, start, "a value cannot begin with a sign of comparison, unless it is in double quotes")
    if rest.startswith('"') and not quoted:
        _refuse(text, start, "the quoted text does not end, or goes on after its end")
    if "\0" in value or not _encodable(value):
        _refuse(text, start, "a text to compare with holds NUL or half of a character")
    return value


def _unquoted(text: str, quoted: re.Match[str]) -> str:
    try:
        return str(json.loads(quoted[0], strict=False))
    except ValueError:
        _refuse(text, text.find(quoted[0]), "this quoted text has an escape that JSON does not know")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(text: str, position: int, message: str) -> NoReturn:
    shown = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:200]
    raise InvalidInputError(
        f"the condition '{shown}' cannot be read at column {position + 1}: {message}",
        remedy=SYNTAX,
        reason="BAD_CONDITION",
        violations=[FieldViolation("where", f"column {position + 1}: {message}")],
    )


def _holds(value: Value, condition: Condition) -> bool:
    there, found = _at(value, condition.path)
    wanted, operator = condition.value, condition.operator
    if operator == "exists":
        return there
    if operator in ("=", "!="):
        return (there and _same(found, wanted)) == (operator == "=")
    if operator == "contains":
        if isinstance(found, list):
            return any(_same(item, wanted) for item in found)
        return isinstance(found, str) and isinstance(wanted, str) and wanted in found
    return there and _ordered(found, operator, wanted)


def _ordered(found: Value, operator: Operator, wanted: Scalar) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        below, level = found < wanted, found == wanted
    elif _number(found) and _number(wanted):
        below, level = found < wanted, found == wanted  # type: ignore[operator]  # both are numbers
    else:
        return False
    return {"<": below, "<=": below or level, ">": not (below or level), ">=": not below}[operator]


def _same(found: Value, wanted: Scalar) -> bool:
    if _number(found) and _number(wanted):
        return found == wanted
    return type(found) is type(wanted) and not isinstance(found, dict | list) and found == wanted


def _number(value: Value) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _at(value: Value, path: tuple[str, ...]) -> tuple[bool, Value]:
    """Give whether there is something at a path, and what."""
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value


def _sortable(number: int | Decimal) -> str:
    """Give hexadecimal digits that sort as numbers do, with the precision of a double."""
    try:
        bits = int.from_bytes(struct.pack(">d", float(number) + 0.0))
    except OverflowError:
        bits = int.from_bytes(struct.pack(">d", float("inf") if number > 0 else float("-inf")))
    sign = 1 << 63
    return f"{(2 * sign - 1) ^ bits if bits & sign else bits | sign:016x}"
