"""Conflicts, how they are settled, and what merges made of records."""

from typing import Any, Literal

from pydantic import Field

from gateway.models.base import Answer, Request
from gateway.models.records import Record

Take = Literal["ours", "theirs", "both"]
ConflictState = Literal["open", "ours", "theirs", "both", "value", "settled", "any"]


class Change(Answer):
    """Who changed something, and when; ``commit`` is empty for the database."""

    author: str
    time: int
    commit: str


class Conflict(Answer):
    """A field that changed differently. A side that is absent has no value: its ``has_…`` is false.

    ``field`` is a JSON pointer, empty for the whole record; an item of a list that merges by key is named by it, as
    in ``/sources/url=https:~1~1example.org/title``. Who changed the sides is said where one conflict is read.
    """

    id: str
    record: str
    collection: str
    field: str
    state: str
    base: Any
    ours: Any
    theirs: Any
    has_base: bool
    has_ours: bool
    has_theirs: bool
    run: str
    created_at: int
    resolved_by: str
    resolved_at: int
    ours_change: Change | None = None
    theirs_change: Change | None = None


class ConflictPage(Answer):
    """Conflicts, oldest first. ``total`` is given on the first page."""

    conflicts: list[Conflict]
    total: int
    next_page: str


class Resolution(Request):
    """How to settle a conflict: a side, both (lists, and text of several lines), or a value."""

    take: Take | None = None
    value: Any = None


class Resolved(Answer):
    """A settled conflict, or one that is open again, and its record as it is now."""

    conflict: Conflict
    record: Record


class ConflictFilter(Request):
    """Which open conflicts: those for which all that is set holds. What lies in ``field`` counts too."""

    collection: str = ""
    record: str = ""
    field: str = ""
    whole_record: bool = False


class Resolutions(Request):
    """How to settle many conflicts alike: those with these ids, or those of a filter (all when it is empty).

    ``count_only`` settles nothing and says how many there are; ``expected`` refuses when there are not that many.
    """

    conflicts: list[str] = Field(default_factory=list)
    filter: ConflictFilter | None = None
    take: Take | None = None
    value: Any = None
    count_only: bool = False
    expected: int = 0


class Unresolved(Answer):
    """A conflict that stays open, and why."""

    id: str
    record: str
    field: str
    message: str


class ManyResolved(Answer):
    """How many conflicts were meant and settled; ``unresolved`` are those that could not be, at most 100."""

    matched: int
    settled: int
    unresolved: list[Unresolved]


class MergedField(Answer):
    """What a merge made of one field.

    ``verdict`` is "ours" or "theirs" where only that side had changed it, "alike" where both had done the same,
    "combined" where the result holds what both did, "conflict" where a person has to decide. Who changed a side is
    null where that side did not.
    """

    field: str
    verdict: Literal["ours", "theirs", "alike", "combined", "conflict"]
    base: Any
    ours: Any
    theirs: Any
    result: Any
    has_base: bool
    has_ours: bool
    has_theirs: bool
    has_result: bool
    ours_change: Change | None
    theirs_change: Change | None


class Merge(Answer):
    """What an import made of a record with edits of its own: the files are empty where there was or is none."""

    run: str
    commit: str
    revision: int
    time: int
    old_path: str
    path: str
    fields: list[MergedField]
