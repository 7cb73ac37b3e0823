"""Commits as bytes. Pure: the same parts give the same bytes, hence the same name."""

import re
from dataclasses import dataclass
from typing import Final

from services.core.errors import FieldViolation, InvalidInputError

_CRUD: Final = " .,:;<>\"\\'"
_FORBIDDEN: Final = re.compile(r"[<>\x00-\x1f\x7f]")
_PERSON: Final = re.compile(rb"(.*?) ?<([^>]*)>(?: (-?\d+))?")
_MAX_TIME: Final = 1 << 40


@dataclass(frozen=True)
class Person:
    """Somebody as Git names one."""

    name: str
    email: str


@dataclass(frozen=True)
class Commit:
    """One commit. ``time`` is the author's, seconds since the epoch."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    time: int
    message: str


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


def write(tree: str, parents: list[str], author: Person, committer: Person, time: int, message: str) -> bytes:
    """Give the content of a commit with both dates at ``time``, UTC; for a bad time InvalidInputError."""
    if not 0 <= time < _MAX_TIME or "\0" in message:
        raise InvalidInputError("the commit's time or message is out of range", remedy="give seconds since the epoch")
    lines = [
        f"tree {tree}",
        *(f"parent {parent}" for parent in parents),
        f"author {author.name} <{author.email}> {time} +0000",
        f"committer {committer.name} <{committer.email}> {time} +0000",
        "",
        message,
    ]
    return "\n".join(lines).encode("utf-8", "replace")


def read(oid: str, data: bytes) -> Commit:
    """Give the parts of a commit's content; what is no UTF-8 is replaced."""
    head, _, message = data.partition(b"\n\n")
    headers: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        headers.setdefault(key, []).append(value)
    encoding = headers.get(b"encoding", [b"utf-8"])[0].decode("ascii", "replace")
    found = _PERSON.match(headers.get(b"author", [b""])[0])
    name, email, time = found.groups() if found else (b"", b"", b"0")
    return Commit(
        oid=oid,
        tree=headers.get(b"tree", [b""])[0].decode("ascii", "replace"),
        parents=tuple(parent.decode("ascii", "replace") for parent in headers.get(b"parent", [])),
        author=Person(_text(name, encoding), _text(email, encoding)),
        time=int(time or b"0"),
        message=_text(message, encoding),
    )


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
