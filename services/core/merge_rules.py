"""How fields of a collection merge, where the usual way is not meant.

A collection's setting is a mapping like ``{"tags": "set", "sources": {"key": "url"}, "notes": "whole"}``. A field
is named like ``tags``, or by a JSON pointer like ``/meta/tags``; in a list of objects by key, ``*`` stands for any
item: ``/sources/*/tags``. The ways:

=============== ============================================================================================
``lines``       text by line, as ``git merge-file`` does; the usual way of text
``whole``       one value, also text and objects; the usual way of lists and of everything that is no object
``set``         a list of scalars without order: what a side adds or removes is added or removed
``{"key": k}``  a list of objects, each known by its field ``k``; they merge field by field
=============== ============================================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, TypeAlias, cast, get_args

from services.core.errors import InvalidInputError
from services.core.fields import segments
from services.core.values import ParseError, Value, dumps, loads

Way: TypeAlias = Literal["lines", "whole", "set", "key"]
ANY_ITEM: Final = "*"
_PLAIN: Final = tuple(way for way in get_args(Way) if way != "key")


@dataclass(frozen=True)
class Rules:
    """How one field merges, and what lies in it. ``way`` is None for the usual way; ``key`` names items."""

    way: Way | None = None
    key: str = ""
    inner: Mapping[str, "Rules"] = field(default_factory=dict)

    def of(self, name: str) -> "Rules":
        """Give the rules of a field, or of an item, by its name in this one."""
        return self.inner.get(ANY_ITEM if self.way == "key" else name, USUAL)

    def at(self, pointer: str) -> "Rules":
        """Give the rules of a field by its pointer."""
        found = self
        for name in segments(pointer):
            found = found.of(name)
        return found


USUAL: Final = Rules()


@lru_cache(maxsize=256)
def read_rules(text: bytes) -> Rules:
    """Give the rules in a collection's setting, JSON text; empty is the usual way everywhere.

    Raises InvalidInputError that names the field.
    """
    try:
        setting = loads(text) if text else {}
    except ParseError as error:
        raise InvalidInputError(f"the setting merge is no JSON: {error.message}") from None
    if not isinstance(setting, dict):
        raise InvalidInputError("the setting merge is no mapping", remedy="write it like {tags: set}")
    tree: dict[str, _Node] = {}
    for name, way in setting.items():
        names = segments(name) if name.startswith("/") else [name]
        node = _Node(tree)
        for part in names:
            node = node.inner.setdefault(part, _Node({}))
        node.way, node.key = _way(name, way)
    return Rules(inner=_frozen(tree))


@dataclass
class _Node:
    inner: dict[str, "_Node"]
    way: Way | None = None
    key: str = ""


def _frozen(tree: Mapping[str, _Node]) -> dict[str, Rules]:
    return {name: Rules(node.way, node.key, _frozen(node.inner)) for name, node in tree.items()}


def _way(name: str, way: Value) -> tuple[Way, str]:
    if isinstance(way, str) and way in _PLAIN:
        return cast("Way", way), ""
    key = way.get("key") if isinstance(way, dict) and set(way) == {"key"} else None
    if isinstance(key, str) and key and "=" not in key:
        return "key", key
    raise InvalidInputError(
        f"merge of field '{name}' is {dumps(way).decode()}, which is no way to merge",
        remedy=f"write one of {', '.join(_PLAIN)}, or {{key: FIELD}} for a list of objects known by that field",
    )
