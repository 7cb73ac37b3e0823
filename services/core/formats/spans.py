"""A parsed document with the place of everything in it: what editing in place works on.

Positions count characters of the text. A node spans its own text only: no surrounding white space,
no separator, no comment behind it.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from services.core.values import Value

Style: TypeAlias = Literal["bracketed", "block", "plain", "single", "double", "literal", "folded", "empty", "opaque"]


@dataclass(slots=True)
class Key:
    """One key of an object: its name and where it is written; for a YAML list, an item's dash.

    ``merge`` marks YAML's ``<<``, which is an entry of the text but none of the value.
    """

    name: str
    start: int
    end: int
    merge: bool = False


@dataclass(slots=True)
class Node:
    """One value. ``children`` are an object's values or a list's items, parallel to its ``keys`` if any.

    ``style`` says how it is written. ``opaque`` is a value that can only be replaced whole: an alias,
    or anything under an anchor or a tag.
    """

    value: Value
    start: int
    end: int
    style: Style
    keys: list[Key] = field(default_factory=list)
    children: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace ``text[start:end]`` by ``new``."""

    start: int
    end: int
    new: str


class NoSpliceError(Exception):
    """Raised when a change cannot be made in place: a wider piece has to be written anew."""


def apply(text: str, splices: list[Splice]) -> str:
    """Make all replacements; at one position, insertions keep their order and come first.

    Raises NoSpliceError when two overlap.
    """
    pieces: list[str] = []
    position = 0
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        if splice.start < position:
            raise NoSpliceError
        pieces += text[position : splice.start], splice.new
        position = splice.end
    return "".join([*pieces, text[position:]])


def indent_at(text: str, position: int) -> str:
    """Give the white space that the line of a position begins with."""
    begin = text.rfind("\n", 0, position) + 1
    line = text[begin:position]
    return line[: len(line) - len(line.lstrip(" \t"))]
