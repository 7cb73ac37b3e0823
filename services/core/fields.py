"""Fields of a record by name: JSON pointers (RFC 6901) through objects, and through lists by an item's key.

An index would name another item as soon as somebody adds one, so an item of a list is named by a field of its
own: ``/sources/url=https:~1~1example.org/title`` is the title of the source whose ``url`` is that address.
A key that is no text stands as its JSON text (``/steps/number=3``).
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from services.core.values import Value, dumps, equal, escape


class Missing:
    """The value of a field that is not there."""

    def __repr__(self) -> str:
        """Give a name for test output."""
        return "MISSING"


MISSING: Final = Missing()
Field: TypeAlias = "Value | Missing"


def same(one: Field, other: Field) -> bool:
    """Say whether two fields are equal; a missing one equals only a missing one."""
    if isinstance(one, Missing) or isinstance(other, Missing):
        return isinstance(one, Missing) and isinstance(other, Missing)
    return equal(one, other)


def segments(pointer: str) -> list[str]:
    """Give the names in a pointer, from the outermost one."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def pointer_to(prefix: str, name: str) -> str:
    """Give the pointer of a name below another pointer."""
    return f"{prefix}/{escape(name)}"


def at(value: Field, pointer: str) -> Field:
    """Give the field at a pointer; MISSING when it is not there."""
    for name in segments(pointer):
        if isinstance(value, dict):
            value = value.get(name, MISSING)
        elif isinstance(value, list) and (place := _place(value, name)) is not None:
            value = value[place]
        else:
            return MISSING
    return value


def with_field(value: dict[str, Value], pointer: str, new: Field) -> dict[str, Value]:
    """Give an object with a field set, with what is around it, or for MISSING taken out.

    It is unchanged where something that cannot hold the field is in its way. An item that a list does not have
    comes at its end.
    """
    return _in_object(value, segments(pointer), new)


def items_by_key(value: Field, key: str) -> dict[str, Value] | None:
    """Give the items of a list of objects by name (``key=value``); an empty one for MISSING.

    None where that names nothing: no list, an item without the key or with a key that is no scalar, a key twice.
    """
    if isinstance(value, Missing):
        return {}
    if not isinstance(value, list):
        return None
    found = {name: item for item in value if (name := _name(item, key)) is not None}
    return found if len(found) == len(value) else None


def _name(item: Value, key: str) -> str | None:
    found = item.get(key) if isinstance(item, dict) else None
    if found is None or isinstance(found, dict | list):
        return None
    return f"{key}={found if isinstance(found, str) else dumps(found).decode()}"


def _place(items: list[Value], name: str) -> int | None:
    key = name.partition("=")[0]
    return next((place for place, item in enumerate(items) if _name(item, key) == name), None)


def _in_object(value: dict[str, Value], names: Sequence[str], new: Field) -> dict[str, Value]:
    name, rest = names[0], names[1:]
    if rest:
        inner = value.get(name, _container(rest, new))
        changed = _inside(inner, rest, new)
        return value if changed is inner else {**value, name: changed}
    if isinstance(new, Missing):
        return {key: kept for key, kept in value.items() if key != name}
    return {**value, name: new}


def _in_list(items: list[Value], names: Sequence[str], new: Field) -> list[Value]:
    name, rest = names[0], names[1:]
    place = _place(items, name)
    if place is None:
        fits = not rest and not isinstance(new, Missing) and _name(new, name.partition("=")[0]) == name
        return [*items, new] if fits and not isinstance(new, Missing) else items
    if not rest and isinstance(new, Missing):
        return [*items[:place], *items[place + 1 :]]
    changed = _inside(items[place], rest, new) if rest else new
    return [*items[:place], changed, *items[place + 1 :]] if not isinstance(changed, Missing) else items


def _inside(inner: Value, names: Sequence[str], new: Field) -> Value:
    if isinstance(inner, dict):
        return _in_object(inner, names, new)
    return _in_list(inner, names, new) if isinstance(inner, list) else inner


def _container(names: Sequence[str], new: Field) -> Value:
    """Give what is to hold a field where nothing does yet: a list for one of its items."""
    if len(names) == 1 and not isinstance(new, Missing) and _name(new, names[0].partition("=")[0]) == names[0]:
        return []
    return {}
