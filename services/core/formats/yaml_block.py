"""Editing YAML's block style in place: whole lines for what comes and goes, single values for the rest."""

import re
from collections.abc import Callable
from typing import TypeAlias

from services.core.formats.alignment import align
from services.core.formats.bracketed import rebuild
from services.core.formats.spans import Node, NoSpliceError, Splice
from services.core.formats.yaml_scalars import literal, quoted, rewrapped, scalar
from services.core.formats.yaml_writer import YamlWriter, column_of
from services.core.values import Value, dumps, equal

_Form: TypeAlias = Callable[[Value], str]


class BlockEdit:
    """Collects the splices that turn one document's record into another."""

    def __init__(self, text: str, writer: YamlWriter) -> None:
        """Take the document's text and how it writes."""
        self.splices: list[Splice] = []
        self._text = text
        self._writer = writer

    def mapping(self, node: Node, new: dict[str, Value], *, whole: frozenset[str] = frozenset()) -> None:
        """Edit a block mapping; the keys in ``whole`` are written anew even where less would do.

        Raises NoSpliceError when nothing of it would stay.
        """
        keys = node.keys
        kept = [i for i, key in enumerate(keys) if key.merge or key.name in new]
        if not kept:
            raise NoSpliceError
        column = column_of(self._text, node.start)
        self._remove(node, kept)
        for i in kept:
            if keys[i].merge:
                continue
            value = new[keys[i].name]
            after = self._after_colon(keys[i].end)
            if keys[i].name in whole:
                self._rewrite(node.children[i], value, after, column)
            else:
                own_column = column + self._writer.step
                self._value(node.children[i], value, after, own_column, _key_form(self._writer, column))
        own = {key.name for key in keys if not key.merge}
        for name, value in new.items():
            if name not in own and not self._inherited(node, name, value):
                self._insert_lines(node.end, " " * column + self._writer.entry(name, value, column))

    def _rewrite(self, node: Node, value: Value, after: int, column: int) -> None:
        if isinstance(value, str) and node.style in {"literal", "folded"}:
            written = self._scalar(node, value, column + self._writer.step)
            self.splices.append(Splice(node.start, node.end, written))
        else:
            self._replace(node, self._writer.after_key(value, column), after)

    def _inherited(self, node: Node, name: str, value: Value) -> bool:
        """Say whether a merge key brings this field as it shall be, so that it needs no entry."""
        old = node.value
        return isinstance(old, dict) and name in old and equal(old[name], value)

    def _list(self, node: Node, new: list[Value]) -> None:
        old = [child.value for child in node.children]
        pairs = align(old, new)
        kept = [i for i, j in pairs if i is not None and j is not None]
        if not kept:
            raise NoSpliceError
        column = column_of(self._text, node.start)
        self._remove(node, kept)
        before: int | None = None
        for i, j in pairs:
            if i is not None and j is not None:
                write = _dash_form(self._writer, column)
                self._value(node.children[i], new[j], node.keys[i].end, column + 2, write)
            elif j is not None and before is None:
                item = "-" + self._writer.after_dash(new[j], column)
                self.splices.append(Splice(node.start, node.start, item + self._writer.newline + " " * column))
            elif j is not None and before is not None:
                item = "-" + self._writer.after_dash(new[j], column)
                self._insert_lines(node.children[before].end, " " * column + item)
            before = i if i is not None else before

    def _remove(self, node: Node, kept: list[int]) -> None:
        """Remove the lines of all entries that are not kept."""
        first = kept[0]
        begin = node.keys[0].start
        if first > 0 and self._text[self._line_begin(begin) : begin].strip():
            self.splices.append(Splice(begin, node.keys[first].start, ""))
            gone = range(first + 1, len(node.keys))
        else:
            gone = range(len(node.keys))
        staying = set(kept)
        for i in gone:
            if i not in staying:
                start = self._line_begin(node.keys[i].start)
                self.splices.append(Splice(start, self._line_after(node.children[i].end), ""))

    def _value(self, node: Node, new: Value, after: int, column: int, write: _Form) -> None:
        """Edit one value behind its colon or dash; its own lines, if it needs any, begin at ``column``."""
        if equal(node.value, new):
            return
        done = len(self.splices)
        try:
            if node.style == "block" and new:
                if isinstance(new, dict) and isinstance(node.value, dict):
                    self.mapping(node, new)
                    return
                if isinstance(new, list) and isinstance(node.value, list):
                    self._list(node, new)
                    return
        except NoSpliceError:
            del self.splices[done:]
        if node.style == "bracketed" and node.children and new and type(new) is type(node.value):
            written = rebuild(self._text, node, new, self._writer, None)
            self.splices.append(Splice(node.start, node.end, written))
        elif node.style not in {"block", "bracketed", "opaque"} and not isinstance(new, dict | list):
            self.splices.append(Splice(node.start, node.end, self._scalar(node, new, column)))
        else:
            self._replace(node, write(new), after)

    def _replace(self, node: Node, written: str, after: int) -> None:
        end = self._line_end(node.end)
        lines = written.startswith(("\n", "\r"))
        if lines and node.style != "block" and self._text[node.end : end].strip():
            self.splices.append(Splice(after, node.end, ""))
            self._insert_lines(node.end, written.lstrip("\r\n"))
        else:
            self.splices.append(Splice(after, node.end, written))

    def _scalar(self, node: Node, new: Value, column: int) -> str:
        if node.style == "empty":
            return " " + self._writer.plain_or_quoted(new)
        if not isinstance(new, str):
            return scalar(new)
        dumps(new)  # refuses what has no UTF-8 form
        source = self._text[node.start : node.end]
        later = re.search(r"\n([ \t]*)\S", source)
        block = self._as_block(node, new, source, later[1] if later else " " * column)
        if block is not None:
            return block
        if node.style in {"single", "double"}:
            written = quoted(new, "'" if node.style == "single" else '"')
        else:
            like = node.value if isinstance(node.value, str) and node.style == "plain" else ""
            written = scalar(new, quote=self._writer.quote, like=like)
        if later is None or node.style in {"literal", "folded"}:
            return written
        return rewrapped(written, source, column_of(self._text, node.start), self._writer.newline)

    def _as_block(self, node: Node, new: str, source: str, indent: str) -> str | None:
        if node.style in {"literal", "folded"}:
            header = source.split("\n", 1)[0]
            return None if re.search(r"\d", header) else literal(new, indent, self._writer.newline, source)
        if "\n" in new and node.style != "double":
            return literal(new, indent, self._writer.newline)
        return None

    # --- lines ---

    def _after_colon(self, end: int) -> int:
        found = re.compile(r"\s*:").match(self._text, end)
        return found.end() if found else end

    def _line_begin(self, position: int) -> int:
        return self._text.rfind("\n", 0, position) + 1

    def _line_end(self, position: int) -> int:
        found = self._text.find("\n", position)
        return len(self._text) if found < 0 else found

    def _line_after(self, position: int) -> int:
        return min(self._line_end(position) + 1, len(self._text))

    def _insert_lines(self, position: int, lines: str) -> None:
        """Put whole lines below the line of a position."""
        at = self._line_after(position)
        newline = self._writer.newline
        open_end = at == len(self._text) and not self._text.endswith("\n")
        self.splices.append(Splice(at, at, newline + lines if open_end else lines + newline))


def _key_form(writer: YamlWriter, column: int) -> _Form:
    return lambda value: writer.after_key(value, column)


def _dash_form(writer: YamlWriter, column: int) -> _Form:
    return lambda value: writer.after_dash(value, column)
