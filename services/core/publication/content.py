"""What the text of a publication is written from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["create", "update", "rename", "delete"]
# How far a record's review had come when it was published; empty where its collection asks for none.
ReviewName: TypeAlias = Literal["", "unreviewed", "reserved", "validated", "rejected"]


@dataclass(frozen=True)
class Author:
    """A person as Git names one."""

    name: str
    email: str


@dataclass(frozen=True)
class Remark:
    """One thing that a rule found wrong in one field of a record; ``error`` is false for mere quality."""

    pointer: str
    rule: str
    message: str
    error: bool


@dataclass(frozen=True)
class Override:
    """Who had records published that are not validated, and why."""

    by: str
    reason: str


@dataclass(frozen=True)
class PublishedRecord:
    """One record of a publication. ``quality`` is from 0 to 10, None where there are no rules."""

    record_id: str
    collection: str
    action: Action
    title: str
    date: str = ""
    changed: tuple[str, ...] = ()
    quality: float | None = None
    remarks: tuple[Remark, ...] = ()
    authors: tuple[Author, ...] = ()
    conflicts_settled: int = 0
    merged: bool = False
    review: ReviewName = ""


def authors_of(records: Iterable[PublishedRecord]) -> list[Author]:
    """Give everybody who edited, in order of appearance, each e-mail address once."""
    found: dict[str, Author] = {}
    for record in records:
        for author in record.authors:
            found.setdefault(author.email.casefold(), author)
    return list(found.values())


def date_range(records: Sequence[PublishedRecord]) -> str:
    """Give "2019-01-02 to 2024-05-06", one date when all are equal, and nothing when a record has none.

    Only calendar dates count (ISO 8601, the first ten characters); others have no order to speak of.
    """
    dates = sorted(record.date[:10] for record in records if _is_date(record.date[:10]))
    if not dates or len(dates) < len(records):
        return ""
    return dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"


def _is_date(text: str) -> bool:
    parts = text.split("-")
    shape = [len(part) for part in parts] == [4, 2, 2]
    return shape and text.isascii() and all(part.isdigit() for part in parts)
