"""Writing new TOML: in the manner of the document around it, or in the house style.

House style: ``key = value``, tables below headers with a blank line above, text of several lines in three
quotes, dates without quotes.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeGuard

from services.core.errors import InvalidInputError
from services.core.formats.envelope import Newline
from services.core.formats.moments import is_day, is_moment
from services.core.formats.spans import Node
from services.core.formats.toml_scalars import Quote, key, lines, quoted, scalar
from services.core.values import Value, escape

WIDTH: Final = 100
"""A list that is longer gets a line for each item."""

_DATE: Final = r"\d{4}-\d\d-\d\d"


@dataclass(frozen=True)
class TomlWriter:
    """How one document writes: line ends, quotes, what stands around ``=``, whether dates have quotes."""

    newline: Newline = "\n"
    quote: Quote = '"'
    key_gap: str = " = "
    item_gap: str = ", "
    quoted_dates: bool = False

    @classmethod
    def like(cls, text: str, newline: Newline) -> "TomlWriter":
        """Take the manner of a document from what most of its lines show."""
        single, double = len(re.findall(r"= ?'", text)), len(re.findall(r'= ?"', text))
        tight, spaced = len(re.findall(r"(?m)^[\w.-]+=\S", text)), len(re.findall(r"(?m)^[\w.-]+ +=", text))
        dates = len(re.findall(rf"[=,\[]\s*[\"']{_DATE}", text)) > len(re.findall(rf"[=,\[]\s*{_DATE}", text))
        return cls(newline, "'" if single > double else '"', "=" if tight > spaced else " = ", ", ", dates)

    # --- on one line (the Writer of bracketed) ---

    def key(self, name: str) -> str:
        """Write a key."""
        return key(name)

    def replaced(self, node: Node, value: Value) -> str:
        """Write a scalar in the style of the one it replaces: a date for a date has no quotes."""
        if not isinstance(value, str):
            return scalar(value)
        if node.style == "plain":
            return value if isinstance(node.value, str) and is_moment(value) else quoted(value, self.quote)
        return quoted(value, "'" if node.style == "single" else '"')

    def fresh(self, value: Value, indent: str | None) -> str:
        """Write a value; a long list on lines of its own where ``indent`` is not None."""
        if isinstance(value, dict):
            members = self.item_gap.join(
                key(name) + self.key_gap + self.fresh(item, None) for name, item in value.items()
            )
            return f"{{ {members} }}" if value else "{}"
        if isinstance(value, list):
            items = [self.fresh(item, None) for item in value]
            line = "[" + self.item_gap.join(items) + "]"
            if indent is None or len(line) <= WIDTH:
                return line
            inner = self.newline + indent + "  "
            return "[" + inner + f",{inner}".join(items) + "," + self.newline + indent + "]"
        if isinstance(value, str) and is_day(value) and not self.quoted_dates:
            return value
        return scalar(value, self.quote)

    # --- lines ---

    def row(self, names: tuple[str, ...], value: Value, indent: str = "") -> str:
        """Write ``key = value``; ``names`` are the parts of the key."""
        return indent + ".".join(map(key, names)) + self.key_gap + self.text(value, indent)

    def text(self, value: Value, indent: str) -> str:
        """Write a value behind its key: text of several lines as such."""
        if isinstance(value, str) and "\n" in value:
            written = lines(value, self.quote, self.newline, self.newline)
            if written is not None:
                return written
        return self.fresh(value, indent)

    def section(self, names: tuple[str, ...], value: Value, indent: str = "") -> str:
        """Write a table, or an array of tables, below headers; no line end behind the last line."""
        if isinstance(value, list):
            items = [self._table(f"[[{_joined(names)}]]", names, item, indent) for item in value]
            return (self.newline * 2).join(items)
        rows = has_rows(value)
        return self._table(f"[{_joined(names)}]" if rows else "", names, value, indent)

    def item(self, names: tuple[str, ...], value: Value, indent: str = "") -> str:
        """Write one table of an array of tables."""
        return self._table(f"[[{_joined(names)}]]", names, value, indent)

    def document(self, value: dict[str, Value]) -> str:
        """Write a record."""
        written = self._table("", (), value, "")
        return written + self.newline if written else ""

    def _table(self, header: str, names: tuple[str, ...], value: Value, indent: str) -> str:
        if not isinstance(value, dict):
            raise TypeError(f"{type(value).__name__} is no table")
        rows = [self.row((name,), item, indent) for name, item in value.items() if not is_section(item)]
        parts = [self.newline.join([indent + header, *rows] if header else rows)] if rows or header else []
        parts += [self.section((*names, name), item, indent) for name, item in value.items() if is_section(item)]
        return (self.newline * 2).join(parts)


def is_section(value: Value) -> TypeGuard[dict[str, Value] | list[Value]]:
    """Say whether a value is written below a header of its own: a table, or a list of tables."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) and item for item in value)
    return isinstance(value, dict) and bool(value)


def has_rows(value: Value) -> bool:
    """Say whether a table needs a header: not where all it has is tables, whose headers speak for it."""
    return isinstance(value, dict) and not (value and all(map(is_section, value.values())))


def refuse_null(value: Value, pointer: str = "") -> None:
    """Raise InvalidInputError, naming the field, where a value holds null: TOML has no word for it."""
    if value is None:
        raise InvalidInputError(
            f"the field {pointer} is null, which TOML cannot hold", remedy="remove the field, or give it a value"
        )
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        refuse_null(item, f"{pointer}/{escape(str(name))}")


def _joined(names: tuple[str, ...]) -> str:
    return ".".join(map(key, names))
