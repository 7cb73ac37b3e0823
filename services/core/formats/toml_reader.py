"""Reading TOML with the place of everything in it: what an edit in place works on.

The language is TOML 1.0, and what 1.1 adds to it: line breaks and a last comma in inline tables, times
without seconds, and the escapes for one byte.
"""

import re
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn, TypeAlias

from services.core.formats.moments import day_exists
from services.core.formats.spans import Key, Node
from services.core.formats.toml_scalars import (
    BARE,
    BASIC,
    BASIC_LINES,
    LITERAL,
    LITERAL_LINES,
    MOMENT,
    NUMBER,
    WORD,
    number,
    unescape,
)
from services.core.values import MAX_DEPTH, ParseError, Rule, Value, place

_COMMENT: Final = r"#[^\x00-\x08\x0a-\x1f\x7f]*+"
_BLANK: Final = re.compile(rf"(?:[ \t]*+(?:{_COMMENT})?\r?\n)*+[ \t]*+(?:{_COMMENT}\Z)?")
_LINE_END: Final = re.compile(rf"[ \t]*+(?:{_COMMENT})?(?:\r?\n|\Z)")
_BETWEEN: Final = re.compile(rf"(?:[ \t]++|\r?\n|{_COMMENT})*+")
_SPACE: Final = re.compile(r"[ \t]*+")
_SIMPLE: Final = re.compile(r"([A-Za-z0-9_-]++)[ \t]*+=[ \t]*+")
_LONGEST_SHOWN: Final = 40

Kind: TypeAlias = Literal["header", "implicit", "dotted"]


@dataclass(slots=True)
class Section:
    """A header and the lines below it, up to the next one; the first has no header and is empty in width.

    ``start`` and ``end`` are those of the header, brackets included; ``last`` is the end of its last value.
    """

    names: tuple[str, ...]
    start: int
    end: int
    last: int


@dataclass(slots=True)
class Entry:
    """One ``key = value`` of a section, from ``start``."""

    section: Section
    start: int
    node: Node


@dataclass(slots=True)
class Table:
    """A table that is not in braces: opened by a header, by those of its sub-tables, or by dotted keys."""

    names: tuple[str, ...]
    depth: int
    section: Section
    kind: Kind
    value: dict[str, Value] = field(default_factory=dict)
    children: "dict[str, Child]" = field(default_factory=dict)


@dataclass(slots=True)
class Tables:
    """An array of tables that are opened by ``[[ ]]``."""

    value: list[Value] = field(default_factory=list)
    items: list[Table] = field(default_factory=list)


Child: TypeAlias = Entry | Table | Tables


