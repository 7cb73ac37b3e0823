"""A publication as pr keeps it: where it stands, and what is to become of it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from services.core.publication.content import Action, Author, Override, PublishedRecord, Remark, ReviewName


class State(StrEnum):
    """How far a publication has come. Equal to ``pr.v1.PublicationState``."""

    REQUESTED = "requested"
    PLANNED = "planned"
    COMMITTED = "committed"
    PUSHED = "pushed"
    OPENED = "opened"
    MERGED = "merged"
    CLOSED = "closed"
    FAILED = "failed"


SETTLED: Final = frozenset({State.MERGED, State.CLOSED, State.FAILED})


class Intent(StrEnum):
    """What the next steps are to lead to, other than the next state."""

    GO_ON = ""
    DISCARD = "discard"
    FAIL = "fail"
    CLOSE = "close"
    MERGE = "merge"


@dataclass(frozen=True)
class Publication:
    """One row; field names are the columns of ``tables.publications``."""

    tenant_id: str
    id: str
    workspace_id: str
    state: State
    intent: Intent
    request_id: str | None
    record_ids: tuple[str, ...]
    wanted_title: str
    description: str
    created_by: str
    creator_name: str
    creator_email: str
    created_at: int
    updated_at: int
    title: str = ""
    body: str = ""
    generated: str = ""
    branch: str = ""
    base_oid: str = ""
    commit_oid: str = ""
    pr_number: int = 0
    pr_url: str = ""
    records_count: int = 0
    merged_count: int = 0
    forge_merged_at: int = 0
    # Counts looks at the forge; says nothing of the publication itself.
    looks: int = field(default=0, compare=False)
    merger_name: str = ""
    merger_email: str = ""
    merge_time: int = 0
    merge_oid: str = ""
    # Why records that are not validated are published too; and the ids of those that were left out for that.
    review_override: str = ""
    awaiting_review: tuple[str, ...] = ()
    # The revision of the records' database that it was planned for; 0 where there was no plan.
    expected_revision: int = 0
    error: str = ""
    needs_person: bool = False

    @property
    def creator(self) -> Author:
        """Give who asked for it, as Git names a person."""
        return Author(self.creator_name, self.creator_email)

    @property
    def merger(self) -> Author:
        """Give who merges it."""
        return Author(self.merger_name, self.merger_email)

    @property
    def override(self) -> Override | None:
        """Give who had records published that are not validated, and why; None where nobody had."""
        return Override(self.creator_name, self.review_override) if self.review_override else None

    def asked_like(self, other: "Publication") -> bool:
        """Say whether both were asked for in the same words."""
        return self.asked == other.asked

    @property
    def asked(self) -> tuple[object, ...]:
        """Give what was asked for, and by whom."""
        words = (self.wanted_title, self.description, self.review_override, self.expected_revision)
        return self.workspace_id, self.record_ids, *words, self.created_by

    @property
    def settled(self) -> bool:
        """Say whether nothing more will happen to it."""
        return self.state in SETTLED


@dataclass(frozen=True)
class Item:
    """One record of a publication; ``content`` is None for a deletion, and once all is settled."""

    record_key: int
    record_id: str
    collection: str
    revision: int
    path: bytes
    old_path: bytes
    action: Action
    content: bytes | None
    title: str
    date: str
    changed: tuple[str, ...]
    quality: float | None
    remarks: tuple[Remark, ...]
    authors: tuple[Author, ...]
    conflicts_settled: int
    blob_oid: str = ""
    merged_at: int = 0
    # How far its review had come; empty where none was asked for.
    review: ReviewName = ""

    def published(self) -> PublishedRecord:
        """Give what the text of the pull request is written from."""
        return PublishedRecord(
            record_id=self.record_id,
            collection=self.collection,
            action=self.action,
            title=self.title,
            date=self.date,
            changed=self.changed,
            quality=self.quality,
            remarks=self.remarks,
            authors=self.authors,
            conflicts_settled=self.conflicts_settled,
            merged=self.merged_at > 0,
            review=self.review,
        )
