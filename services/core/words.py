"""The words of a record and of a search. Pure, so that both databases find the same.

Text is compared without regard to case, accents and compatibility forms. A word is a run of letters, digits and
underscores; each character of Chinese, Japanese and Korean writing is a word of its own.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from services.core.errors import InvalidInputError
from services.core.values import Value, number_text

# Longer ones are cut, in records and in searches alike: they are encoded data, not words.
MAX_WORD: Final = 100
# PostgreSQL keeps at most 1 MiB of words for a record; what lies beyond is not found by its words.
MAX_WORDS_BYTES: Final = 900_000
MAX_TERMS: Final = 32
_SINGLE: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD: Final = re.compile(rf"[{_SINGLE}]|[^\W{_SINGLE}]+")
_TERM: Final = re.compile(rf"({_WORD.pattern})(\*?)")
# Of bytes: what is no part of an ASCII word becomes a space; bytes of other characters stay.
_ASCII_WORDS: Final = bytes(n if n > 0x7F or chr(n).isalnum() or chr(n) == "_" else 32 for n in range(256))  # noqa: PLR2004
_READER: Final = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True)
class Term:
    """A word that has to occur; with ``prefix`` any word that begins so."""

    word: str
    prefix: bool = False


def read(content: bytes | str) -> Value:
    """Read a record's canonical content quickly: whole numbers beyond 64 bits come as ``Decimal``."""
    value: Value = _READER.decode(content)
    return value


def words_of(record_id: str, content: str) -> list[str]:
    """Give each word of a record once: of its id, its texts and its numbers, not of the names of its fields."""
    texts = [record_id]
    _gather(read(content), texts)
    folded = _fold("\n".join(texts)).encode()
    found: dict[str, None] = {}
    # Most words are ASCII, and there is no need to look at one that is there twice.
    for piece in dict.fromkeys(folded.translate(_ASCII_WORDS).split()):
        if piece.isascii():
            found[piece[:MAX_WORD].decode()] = None
        else:
            found |= dict.fromkeys(word[:MAX_WORD] for word in _WORD.findall(piece.decode()))
    return list(found) if len(folded) <= MAX_WORDS_BYTES else _within_limit(found)


def terms_of(query: str) -> list[Term]:
    """Give the words of a search; raise InvalidInputError where there are none, or too many."""
    found = dict.fromkeys(Term(word[:MAX_WORD], bool(star)) for word, star in _TERM.findall(_fold(query)))
    if not found:
        raise InvalidInputError("the search has no word in it", remedy="search for letters or digits, as in flood*")
    if len(found) > MAX_TERMS:
        raise InvalidInputError(f"the search has {len(found)} words", remedy=f"give at most {MAX_TERMS}")
    return list(found)


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    # Taken apart to lose its accents, and put together again for scripts whose letters are made of parts.
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c))).casefold()


def _gather(value: Value, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        for item in value.values():
            _gather(item, texts)
    elif isinstance(value, list):
        for item in value:
            _gather(item, texts)
    elif isinstance(value, Decimal):
        texts.append(number_text(value))
    elif value is not None and not isinstance(value, bool):
        texts.append(str(value))


def _within_limit(words: Iterable[str]) -> list[str]:
    left = MAX_WORDS_BYTES
    kept = []
    for word in words:
        left -= len(word.encode())
        if left < 0:
            break
        kept.append(word)
    return kept
