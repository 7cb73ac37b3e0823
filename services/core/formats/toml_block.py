"""Editing TOML's tables in place: whole lines for what comes and goes, single values for the rest."""

import re
from collections.abc import Iterator

from services.core.formats.alignment import align
from services.core.formats.bracketed import rebuild
from services.core.formats.spans import NoSpliceError, Splice, indent_at
from services.core.formats.toml_reader import Child, Entry, Section, Table, Tables
from services.core.formats.toml_scalars import lines
from services.core.formats.toml_writer import TomlWriter, is_section
from services.core.values import Value, equal

_BLANK = re.compile(r"(?:[ \t]*\r?\n)+")


class TableEdit:
    """Collects the changes that turn one document's record into another."""

    def __init__(self, text: str, writer: TomlWriter) -> None:
        """Take the document's text and how it writes."""
        self._text = text
        self._writer = writer
        self._gone: list[tuple[int, int]] = []
        self._put: list[Splice] = []

    @property
    def splices(self) -> list[Splice]:
        """Give the changes: what was put into lines that go stands where they were."""
        gone: list[tuple[int, int]] = []
        for start, end in sorted(self._gone):
            if gone and start <= gone[-1][1]:
                gone[-1] = gone[-1][0], max(end, gone[-1][1])
            else:
                gone.append((start, end))
        put = [
            splice
            if splice.start < splice.end
            else next((Splice(e, e, splice.new) for s, e in gone if s < splice.start < e), splice)
            for splice in self._put
        ]
        return [*put, *(Splice(start, end, "") for start, end in gone)]

    def table(self, table: Table, new: dict[str, Value], *, whole: frozenset[str] = frozenset()) -> None:
        """Edit a table; the fields in ``whole`` are written anew even where less would do.

        Raises NoSpliceError when it would have no place of its own left.
        """
        if not new and table.kind != "header":
            raise NoSpliceError
        rows: list[tuple[str, Value]] = []
        sections: list[tuple[str, Value]] = []
        for name, child in table.children.items():
            if name not in new:
                self._remove(child)
            elif not self._kept(child, new[name], anew=name in whole):
                self._remove(child)
                (sections if is_section(new[name]) and not isinstance(child, Entry) else rows).append((name, new[name]))
        for name, value in new.items():
            if name not in table.children:
                (sections if is_section(value) and table.kind != "dotted" else rows).append((name, value))
        self._add_rows(table, rows)
        self._add_sections(table, sections)

    def _kept(self, child: Child, new: Value, *, anew: bool) -> bool:
        """Edit a field where it stands; False where it has to go and come again."""
        if equal(child.node.value if isinstance(child, Entry) else child.value, new):
            return True
        if anew:
            return False
        done = len(self._gone), len(self._put)
        try:
            if isinstance(child, Entry):
                self._entry(child, new)
                return True
            if isinstance(child, Table) and isinstance(new, dict):
                self.table(child, new)
                return True
            if isinstance(child, Tables) and is_section(new) and isinstance(new, list):
                self._tables(child, new)
                return True
        except NoSpliceError:
            del self._gone[done[0] :], self._put[done[1] :]
        return False

    def _entry(self, entry: Entry, new: Value) -> None:
        node = entry.node
        written = None
        source = self._text[node.start : node.end]
        if isinstance(new, str) and isinstance(node.value, str) and source.startswith(("'''", '"""')):
            opening = self._writer.newline if source[3:4] in {"\n", "\r"} else ""
            written = lines(new, "'" if node.style == "single" else '"', self._writer.newline, opening)
        elif isinstance(new, str) and "\n" in new:
            written = self._writer.text(new, "")
        if written is None:
            written = rebuild(self._text, node, new, self._writer, indent_at(self._text, entry.start))
        self._put.append(Splice(node.start, node.end, written))

    def _tables(self, tables: Tables, new: list[Value]) -> None:
        names = tables.items[0].names
        indent = indent_at(self._text, tables.items[0].section.start)
        before: Table | None = None
        for i, j in align(tables.value, new):
            value = new[j] if j is not None else None
            if i is None and isinstance(value, dict):
                if before is None:
                    at = self._line_begin(tables.items[0].section.start)
                    written = self._writer.item(names, value, indent) + self._writer.newline * 2
                    self._put.append(Splice(at, at, written))
                else:
                    self._insert(self._end(before), self._writer.newline + self._writer.item(names, value, indent))
            elif i is not None:
                item = tables.items[i]
                if not isinstance(value, dict):
                    self._remove(item)
                elif not equal(item.value, value):
                    self.table(item, value)
                before = item

    # --- what goes ---

    def _remove(self, child: Child) -> None:
        covered: list[Section] = []
        for piece in _pieces(child):
            if isinstance(piece, Section):
                covered.append(piece)
                self._gone.append(self._with_blank(self._line_begin(piece.start), self._line_after(piece.last)))
            elif not any(section is piece.section for section in covered):
                self._gone.append((self._line_begin(piece.start), self._line_after(piece.node.end)))

    def _with_blank(self, start: int, end: int) -> tuple[int, int]:
        """Take the blank lines below a section along; those above it where it is the last."""
        found = _BLANK.match(self._text, end)
        if found is not None:
            return start, found.end()
        if end == len(self._text):
            kept = self._text[:start].rstrip(" \t\r\n")
            return (self._line_after(len(kept)) if kept else 0), end
        return start, end

    # --- what comes ---

    def _add_rows(self, table: Table, rows: list[tuple[str, Value]]) -> None:
        if not rows:
            return
        if table.kind == "implicit":
            first = min(self._starts(table))
            header = "[" + ".".join(map(self._writer.key, table.names)) + "]"
            written = [header, *(self._writer.row((name,), value) for name, value in rows), "", ""]
            self._put.append(Splice(first, first, self._writer.newline.join(written)))
            return
        prefix = table.names[len(table.section.names) :] if table.kind == "dotted" else ()
        own = [one for one in _entries(table) if one.section is table.section]
        last = max(own, key=lambda one: one.start) if own else None
        start = last.start if last else table.section.start
        indent = indent_at(self._text, start) if last or table.names else ""
        written = [self._writer.row((*prefix, name), value, indent) for name, value in rows]
        if last is None and not table.names:
            self._insert_at_top(written)
            return
        self._insert(last.node.end if last else table.section.end, self._writer.newline.join(written))

    def _insert_at_top(self, rows: list[str]) -> None:
        """Put the first fields above the first header and the comment that belongs to it."""
        found = re.search(r"^(?:[ \t]*#[^\n]*\n)*[ \t]*\[", self._text, re.MULTILINE)
        if found is None:
            self._insert(len(self._text), self._writer.newline.join(rows))
        else:
            written = self._writer.newline.join([*rows, "", ""])
            self._put.append(Splice(found.start(), found.start(), written))

    def _add_sections(self, table: Table, sections: list[tuple[str, Value]]) -> None:
        if not sections:
            return
        if table.kind == "dotted":
            raise NoSpliceError
        end = self._end(table) if table.names else len(self._text)
        gap = self._writer.newline if self._text.strip() else ""
        for name, value in sections:
            self._insert(end, gap + self._writer.section((*table.names, name), value))
            gap = self._writer.newline

    # --- places ---

    def _starts(self, child: Child) -> Iterator[int]:
        for piece in _pieces(child):
            yield self._line_begin(piece.start)

    def _end(self, child: Child) -> int:
        return max(piece.last if isinstance(piece, Section) else piece.node.end for piece in _pieces(child))

    def _line_begin(self, position: int) -> int:
        return self._text.rfind("\n", 0, position) + 1

    def _line_after(self, position: int) -> int:
        found = self._text.find("\n", position)
        return len(self._text) if found < 0 else found + 1

    def _insert(self, position: int, written: str) -> None:
        """Put whole lines below the line of a position."""
        at = self._line_after(position)
        newline = self._writer.newline
        open_end = at == len(self._text) and bool(self._text) and not self._text.endswith("\n")
        self._put.append(Splice(at, at, newline + written if open_end else written + newline))


def _pieces(child: Child) -> Iterator[Section | Entry]:
    """Give the headers and entries that a field consists of, a section before what is in it."""
    if isinstance(child, Entry):
        yield child
        return
    if isinstance(child, Table) and child.kind == "header":
        yield child.section
    for one in child.items if isinstance(child, Tables) else child.children.values():
        yield from _pieces(one)


def _entries(table: Table) -> Iterator[Entry]:
    return (piece for piece in _pieces(table) if isinstance(piece, Entry))
