"""Text of records made harmless: no mark-up, no mention, no reference, no marker can come from it."""

import re
import unicodedata
from typing import Final

# Word joiner: invisible, and enough to keep a forge from seeing a mention, an issue number or an address.
_JOINER: Final = "\u2060"
_REFERENCE: Final = re.compile(r"[@#!~%$&](?=[\w\"])|(?<=:)(?=//)|(?<=\bGH)-(?=\d)", re.IGNORECASE)
# Inside a word an underscore means nothing in Markdown, and ids are easier to read without a backslash.
_MARKDOWN: Final = re.compile(r"[\\`*\[\]|~#$]|^[+\-=:]|(?<![^\W_])_|_(?![^\W_])|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def one_line(text: str, limit: int) -> str:
    """Give the text in one line of at most ``limit`` characters, without control and direction characters."""
    visible = (
        " " if character.isspace() or unicodedata.category(character) in _INVISIBLE else character for character in text
    )
    line = " ".join("".join(visible).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def quiet(text: str) -> str:
    """Give plain text (a title, a commit's subject) that mentions nobody and refers to no issue."""
    return _REFERENCE.sub(lambda match: f"{match[0]}{_JOINER}", text)


def markdown(text: str, limit: int = 200) -> str:
    """Give one line of inline Markdown that shows the text and does nothing else."""
    escaped = _MARKDOWN.sub(lambda match: f"\\{match[0]}", one_line(text, limit))
    return re.sub(r"[&<>]", lambda match: _ENTITIES[match[0]], quiet(escaped))
