"""Writing YAML scalars: plain where every reader takes the text for text, quoted everywhere else.

"Every reader" includes YAML 1.1 ones, which read ``no`` as false, ``1:30`` as 90 and dates as dates.
"""

import re
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from services.core.formats.moments import is_day
from services.core.formats.yaml_nodes import resolve
from services.core.values import Value, dumps, number_text

Quote: TypeAlias = Literal["'", '"']

WIDTH: Final = 80
"""Column after which a wrapped text breaks at the next space, as PyYAML does."""

_KINDS: Final = (
    ("date", re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?\Z", re.ASCII)),
    ("word", re.compile(r"(y|n|yes|no|on|off|true|false|null|~)\Z", re.IGNORECASE)),
    ("clock", re.compile(r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?\Z", re.ASCII)),
    (
        "number",
        re.compile(r"[-+]?(0[box][\da-f_]+|\.?\d[\d_.,]*(e[-+]?\d+)?|\.(inf|nan))\Z", re.IGNORECASE | re.ASCII),
    ),
    ("special", re.compile(r"(=|<<|)\Z")),
)
_UNSAFE_FIRST: Final = frozenset("-?:,[]{}#&*!|>'\"%@`=<")
_UNPRINTABLE: Final = re.compile(
    "[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LAST_LATIN_1: Final = 0xFF
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def kind(text: str) -> str:
    """Say what a YAML 1.1 reader might take a plain text for; "text" if for nothing else."""
    for name, pattern in _KINDS:
        if pattern.match(text):
            return name
    return "text"


def plain_syntax(text: str, *, flow: bool) -> bool:
    """Say whether a text can stand without quotes on one line as far as syntax goes."""
    if not text or text != text.strip() or "\n" in text or _UNPRINTABLE.search(text):
        return False
    if text[0] in _UNSAFE_FIRST and not (text[0] in "-?:" and len(text) > 1 and text[1].isalnum()):
        return False
    if ": " in text or " #" in text or text.endswith(":") or text.startswith(("---", "...")):
        return False
    return not (flow and re.search(r"[,\[\]{}?]|:[\"']", text))


def scalar(value: Value, *, quote: Quote = "'", flow: bool = False, like: str = "", dates: bool = False) -> str:
    """Write a scalar on one line.

    ``like`` is the plain text it replaces: a text of the same kind (a date for a date) stays plain. With
    ``dates``, a day of the calendar stays plain wherever it is new.
    """
    if isinstance(value, str):
        dumps(value)  # refuses what has no UTF-8 form
        kinds = {"text", kind(like)} if like else {"text"}
        known = kind(value) in kinds or (dates and not like and is_day(value))
        plain = known and plain_syntax(value, flow=flow) and _resolves_to_text(value)
        return value if plain else quoted(value, quote)
    if isinstance(value, Decimal):
        text = number_text(value)
        return re.sub(r"\A(-?\d+)E", r"\1.0E", text)
    return dumps(value).decode()


def _resolves_to_text(text: str) -> bool:
    try:
        return isinstance(resolve(text), str)
    except ValueError:
        return False


def quoted(text: str, quote: Quote) -> str:
    """Put a text in quotes on one line: in the wanted ones if they can hold it."""
    if quote == "'" and "\n" not in text and not _UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + re.sub(_UNPRINTABLE.pattern + '|[\\\\"\n]', _escaped, text) + '"'


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    code = ord(char)
    if char in _ESCAPES:
        return _ESCAPES[char]
    return f"\\x{code:02x}" if code <= _LAST_LATIN_1 else f"\\u{code:04x}"


def wrapped(written: str, column: int, indent: str, newline: str) -> str:
    """Break a plain or quoted scalar at single spaces, the first line beginning at ``column``.

    The result means the same; words that are longer than a line stay whole.
    """
    lines = [""]
    begin = column
    words = re.split(r"(?<=[^ \\]) (?=[^ ])", written)
    for number, word in enumerate(words):
        if number == 0:
            lines[-1] = word
        elif begin + len(lines[-1]) > WIDTH and not _at_edge(words, number):
            lines.append(word)
            begin = len(indent)
        else:
            lines[-1] += " " + word
    return f"{newline}{indent}".join(lines)


def rewrapped(written: str, old: str, column: int, newline: str) -> str:
    """Break a scalar that replaces ``old``, which has several lines: lines that are the same stay lines."""
    lines = [line.strip() for line in old.split("\n")]
    indent = next((line[: len(line) - len(line.lstrip())] for line in old.split("\n")[1:] if line.strip()), "")
    head: list[str] = []
    for line in lines[:-1]:
        if not line or not written.startswith(line + " ") or written.startswith(line + "  "):
            break
        head.append(line)
        written = written[len(line) + 1 :]
    tail: list[str] = []
    for line in reversed(lines[len(head) + 1 :]):
        if not line or not written.endswith(" " + line) or written.endswith("  " + line):
            break
        tail.insert(0, line)
        written = written[: -len(line) - 1]
    middle = wrapped(written, len(indent) if head else column, indent, newline)
    return f"{newline}{indent}".join([*head, middle, *tail])


def _at_edge(words: list[str], number: int) -> bool:
    """Say whether a break here stands next to a quote mark, where it would lose a space that is content."""
    return words[number - 1] in {"'", '"'} or (number == len(words) - 1 and words[number] in {"'", '"'})


def literal(text: str, indent: str, newline: str, old: str = "|") -> str | None:
    """Write a text as a block scalar (``|`` or ``>``), its lines at ``indent``; None if that cannot hold it.

    ``old`` is the block scalar it replaces: it gives the style, and a folded one also the line breaks.
    """
    body = text.rstrip("\n")
    ending = len(text) - len(body)
    if not body or body[0] in " \t\n" or _UNPRINTABLE.search(text.replace("\t", "")) or ending > 1:
        return None
    lines = body.split("\n")
    if old[0] == ">":
        if any(line[:1] in {" ", "\t"} for line in lines):
            return None
        lines = _folded(lines, old, len(indent))
    chomp = "" if ending else "-"
    return newline.join([old[0] + chomp, *(indent + line if line else "" for line in lines)])


def _folded(lines: list[str], old: str, column: int) -> list[str]:
    """Give the lines that fold to ``lines``; each paragraph keeps what it can of the breaks it had."""
    paragraphs = [found.strip("\n") for found in re.split(r"\n\s*\n", old.replace("\r", "").partition("\n")[2])]
    result: list[str] = []
    number = 0
    for line in lines:
        if line:
            before = paragraphs[number] if number < len(paragraphs) else ""
            result += [part.strip() for part in rewrapped(line, before, column, "\n").split("\n")]
            number += 1
        result.append("")
    return result[:-1]
