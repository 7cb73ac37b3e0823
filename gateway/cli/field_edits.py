"""Reads ``--set field=value``: which field is meant, and of what type the value is. Pure."""

from typing import Any

from services.core.errors import InvalidInputError, NotFoundError
from services.core.values import ParseError, Value, escape, get, loads


def field_edit(text: str, content: dict[str, Value]) -> dict[str, Any]:
    """Give {pointer, value} of ``field=value`` against a record's present content.

    ``field`` is a name, names with dots for what lies inside, or a JSON pointer.
    """
    name, equals, raw = text.partition("=")
    if not equals or not name:
        raise InvalidInputError(f"--set '{text}' is no field=value", remedy="write it like --set title='New title'")
    pointer = pointer_of(name, content)
    return {"pointer": pointer, "value": typed_value(raw, present(content, pointer))}


def pointer_of(name: str, content: dict[str, Value]) -> str:
    """Give the JSON pointer of a field; a field whose own name holds dots comes first."""
    if name.startswith("/"):
        return name
    if name in content or "." not in name:
        return f"/{escape(name)}"
    return "".join(f"/{escape(part)}" for part in name.split("."))


def present(content: dict[str, Value], pointer: str) -> Value:
    """Give what is at a pointer; None where nothing is."""
    try:
        return get(content, pointer)
    except (NotFoundError, InvalidInputError):
        return None


def typed_value(raw: str, now: Value) -> Value:
    """Give the value of a text: text where the field holds text, else JSON where it reads as JSON."""
    if isinstance(now, str):
        return raw
    try:
        return loads(raw.encode())
    except ParseError:
        return raw
