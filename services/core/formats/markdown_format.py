"""Markdown files with front matter: YAML between lines ``---`` or TOML between lines ``+++``.

The text below it is the field ``body``. The blank line behind the closing line and the file's final newline
frame the body and are no part of it, so that a body of ``text`` makes a file that looks as written by hand;
editing keeps the frame as it is. A file that ends at the closing line has no body at all, which differs from an
empty one. Lines of a body end in LF in the record whatever the file has.
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol

from services.core.errors import InvalidInputError
from services.core.formats import toml_format, yaml_format
from services.core.formats.alignment import align
from services.core.formats.envelope import Envelope, Newline
from services.core.values import ParseError, Value, dumps, equal

BODY: Final = "body"

_OPENING: Final = re.compile(r"(---|\+\+\+)[ \t]*(\r?\n|\Z)")
_CLOSING: Final = {mark: re.compile(rf"^{re.escape(mark)}[ \t]*(\r?\n|\Z)", re.MULTILINE) for mark in ("---", "+++")}


class MarkdownFormat:
    """Records in Markdown files (``.md``, ``.markdown``): front matter, and the body as a field."""

    name = "markdown"

    def parse(self, data: bytes) -> dict[str, Value]:
        """Give the record in a file; ParseError when it has no front matter or that is no mapping."""
        return _record(_split(Envelope.open(data).text))

    def parse_canonical(self, data: bytes) -> tuple[dict[str, Value], bytes]:
        """Give the record and its canonical JSON text."""
        value = self.parse(data)
        return value, dumps(value)

    def edit(self, data: bytes, new: dict[str, Value]) -> bytes:
        """Give the bytes of the file with the record ``new``; only what changed is touched."""
        envelope = Envelope.open(data)
        parts = _split(envelope.text)
        old = _record(parts)
        if equal(old, new):
            return data
        body = _body_of(new, old)
        front = {key: value for key, value in new.items() if key != BODY}
        matter = parts.matter
        if matter.strip():
            matter = parts.language.edit_text(matter, envelope.newline, front)
        elif front:
            matter = parts.language.new_text(front, envelope.newline)
        closing, after = parts.closing, parts.after
        if body != old.get(BODY):
            after = _edited_body(after, body, envelope.newline)
            if after and not closing.endswith("\n"):
                closing += envelope.newline
        return envelope.close(parts.opening + matter + closing + after)

    def new(self, value: dict[str, Value]) -> bytes:
        """Give a fresh file in the house style: a blank line above the body, a final newline below it."""
        body = _body_of(value, {})
        front = {key: item for key, item in value.items() if key != BODY}
        return ("---\n" + yaml_format.new_text(front, "\n") + "---\n" + _edited_body("", body, "\n")).encode()


class _Language(Protocol):
    """What the fields between the two lines are written in: a module of this package."""

    def parse_text(self, text: str) -> dict[str, Value]: ...
    def edit_text(self, text: str, newline: Newline, new: dict[str, Value]) -> str: ...
    def new_text(self, value: dict[str, Value], newline: Newline) -> str: ...


@dataclass(frozen=True)
class _Parts:
    language: _Language
    opening: str
    matter: str
    closing: str
    after: str


def _split(text: str) -> _Parts:
    opening = _OPENING.match(text)
    if opening is None:
        message = "front matter is missing; begin the file with the fields between two lines '---' (TOML: '+++')"
        raise ParseError("syntax", 1, 1, message)
    mark = opening[1]
    closing = _CLOSING[mark].search(text, opening.end())
    if closing is None:
        raise ParseError("syntax", 1, 1, f"the front matter has no end; close it with a line '{mark}'")
    language: _Language = toml_format if mark == "+++" else yaml_format
    matter, after = text[opening.end() : closing.start()], text[closing.end() :]
    return _Parts(language, opening[0], matter, closing[0], after)


def _record(parts: _Parts) -> dict[str, Value]:
    try:
        record = parts.language.parse_text(parts.matter) if parts.matter.strip() else {}
    except ParseError as error:
        raise error.moved(1) from None
    if BODY in record:
        found = re.search(r"^[\[ \t]*[\"']?body[\"']?\s*[:=.\]]", parts.matter, re.MULTILINE)
        line = parts.matter.count("\n", 0, found.start()) + 2 if found else 2
        message = "the front matter has a key 'body', which is the name of the text below it; rename the key"
        raise ParseError("value", line, 1, message)
    if parts.after:
        record[BODY] = _framed(parts.after.replace("\r\n", "\n"))[1]
    return record


def _framed(after: str) -> tuple[str, str, str]:
    """Split what follows the front matter into leading newline, body, final newline."""
    lead = "\n" if after.startswith("\n") else ""
    rest = after[len(lead) :]
    tail = "\n" if rest.endswith("\n") else ""
    return lead, rest[: len(rest) - len(tail)], tail


def _body_of(record: dict[str, Value], old: dict[str, Value]) -> str | None:
    if BODY not in record:
        return None
    body = record[BODY]
    if isinstance(body, str) and body == old.get(BODY):
        return body
    if not isinstance(body, str):
        raise InvalidInputError("the field 'body' of a Markdown record is its text", remedy="give it text")
    dumps(body)  # refuses what has no UTF-8 form
    if "\r\n" in f"{body}\n":
        raise InvalidInputError("the field 'body' has CRLF line ends", remedy="give it LF ones; the file keeps its own")
    return body


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def _edited_body(after: str, body: str | None, newline: Newline) -> str:
    """Put another body into its frame, keeping the bytes of the lines that stay."""
    if body is None:
        return ""
    lead, _, tail = _framed(after.replace("\r\n", "\n"))
    if not after or body.startswith("\n"):
        lead = "\n"
    if not after or body.endswith("\n"):
        tail = "\n"
    if not body:
        lead, tail = "\n", ""
    old, lines = _lines(after), _lines(lead + body + tail)
    plain: list[Value] = [line.replace("\r\n", "\n") for line in old]
    return "".join(
        old[i] if i is not None and plain[i] == lines[j] else lines[j].replace("\n", newline)
        for i, j in align(plain, list(lines))
        if j is not None
    )
