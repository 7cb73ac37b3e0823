"""TOML's scalars: read exactly, and written back.

Dates and times are text as written: no part of a second is lost, and no time zone is made up.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, TypeAlias

from services.core.formats.moments import TEXT
from services.core.values import Value, dumps, number_text

Quote: TypeAlias = Literal['"', "'"]

_CONTROL: Final = r"\x00-\x08\x0a-\x1f\x7f"
_DIGITS: Final = r"\d(_?\d)*"
_END: Final = r"(?=[\s,\]}#]|\Z)"

MOMENT: Final = re.compile(rf"({TEXT}){_END}", re.ASCII)
"""A date, a time or both, as TOML has them without quotes."""
NUMBER: Final = re.compile(
    rf"(0x[\da-fA-F](_?[\da-fA-F])*|0o[0-7](_?[0-7])*|0b[01](_?[01])*"
    rf"|[-+]?(0|[1-9](_?\d)*)(?P<part>\.{_DIGITS})?(?P<power>[eE][-+]?{_DIGITS})?){_END}",
    re.ASCII,
)
WORD: Final = re.compile(rf"(true|false|[-+]?(inf|nan)){_END}")
# The quantifiers are possessive: a text without an end is refused in one pass.
BASIC: Final = re.compile(rf'"((?:[^"\\{_CONTROL}]++|\\[^{_CONTROL}])*+)"')
BASIC_LINES: Final = re.compile(
    rf'"""(?:\r?\n)?((?:[^"\\{_CONTROL}]++|\r?\n|\\(?:[^{_CONTROL}]|\r?\n)|"{{1,2}}(?!"))*+)("{{3,5}})'
)
LITERAL: Final = re.compile(rf"'([^'{_CONTROL}]*+)'")
LITERAL_LINES: Final = re.compile(rf"'''(?:\r?\n)?((?:[^'{_CONTROL}]++|\r?\n|'{{1,2}}(?!'))*+)('{{3,5}})")
BARE: Final = re.compile(r"[A-Za-z0-9_-]+")

_ESCAPE: Final = re.compile(
    r"\\([ \t]*\n[ \t\n]*|u[\da-fA-F]{4}|U[\da-fA-F]{8}|x[\da-fA-F]{2}|.)", re.DOTALL | re.ASCII
)
_SHORT: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_ESCAPED: Final = {**{written[1]: char for char, written in _SHORT.items()}, "e": "\x1b"}
_NO_BASIC: Final = re.compile(r'[\x00-\x1f\x7f"\\]')
_NO_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\\]")
_NO_LITERAL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def number(found: re.Match[str]) -> Value:
    """Give what ``NUMBER`` matched; ValueError for what is out of range."""
    text = found[1].replace("_", "")
    if found["part"] or found["power"]:
        try:
            return Decimal(text)
        except InvalidOperation:
            raise ValueError(text) from None
    value = int(text, 0 if text[1:2] in {"x", "o", "b"} else 10)
    dumps(value)  # base 2, 8 and 16 have no limit of their own
    return value


def unescape(body: str) -> str:
    """Give the text that a basic string's body means; ValueError names an escape that is none."""
    text = body.replace("\r\n", "\n")
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "uUx" and len(code) > 1:
        char = int(code[1:], 16)
        if char > 0x10FFFF or 0xD800 <= char <= 0xDFFF:  # noqa: PLR2004  the range of Unicode, without surrogates
            raise ValueError(found[0])
        return chr(char)
    if code[-1] == "\n" or (code[0] in " \t\n" and "\n" in code):
        return ""
    if code not in _ESCAPED:
        raise ValueError(found[0])
    return _ESCAPED[code]


def scalar(value: Value, quote: Quote = '"') -> str:
    """Write a scalar on one line; a text always in quotes."""
    if isinstance(value, str):
        return quoted(value, quote)
    return number_text(value) if isinstance(value, Decimal) else dumps(value).decode()


def key(name: str) -> str:
    """Write one part of a key."""
    return name if BARE.fullmatch(name) else quoted(name, '"')


def quoted(text: str, quote: Quote) -> str:
    """Write a text on one line: in the wanted quotes if they can hold it."""
    dumps(text)  # refuses what has no UTF-8 form
    if quote == "'" and "'" not in text and "\n" not in text and not _NO_LITERAL.search(text):
        return f"'{text}'"
    return '"' + _NO_BASIC.sub(_escape, text) + '"'


def lines(text: str, quote: Quote, newline: str, opening: str) -> str | None:
    """Write a text on several lines, in three quotes and behind ``opening`` (a line's end, or nothing).

    None where a line begins as the end of front matter does.
    """
    dumps(text)  # refuses what has no UTF-8 form
    if "\n+++" in "\n" + text:
        return None
    if text.startswith("\n"):
        opening = newline
    if quote == "'" and "''" not in text and not text.endswith("'") and not _NO_LITERAL.search(text):
        return f"'''{opening}{text.replace(chr(10), newline)}'''"
    body = _NO_LINES.sub(_escape, text).replace('""', '"\\"')
    if body.endswith('"'):
        body = body[:-1] + '\\"'
    return f'"""{opening}{body.replace(chr(10), newline)}"""'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"
