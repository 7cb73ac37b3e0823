"""Commits as bytes. Pure: the same parts give the same bytes, hence the same name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from services.core.errors import FieldViolation, InvalidInputError

Sign: TypeAlias = Callable[[bytes], str]

_CRUD: Final = " .,:;<>\"\\'"
_FORBIDDEN: Final = re.compile(r"[<>\x00-\x1f\x7f]")
_PERSON: Final = re.compile(rb"(.*?) ?<([^>]*)>(?: (-?\d+))?")
_MAX_TIME: Final = 1 << 40
_TIME_DIGITS: Final = 18
# Python's other codecs run code points through programs (punycode, unicode_escape) or refuse to replace.
_ENCODINGS: Final = re.compile(
    rb"(utf-?8|us-?ascii|latin-?[1-9]|iso-?8859-?[0-9]{1,2}|(windows-?|cp)-?125[0-8]|koi8-?[ru]"
    rb"|euc-?(jp|kr)|s(hift_?)?jis|iso-2022-jp|gbk|gb2312|gb18030|big5)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Person:
    """Somebody as Git names one."""

    name: str
    email: str


@dataclass(frozen=True)
class Commit:
    """One commit. ``time`` is the author's, ``commit_time`` the committer's, seconds since the epoch."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    time: int
    message: str
    committer: Person
    commit_time: int
    signed: bool


def person(name: str, email: str, field: str) -> Person:
    """Give a person whose name and address git takes; raise InvalidInputError when nothing is left of one."""
    clean = Person(_FORBIDDEN.sub("", name).strip(_CRUD), _FORBIDDEN.sub("", email).strip(_CRUD).replace(" ", ""))
    if not clean.name or not clean.email:
        raise InvalidInputError(
            f"{field}: a commit needs a name and an e-mail address",
            remedy="set both for the user",
            violations=[FieldViolation(field, "name and email must not be empty")],
        )
    return clean


def write(
    tree: str,
    parents: list[str],
    author: Person,
    committer: Person,
    time: int,
    message: str,
    *,
    author_time: int = 0,
    sign: Sign | None = None,
) -> bytes:
    """Give the content of a commit with both dates at ``time``, UTC; for a bad time InvalidInputError.

    ``author_time`` is for an author who was earlier. ``sign`` gives the signature of the content without it.
    """
    if not 0 <= time < _MAX_TIME or not 0 <= author_time < _MAX_TIME or "\0" in message:
        raise InvalidInputError("the commit's time or message is out of range", remedy="give seconds since the epoch")
    lines = [
        f"tree {tree}",
        *(f"parent {parent}" for parent in parents),
        f"author {author.name} <{author.email}> {author_time or time} +0000",
        f"committer {committer.name} <{committer.email}> {time} +0000",
    ]
    content = "\n".join([*lines, "", message]).encode("utf-8", "replace")
    if sign is None:
        return content
    # A header goes on in lines that begin with a blank.
    signature = "\n ".join(sign(content).rstrip("\n").split("\n"))
    return "\n".join([*lines, f"gpgsig {signature}", "", message]).encode("utf-8", "replace")


def read(oid: str, data: bytes) -> Commit:
    """Give the parts of a commit's content; what is no UTF-8 is replaced."""
    head, _, message = data.partition(b"\n\n")
    headers: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        headers.setdefault(key, []).append(value)
    named = headers.get(b"encoding", [b"utf-8"])[0]
    encoding = named.decode("ascii") if _ENCODINGS.match(named) else "utf-8"
    author, time = read_person(headers.get(b"author", [b""])[0], encoding)
    committer, commit_time = read_person(headers.get(b"committer", [b""])[0], encoding)
    return Commit(
        oid=oid,
        tree=headers.get(b"tree", [b""])[0].decode("ascii", "replace"),
        parents=tuple(parent.decode("ascii", "replace") for parent in headers.get(b"parent", [])),
        author=author,
        time=time,
        message=_text(message, encoding),
        committer=committer,
        commit_time=commit_time,
        signed=b"gpgsig" in headers,
    )


def read_person(line: bytes, encoding: str) -> tuple[Person, int]:
    """Give who and when from the line of a header; seconds since the epoch."""
    found = _PERSON.match(line)
    name, email, time = found.groups() if found else (b"", b"", b"0")
    return Person(_text(name, encoding), _text(email, encoding)), int((time or b"0")[:_TIME_DIGITS])


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
