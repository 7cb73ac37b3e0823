"""Records, their versions, and what rules find wrong."""

from typing import Any

from pydantic import Field

from gateway.models.base import Answer, Request, SyncStateName


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


class RecordPage(Answer):
    """A page of records. ``total`` is given on the first page."""

    records: list[Record]
    total: int
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


class Revision(Answer):
    """One version of a record."""

    revision: int
    reason: str
    author: str
    time: int
    changed: list[str]
    content: dict[str, Any] | None


class RevisionPage(Answer):
    """Versions, newest first."""

    revisions: list[Revision]
    next_page: str


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


class ValidationRequest(Request):
    """Which records to look at; all when empty."""

    collection: str = ""
    records: list[str] = Field(default_factory=list)
