"""Imports, how a workspace stands, and what waits for a person."""

from typing import Any, Literal

from gateway.models.base import Answer, Request
from gateway.models.records import Record


class ImportRequest(Request):
    """How to import: ``plan`` only says what would be done; ``confirm_deletes`` goes on past the brake."""

    plan: bool = False
    confirm_deletes: bool = False


class Counts(Answer):
    """What an import did, in files and records."""

    files: int
    imported: int
    updated: int
    deleted: int
    renamed: int
    unchanged: int
    conflicts: int
    quarantined: int
    excluded: int


class Run(Answer):
    """One import."""

    id: str
    kind: str
    state: Literal["running", "succeeded", "failed", "planned"]
    commit: str
    old_commit: str
    counts: Counts
    error: str
    started_by: str
    started_at: int
    finished_at: int


class RunPage(Answer):
    """Runs, newest first."""

    runs: list[Run]
    next_page: str


class Status(Answer):
    """Whether database and Git are in step; the remote was asked for this answer."""

    in_sync: bool
    remote_commit: str
    imported_commit: str
    commits_behind: int | None
    pending: int
    proposed: int
    conflicts: int
    quarantined: int
    records: int
    last_sync: int | None
    open_pull_requests: int


class Conflict(Answer):
    """A field that changed differently. A side that is absent has no value: its ``has_…`` is false."""

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


class ConflictPage(Answer):
    """Conflicts, oldest first."""

    conflicts: list[Conflict]
    next_page: str


class Resolution(Request):
    """How to settle a conflict: a side, or a value."""

    take: Literal["ours", "theirs"] | None = None
    value: Any = None


class Resolved(Answer):
    """A settled conflict and its record as it is now."""

    conflict: Conflict
    record: Record


class QuarantinedFile(Answer):
    """A file that could not become a record. ``line`` 0 where it means nothing."""

    path: str
    collection: str
    rule: str
    line: int
    column: int
    pointer: str
    message: str
    blob: str
    other_paths: list[str]


class QuarantinePage(Answer):
    """Files by path. ``total`` is given on the first page."""

    files: list[QuarantinedFile]
    total: int
    next_page: str
