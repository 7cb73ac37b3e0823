"""Reading the YAML that most records are in one quick pass, line by line.

It takes block mappings and lists of plain and quoted scalars, as editors and PyYAML write them, folded over lines
or not. Whatever else it meets (flow style, anchors, tags, block scalars, escapes, tabs, comments behind values, keys
that are there twice, anything odd) it leaves to ``yaml_nodes``: what it answers is what that would answer.
"""

import re
from typing import Final

from services.core.formats.yaml_nodes import resolve
from services.core.values import Value

_ODD: Final = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ENTRY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,99}):(?: +(.*))?\Z")
_PLAIN: Final = re.compile(r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-[0-9.])")
_NOT_PLAIN: Final = re.compile(r": | #|:\Z")
_DEEPEST: Final = 40


class _OddError(Exception):
    """Something here has to be read carefully."""


def read(text: str) -> dict[str, Value] | None:
    """Give the record in a YAML text; None where the careful reader has to look."""
    if _ODD.search(text):
        return None
    try:
        return _Lines(text).document()
    except _OddError:
        return None


class _Lines:
    """The lines of a text, without their indents, and the place in them."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        self._texts = [line.strip(" ") for line in lines]
        self._indents = [len(line) - len(line.lstrip(" ")) for line in lines]
        self._at = 1 if lines[0].rstrip(" ") == "---" else 0

    def document(self) -> dict[str, Value]:
        if self._skip() != 0:
            raise _OddError
        value = self._mapping(0, _DEEPEST)
        if self._skip() != -1:
            raise _OddError
        return value

    def _skip(self) -> int:
        """Pass blank lines and comments; give the indent of the next line, -1 at the end."""
        texts, at = self._texts, self._at
        while at < len(texts):
            text = texts[at]
            if text and text[0] != "#":
                self._at = at
                return self._indents[at]
            at += 1
        self._at = at
        return -1

    def _mapping(self, indent: int, left: int) -> dict[str, Value]:
        if not left:
            raise _OddError
        result: dict[str, Value] = {}
        while True:
            found = _ENTRY.match(self._texts[self._at])
            if found is None:
                raise _OddError
            name, rest = found.groups()
            if name in result:
                raise _OddError
            self._at += 1
            result[name] = self._scalar(rest, indent) if rest else self._nested(indent, left)
            following = self._skip()
            if following < indent:
                return result
            if following > indent:
                raise _OddError

    def _nested(self, indent: int, left: int) -> Value:
        """Give what is below a key that has nothing beside it."""
        inner = self._skip()
        if inner < indent:
            return None
        if self._texts[self._at].startswith("- "):
            return self._list(inner, left - 1)
        return self._mapping(inner, left - 1) if inner > indent else None

    def _list(self, indent: int, left: int) -> list[Value]:
        if not left:
            raise _OddError
        result: list[Value] = []
        while True:
            at = self._at
            text = self._texts[at]
            if not text.startswith("- "):
                return result
            rest = text[2:].lstrip(" ")
            if _ENTRY.match(rest):
                self._texts[at], self._indents[at] = rest, indent + len(text) - len(rest)
                result.append(self._mapping(self._indents[at], left - 1))
            else:
                self._at = at + 1
                result.append(self._scalar(rest, indent))
            following = self._skip()
            if following < indent:
                return result
            if following > indent:
                raise _OddError

    def _scalar(self, text: str, indent: int) -> Value:
        """Read a scalar that begins with ``text`` and goes on in the lines that are indented deeper."""
        if text[0] in "'\"":
            return self._quoted(text, indent, text[0])
        if text in {"[]", "{}"}:
            return [] if text == "[]" else {}
        if not _PLAIN.match(text) or _NOT_PLAIN.search(text):
            raise _OddError
        while more := self._more(indent):
            if not _PLAIN.match(more) or _NOT_PLAIN.search(more):
                raise _OddError
            text += " " + more
        try:
            return resolve(text)
        except ValueError:
            raise _OddError from None

    def _quoted(self, text: str, indent: int, quote: str) -> str:
        while not _closed(text, quote):
            more = self._more(indent)
            if not more:
                raise _OddError
            text += " " + more
        body = text[1:-1]
        if quote == "'":
            return body.replace("''", "'")
        if "\\" in body:
            raise _OddError
        return body

    def _more(self, indent: int) -> str:
        """Pass the next line if it is indented deeper, and give its text; empty where a scalar ends."""
        at = self._at
        # A blank line in a text that goes on means a line break: what comes deeper below it is odd.
        if at == len(self._texts) or self._indents[at] <= indent or not self._texts[at]:
            return ""
        self._at = at + 1
        return self._texts[at]


def _closed(text: str, quote: str) -> bool:
    """Say whether a quoted text ends here; what goes on behind its end is odd."""
    end = text.find(quote, 1)
    while quote == "'" and end > 0 and text.startswith("'", end + 1):
        end = text.find(quote, end + 2)
    if end < 0:
        return False
    if end != len(text) - 1:
        raise _OddError
    return True
