"""Writing new YAML: in the manner of the document around it, or in the house style.

House style: two spaces, dashes at the column of their key (as PyYAML writes), one line per scalar,
block scalars for text of several lines, single quotes where quotes are needed, dates without.
"""

import re
from dataclasses import dataclass

from services.core.formats.envelope import Newline
from services.core.formats.spans import Node
from services.core.formats.yaml_scalars import Quote, literal, quoted, scalar
from services.core.values import Value

_LONGEST_SIMPLE_KEY = 1000
_DATE = r"\d{4}-\d\d-\d\d"


@dataclass(frozen=True)
class YamlWriter:
    """How one document writes: columns a level goes in, columns a dash goes in, quotes, line ends, dates."""

    newline: Newline = "\n"
    step: int = 2
    dash: int = 0
    quote: Quote = "'"
    item_gap: str = ", "
    key_gap: str = ": "
    plain_dates: bool = True

    @classmethod
    def like(cls, text: str, root: Node, newline: Newline) -> "YamlWriter":
        """Take the manner of a document from the first places that show it."""
        steps, dashes = _columns(text, root)
        single, double = len(re.findall(r"[:-] '", text)), len(re.findall(r'[:-] "', text))
        dates = len(re.findall(rf"[:-] +{_DATE}", text)) >= len(re.findall(rf"[:-] +[\"']{_DATE}", text))
        step, dash = steps[0] if steps else 2, dashes[0] if dashes else 0
        return cls(newline, step, dash, '"' if double > single else "'", plain_dates=dates)

    # --- flow style (the Writer of bracketed) ---

    def key(self, name: str) -> str:
        """Write a key between brackets."""
        return scalar(name, quote=self.quote, flow=True)

    def replaced(self, node: Node, value: Value) -> str:
        """Write a scalar between brackets in the style of the one it replaces."""
        if isinstance(value, str) and node.style in {"single", "double"}:
            return quoted(value, "'" if node.style == "single" else '"')
        if node.style == "empty":
            return " " + self.fresh(value, None)
        like = node.value if isinstance(node.value, str) and node.style == "plain" else ""
        return scalar(value, quote=self.quote, flow=True, like=like)

    def fresh(self, value: Value, indent: str | None) -> str:
        """Write a value on one line, collections in brackets."""
        if isinstance(value, dict):
            members = (self.key(name) + self.key_gap + self.fresh(item, indent) for name, item in value.items())
            return "{" + self.item_gap.join(members) + "}"
        if isinstance(value, list):
            return "[" + self.item_gap.join(self.fresh(item, indent) for item in value) + "]"
        return scalar(value, quote=self.quote, flow=True, dates=self.plain_dates)

    # --- block style ---

    def entries(self, value: dict[str, Value], column: int) -> str:
        """Write a mapping's entries, the first where the text stands, the others at ``column``."""
        between = self.newline + " " * column
        return between.join(self.entry(name, item, column) for name, item in value.items())

    def entry(self, name: str, value: Value, column: int) -> str:
        """Write one entry of a mapping whose keys stand at ``column``."""
        key = scalar(name, quote=self.quote)
        if len(key) > _LONGEST_SIMPLE_KEY:
            key = f"? {key}{self.newline}{' ' * column}"
        return f"{key}:{self.after_key(value, column)}"

    def after_key(self, value: Value, column: int) -> str:
        """Write what follows the colon of a key at ``column``."""
        if value and isinstance(value, dict):
            inner = column + self.step
            return self.newline + " " * inner + self.entries(value, inner)
        if value and isinstance(value, list):
            inner = column + self.dash
            return self.newline + " " * inner + self.items(value, inner)
        return " " + self._scalar(value, column + self.step)

    def items(self, value: list[Value], column: int) -> str:
        """Write a list's items, the first where the text stands, the others with their dash at ``column``."""
        between = self.newline + " " * column
        return between.join("-" + self.after_dash(item, column) for item in value)

    def after_dash(self, value: Value, column: int) -> str:
        """Write what follows a dash at ``column``."""
        inner = column + 2
        if value and isinstance(value, dict):
            return " " + self.entries(value, inner)
        if value and isinstance(value, list):
            return " " + self.items(value, inner)
        return " " + self._scalar(value, inner)

    def _scalar(self, value: Value, column: int) -> str:
        if isinstance(value, dict | list):
            return self.fresh(value, None)
        if isinstance(value, str) and "\n" in value:
            block = literal(value, " " * column, self.newline)
            if block is not None:
                return block
        return self.plain_or_quoted(value)

    def plain_or_quoted(self, value: Value) -> str:
        """Write a scalar that is new, on one line."""
        return scalar(value, quote=self.quote, dates=self.plain_dates)


def _columns(text: str, root: Node) -> tuple[list[int], list[int]]:
    steps: list[int] = []
    dashes: list[int] = []
    todo = [root]
    while todo:
        node = todo.pop()
        todo += reversed(node.children)
        if node.style != "block" or not isinstance(node.value, dict):
            continue
        for child in node.children:
            if child.style == "block":
                distance = column_of(text, child.start) - column_of(text, node.start)
                (steps if isinstance(child.value, dict) else dashes).append(distance)
    return steps, dashes


def column_of(text: str, position: int) -> int:
    """Give the column of a position, from 0."""
    return position - text.rfind("\n", 0, position) - 1