def read(text: str) -> Table:
    """Give the root table of a TOML text; ParseError for what is none, or no record value."""
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def document(self) -> Table:
        text, end = self._text, len(self._text)
        section = Section((), 0, 0, 0)
        root = table = Table((), 1, section, "header")
        at = self._match(_BLANK, 0)
        while at < end:
            if text[at] == "[":
                table, at = self._header(root, at)
                section = table.section
            else:
                at = self._entry(table, section, at)
            found = _LINE_END.match(text, at)
            if found is None:
                self._refuse(at, "something stands behind the value; put it on a line of its own")
            at = self._match(_BLANK, found.end())
        return root

    # --- tables ---

    def _header(self, root: Table, start: int) -> tuple[Table, int]:
        listed = self._text.startswith("[[", start)
        names, at = self._key(self._match(_SPACE, start + 1 + listed))
        closing = "]]" if listed else "]"
        if not self._text.startswith(closing, at):
            self._refuse(at, f"the header of a table ends in {closing}; close it")
        at += len(closing)
        section = Section(tuple(name.name for name in names), start, at, at)
        table = root
        for name in names[:-1]:
            table = self._inside(table, name, section)
        return self._opened(table, names[-1], section, listed=listed), at

    def _inside(self, table: Table, name: Key, section: Section) -> Table:
        """Give the table that a header passes through; the last of an array of tables."""
        child = table.children.get(name.name)
        if isinstance(child, Tables):
            return child.items[-1]
        if isinstance(child, Entry):
            self._twice(name)
        return child or self._new(table, name, section, "implicit")

    def _opened(self, parent: Table, name: Key, section: Section, *, listed: bool) -> Table:
        child = parent.children.get(name.name)
        if listed:
            if child is None:
                parent.children[name.name] = child = Tables()
                parent.value[name.name] = child.value
            if not isinstance(child, Tables):
                self._twice(name)
            item = Table((*parent.names, name.name), parent.depth + 2, section, "header")
            self._check_depth(item.depth, name.start)
            child.items.append(item)
            child.value.append(item.value)
            return item
        if child is None:
            return self._new(parent, name, section, "header")
        if not isinstance(child, Table) or child.kind != "implicit":
            self._twice(name)
        child.kind, child.section = "header", section
        return child

    def _new(self, parent: Table, name: Key, section: Section, kind: Kind) -> Table:
        made = Table((*parent.names, name.name), parent.depth + 1, section, kind)
        self._check_depth(made.depth, name.start)
        parent.children[name.name] = made
        parent.value[name.name] = made.value
        return made

    def _entry(self, table: Table, section: Section, start: int) -> int:
        simple = _SIMPLE.match(self._text, start)
        if simple is not None:
            name, at = Key(simple[1], start, simple.end(1)), simple.end()
        else:
            names, at = self._key(start)
            at = self._equals(at)
            for part in names[:-1]:
                table = self._dotted(table, part, section)
            name = names[-1]
        if name.name in table.children:
            self._twice(name)
        node = self._value(at, table.depth)
        table.children[name.name] = Entry(section, start, node)
        table.value[name.name] = node.value
        section.last = node.end
        return node.end

    def _dotted(self, table: Table, name: Key, section: Section) -> Table:
        child = table.children.get(name.name)
        if child is None:
            return self._new(table, name, section, "dotted")
        if not isinstance(child, Table) or child.kind == "header":
            self._twice(name)
        child.kind, child.section = "dotted", section
        return child

    def _key(self, at: int) -> tuple[list[Key], int]:
        """Read a key of one or more parts, and the space behind it."""
        parts: list[Key] = []
        while True:
            found = BARE.match(self._text, at) or BASIC.match(self._text, at) or LITERAL.match(self._text, at)
            if found is None or self._text.startswith(('"""', "'''"), at):
                self._refuse(at, "a key is missing here; write it with letters, digits, '_' and '-', or in quotes")
            name = found[0]
            if found.re is not BARE:
                name = found[1] if found.re is LITERAL else self._unescape(at, found[1])
            parts.append(Key(name, at, found.end()))
            at = self._match(_SPACE, found.end())
            if not self._text.startswith(".", at):
                return parts, at
            at = self._match(_SPACE, at + 1)

    def _equals(self, at: int) -> int:
        if not self._text.startswith("=", at):
            self._refuse(at, "'=' is missing behind the key; write it as 'key = value'")
        return self._match(_SPACE, at + 1)

    # --- values ---

    def _value(self, at: int, depth: int) -> Node:
        char = self._text[at : at + 1]
        if char == '"':
            return self._string(at, BASIC_LINES if self._text.startswith('"""', at) else BASIC)
        if char == "'":
            return self._string(at, LITERAL_LINES if self._text.startswith("'''", at) else LITERAL)
        if char == "[":
            return self._array(at, depth + 1)
        if char == "{":
            return self._inline_table(at, depth + 1)
        return self._plain(at)

    def _string(self, at: int, pattern: re.Pattern[str]) -> Node:
        found = pattern.match(self._text, at)
        if found is None:
            message = "this text has no end, or holds a control character; close its quotes, escape the character"
            self._refuse(at, message)
        raw = found[1]
        text = self._unescape(at, raw) if pattern in {BASIC, BASIC_LINES} else raw.replace("\r\n", "\n")
        if pattern in {BASIC_LINES, LITERAL_LINES}:
            text += found[2][3:]
        return Node(text, at, found.end(), "double" if self._text[at] == '"' else "single")

    def _plain(self, at: int) -> Node:
        text = self._text
        if found := MOMENT.match(text, at):
            if not day_exists(found["day"]):
                self._refuse(at, f"the day {found['day']} is not in the calendar; correct it", "value")
            return Node(found[1], at, found.end(), "plain")
        if found := NUMBER.match(text, at):
            try:
                return Node(number(found), at, found.end(), "plain")
            except ValueError:
                message = "this number is out of range (4,300 digits); put it in quotes if it is text"
                self._refuse(at, message, "value")
        found = WORD.match(text, at)
        if found is None:
            self._refuse(at, "this is no TOML value; put it in quotes if it is text")
        if found[2]:
            self._refuse(at, f"{found[1]} is no finite number; remove the field, or put it in quotes", "value")
        return Node(found[1] == "true", at, found.end(), "plain")

    def _array(self, start: int, depth: int) -> Node:
        self._check_depth(depth, start)
        children: list[Node] = []
        at = self._match(_BETWEEN, start + 1)
        while not self._text.startswith("]", at):
            children.append(self._value(at, depth))
            at = self._next(children[-1].end, "]", start)
        return Node([child.value for child in children], start, at + 1, "bracketed", [], children)

    def _inline_table(self, start: int, depth: int) -> Node:
        self._check_depth(depth, start)
        keys: list[Key] = []
        children: list[Node] = []
        root = Table((), depth, Section((), start, start, start), "header")
        at = self._match(_BETWEEN, start + 1)
        while not self._text.startswith("}", at):
            names, value_at = self._key(at)
            table = root
            for name in names[:-1]:
                table = self._dotted(table, name, root.section)
            if names[-1].name in table.children:
                self._twice(names[-1])
            node = self._value(self._equals(value_at), table.depth)
            table.children[names[-1].name] = Entry(root.section, at, node)
            table.value[names[-1].name] = node.value
            keys.append(names[-1])
            children.append(node)
            at = self._next(node.end, "}", start)
        plain = len(root.children) == len(keys) and all(isinstance(one, Entry) for one in root.children.values())
        if not plain:
            return Node(root.value, start, at + 1, "opaque")
        return Node(root.value, start, at + 1, "bracketed", keys, children)

    def _next(self, at: int, closing: str, start: int) -> int:
        """Pass the comma behind an item; stay at the bracket that closes."""
        at = self._match(_BETWEEN, at)
        if self._text.startswith(",", at):
            return self._match(_BETWEEN, at + 1)
        if at >= len(self._text):
            self._refuse(start, f"this has no end; close it with {closing}")
        if not self._text.startswith(closing, at):
            self._refuse(at, f"a comma or {closing} is missing here; add it")
        return at

    # --- refusing ---

    def _unescape(self, at: int, body: str) -> str:
        try:
            return unescape(body)
        except ValueError as error:
            self._refuse(at, f"the text has an escape {error} that is none; write a backslash as \\\\")

    def _match(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self._text, at)
        return found.end() if found else at

    def _check_depth(self, depth: int, at: int) -> None:
        if depth > MAX_DEPTH:
            self._refuse(at, f"this is nested more than {MAX_DEPTH} levels deep; flatten it", "value")

    def _twice(self, name: Key) -> NoReturn:
        shown = name.name[:_LONGEST_SHOWN]
        self._refuse(name.start, f"the key {shown!r} occurs twice in one table; remove one of them", "duplicate-key")

    def _refuse(self, at: int, message: str, rule: Rule = "syntax") -> NoReturn:
        line, column = place(self._text, at)
        raise ParseError(rule, line, column, message)
