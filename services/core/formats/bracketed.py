"""Editing in place between brackets: JSON objects and lists, and YAML's flow style.

A changed collection is put together again from its own pieces: everything that stays is copied
character by character with the separators around it, and what is new is written like its neighbours.
"""

import re
from typing import Protocol, TypeAlias

from services.core.formats.alignment import align
from services.core.formats.spans import Node, indent_at
from services.core.values import Value, equal


class Writer(Protocol):
    """How one document writes what is new in it."""

    @property
    def item_gap(self) -> str:
        """What stands between two items on one line, as ``", "``."""
        ...

    @property
    def key_gap(self) -> str:
        """What stands between a key and its value, as ``": "``."""
        ...

    def key(self, name: str) -> str:
        """Write a key."""
        ...

    def replaced(self, node: Node, value: Value) -> str:
        """Write a scalar in the style of the one it replaces."""
        ...

    def fresh(self, value: Value, indent: str | None) -> str:
        """Write a value; ``indent`` is that of the line it begins on, None to stay on one line."""
        ...


_Part: TypeAlias = tuple[int | None, str]
"""A piece of the new text, and the index of the entry it was (None for a new one)."""


def rebuild(text: str, node: Node, value: Value, writer: Writer, indent: str | None) -> str:
    """Give the text of ``node`` after its value became ``value``.

    ``indent`` is that of the line on which the node begins, or None if what holds it is on one line.
    """
    if equal(node.value, value):
        return text[node.start : node.end]
    if node.style == "bracketed" and node.children and value:
        if isinstance(node.value, dict) and isinstance(value, dict):
            return _object(text, node, value, writer)
        if isinstance(node.value, list) and isinstance(value, list):
            return _list(text, node, node.value, value, writer)
    if isinstance(value, dict | list) or node.style == "bracketed":
        return writer.fresh(value, indent)
    return writer.replaced(node, value)


def _object(text: str, node: Node, value: dict[str, Value], writer: Writer) -> str:
    starts = [key.start for key in node.keys]
    kept = [i for i, key in enumerate(node.keys) if key.name in value]
    own = {key.name for key in node.keys}
    colon = text[node.keys[-1].end : node.children[-1].start]
    if not re.fullmatch(r"\s*:\s*", colon):
        colon = writer.key_gap
    parts: list[_Part] = []
    inner = _inner_indent(text, node, starts)
    for i in kept:
        child = node.children[i]
        item = rebuild(text, child, value[node.keys[i].name], writer, _line_indent(text, child, inner))
        parts.append((i, text[starts[i] : child.start] + item))
    parts += [
        (None, writer.key(name) + colon + writer.fresh(item, inner)) for name, item in value.items() if name not in own
    ]
    return _joined(text, node, starts, parts, writer)


def _list(text: str, node: Node, old: list[Value], value: list[Value], writer: Writer) -> str:
    starts = [child.start for child in node.children]
    inner = _inner_indent(text, node, starts)
    parts: list[_Part] = []
    for i, j in align(old, value):
        if j is None:
            continue
        if i is None:
            parts.append((None, writer.fresh(value[j], inner)))
        else:
            child = node.children[i]
            parts.append((i, rebuild(text, child, value[j], writer, _line_indent(text, child, inner))))
    return _joined(text, node, starts, parts, writer)


def _joined(text: str, node: Node, starts: list[int], parts: list[_Part], writer: Writer) -> str:
    ends = [child.end for child in node.children]
    gaps = [text[end:start] for end, start in zip(ends, [*starts[1:], node.end], strict=True)]
    commented = any("#" in gap and "\n" in gap for gap in gaps)
    template = _gap_template(text, node, starts, writer)
    pieces = [text[node.start : starts[0]]]
    own = ""
    before: int | None = None
    for position, (i, part) in enumerate(parts):
        if position > 0:
            gap = gaps[i - 1] if i else template
            pieces.append(_beside(own, gap, comma=True) if commented and (i is None or before != i - 1) else gap)
        pieces.append(part)
        own, before = gaps[i] if i is not None else "", i
    closing = gaps[-1]
    if commented and before != len(ends) - 1:
        closing = _beside(own, closing, comma="," in closing.partition("#")[0])
    return "".join([*pieces, closing])


def _beside(own: str, gap: str, *, comma: bool) -> str:
    """Give ``gap`` with the comment beside the item, which its ``own`` gap has, and a comma if one belongs there."""
    line_end = re.search(r"\r?\n", gap)
    if line_end is None:
        return gap
    code, mark, comment = own.splitlines()[0].partition("#") if own.strip("\r\n") else ("", "", "")
    if comma and "," not in code:
        code = "," + code
    return code + mark + comment + gap[line_end.start() :]


def _gap_template(text: str, node: Node, starts: list[int], writer: Writer) -> str:
    if len(starts) > 1:
        gap = re.sub(r"[ \t]*#[^\r\n]*", "", text[node.children[-2].end : starts[-1]])
        return re.sub(r"(\r?\n)\s*\r?\n", r"\1", gap)
    opening = text[node.start + 1 : starts[0]]
    return "," + opening if "\n" in opening else writer.item_gap


def _inner_indent(text: str, node: Node, starts: list[int]) -> str | None:
    return indent_at(text, starts[-1]) if "\n" in text[node.start : starts[-1]] else None


def _line_indent(text: str, child: Node, inner: str | None) -> str | None:
    return None if inner is None else indent_at(text, child.start)
