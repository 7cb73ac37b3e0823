"""Imports, how a workspace stands, and what waits for a person."""

from typing import Any, Literal

from gateway.models.base import Answer, Request
from gateway.models.reviews import Polling


class ImportRequest(Request):
    """How to import: ``plan`` only says what would be done; ``confirm_deletes`` goes on past the brake.

    ``with_changes`` says it of each record. ``apply`` is the name of a plan, COMMIT@REVISION: what lands is what it
    said, or nothing.
    """

    plan: bool = False
    confirm_deletes: bool = False
    with_changes: bool = False
    apply: str = ""


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
    state: Literal["running", "succeeded", "failed", "planned", "undone"]
    commit: str
    old_commit: str
    counts: Counts
    error: str
    # What somebody should know of it, one sentence each.
    notes: list[str]
    started_by: str
    started_at: int
    finished_at: int


class PlannedField(Answer):
    """What an import would do to one field; of a field in conflict ``theirs`` is what Git says.

    ``field`` is empty for the whole record; ``absent`` names those of before, after and theirs that have no value.
    """

    field: str
    before: Any
    after: Any
    conflict: bool
    theirs: Any
    absent: list[str]


class PlannedChange(Answer):
    """What an import would do to a record, or to a file that is none (no ``record``)."""

    collection: str
    record: str
    kind: Literal["create", "update", "rename", "delete", "conflict", "quarantine", "leave-quarantine", "unchanged"]
    path: str
    old_path: str
    title: str
    fields: list[PlannedField]
    # How many more fields change; left out since they are long.
    fields_left_out: int
    rule: str
    message: str
    # The branch holds what an open publication made of the record.
    merged: bool


class ImportRun(Run):
    """An import that has just ended, or a plan of one: its name, and the first thousand changes."""

    revision: int
    # COMMIT@REVISION of a plan, to apply it by; empty for an import.
    plan: str
    changes: list[PlannedChange]
    changes_count: int


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
    polling: Polling


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


class QuarantinedText(QuarantinedFile):
    """The same with the text around its line, and the column as shown; no lines where none is marked."""

    excerpt: list[str]
    excerpt_line: int
    excerpt_column: int


class QuarantinePage(Answer):
    """Files by path. ``total`` is given on the first page."""

    files: list[QuarantinedFile]
    total: int
    next_page: str
