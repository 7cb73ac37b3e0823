"""Records, their versions, and what rules find wrong."""

from typing import Any

from pydantic import Field

from gateway.models.base import Answer, Request, SyncStateName
from gateway.models.reviews import Review


class Record(Answer):
    """One document. ``content`` is null in lists unless asked for; ``quality`` is null without rules."""

    id: str
    collection: str
    path: str
    title: str
    revision: int
    state: SyncStateName
    deleted: bool
    quality: float | None
    publication_id: str
    base_blob: str
    file_quarantined: bool
    updated_by: str
    updated_at: int
    content: dict[str, Any] | None = None
    base: dict[str, Any] | None = None
    # Null where the collection asks for no review.
    review: Review | None = None
    # What keeps quality from being 10; in lists only where asked for.
    findings: list["Finding"] = Field(default_factory=list)


class RecordPage(Answer):
    """A page of records. ``total`` counts over all pages; null where it was not asked for and is not known anyway."""

    records: list[Record]
    total: int | None
    next_page: str


class NewRecord(Request):
    """A record to add. Its id is taken from the content's field ``id`` when empty."""

    content: dict[str, Any]
    collection: str = ""
    id: str = ""


class FieldEdit(Request):
    """One change: a new ``value``, or ``remove``."""

    pointer: str
    value: Any = None
    remove: bool = False


class RecordChange(Request):
    """Fields to change, or a whole new content. ``expected_revision`` 0 takes any."""

    edits: list[FieldEdit] = Field(default_factory=list)
    content: dict[str, Any] | None = None
    expected_revision: int = 0
    known_fields_only: bool = False
    collection: str = ""


class FieldChange(Answer):
    """What a version did to one field; ``was_there`` and ``is_there`` tell a field without value from null."""

    field: str
    before: Any
    after: Any
    was_there: bool
    is_there: bool


class Revision(Answer):
    """One version of a record: who made it, when, why, and what it changed."""

    revision: int
    reason: str
    author: str
    time: int
    changed: list[str]
    changes: list[FieldChange]
    content: dict[str, Any] | None


class RevisionPage(Answer):
    """Versions, newest first."""

    revisions: list[Revision]
    next_page: str


class LoadedLine(Answer):
    """What one line of a file does: ``create``, ``update`` or, with a ``message``, ``invalid``."""

    line: int
    action: str
    record: str
    collection: str
    changed: list[str]
    message: str


class RecordLoad(Answer):
    """What a file of records does, or would do; ``revision`` is that of the database before."""

    revision: int
    applied: bool
    created: int
    updated: int
    unchanged: int
    invalid: int
    lines: list[LoadedLine]


class Finding(Answer):
    """One thing that a schema or a rule finds wrong."""

    record: str
    pointer: str
    rule: str
    message: str
    error: bool


class Validation(Answer):
    """What the collections' schemas and rules find."""

    checked: int
    passed: int
    findings: list[Finding]
    # Of at most 1,000 records, by record id; empty where there are no rules.
    scores: list["Score"]


class ReviewPage(Answer):
    """Records to be reviewed, the most important first."""

    records: list[Record]
    next_page: str


class Score(Answer):
    """How good a record is by its collection's rules, from 0 to 10."""

    record: str
    collection: str
    quality: float


class ValidationRequest(Request):
    """Which records to look at; all when empty."""

    collection: str = ""
    records: list[str] = Field(default_factory=list)
