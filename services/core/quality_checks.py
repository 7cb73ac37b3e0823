"""The checks that a quality rule may set. Each takes its setting, the value and the record, and gives words. Pure."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from services.core.values import Value

_URL: Final = re.compile(r"https?://[^\s/?#@]+(?:[/?#]\S*)?", re.IGNORECASE)
_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?", re.ASCII | re.DOTALL)

# Of the check's setting, a value that is there, and its record: what is wrong in words; empty when nothing is.
Check: TypeAlias = Callable[[Any, Value, Mapping[str, Value]], str]


def min_length(least: int, value: Value, _record: Mapping[str, Value]) -> str:
    """Take a text, a list or an object of at least so many characters, items or fields."""
    return "" if _size(value) >= least else f"is shorter than {least}"


def max_length(most: int, value: Value, _record: Mapping[str, Value]) -> str:
    """Take a text, a list or an object of at most so many characters, items or fields."""
    return "" if _size(value) <= most else f"is longer than {most}"


def min_items(least: int, value: Value, _record: Mapping[str, Value]) -> str:
    """Take a list of at least so many items."""
    return "" if len(_items(value)) >= least else f"has under {least} items"


def max_items(most: int, value: Value, _record: Mapping[str, Value]) -> str:
    """Take a list of at most so many items, and whatever is no list."""
    return "" if len(_items(value)) <= most else f"has over {most} items"


def minimum(least: float, value: Value, _record: Mapping[str, Value]) -> str:
    """Take a number that is no less."""
    number = _number(value)
    return "" if number is not None and number >= least else f"is below {least:g}"


def maximum(most: float, value: Value, _record: Mapping[str, Value]) -> str:
    """Take a number that is no more."""
    number = _number(value)
    return "" if number is not None and number <= most else f"is over {most:g}"


def item_keys(keys: Sequence[str], value: Value, _record: Mapping[str, Value]) -> str:
    """Take a list whose items are objects that have all of the keys, none of them empty."""
    for item in _items(value):
        for key in keys:
            if not isinstance(item, dict) or item.get(key) in (None, "", [], {}):
                return f"has an item without {key}"
    return ""


def allowed(known: Sequence[Any], value: Value, _record: Mapping[str, Value]) -> str:
    """Take one of the values, or a list of nothing else."""
    return "" if all(_is_one(item, known) for item in _each(value)) else "is not one of the allowed values"


def url(_wanted: object, value: Value, _record: Mapping[str, Value]) -> str:
    """Take an http or https address, or a list of nothing else."""
    good = all(isinstance(item, str) and _URL.fullmatch(item) for item in _each(value))
    return "" if good else "is no web address"


def date(_wanted: object, value: Value, _record: Mapping[str, Value]) -> str:
    """Take a calendar date as in ISO 8601; a time may follow."""
    return "" if _day(value) else "is no date (YYYY-MM-DD)"


def not_before(field: str, value: Value, record: Mapping[str, Value]) -> str:
    """Take a date that is no earlier than the one in another field; one that is no date is another rule's."""
    day, other = _day(value), _day(record.get(field))
    return f"is before {field}" if day and other and day < other else ""


# By name, in the order in which they are made.
CHECKS: Final[dict[str, Check]] = {
    "min_length": min_length,
    "max_length": max_length,
    "min_items": min_items,
    "max_items": max_items,
    "minimum": minimum,
    "maximum": maximum,
    "item_keys": item_keys,
    "allowed": allowed,
    "url": url,
    "date": date,
    "not_before": not_before,
}


def _size(value: Value) -> int:
    return len(value) if isinstance(value, str | list | dict) else 0


def _items(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _each(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _number(value: Value) -> int | Decimal | None:
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _is_one(value: Value, known: Sequence[Any]) -> bool:
    """Compare as JSON does: true is not 1, and 1.0 is 1."""
    if isinstance(value, bool):
        return any(value is one for one in known)
    exact = (Decimal(str(one)) if isinstance(one, float) else one for one in known if not isinstance(one, bool))
    return any(value == one for one in exact)


def _day(value: Value) -> dt.date | None:
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        return dt.date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
