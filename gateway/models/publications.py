"""Records on their way to the target branch."""

from typing import Literal

from pydantic import Field

from gateway.models.base import Answer, Request


class PublicationItem(Answer):
    """One record of a publication. ``merged_at`` 0 before the target branch holds it."""

    record: str
    collection: str
    revision: int
    path: str
    action: str
    blob: str
    merged_at: int
    title: str
    # How far its review had come; empty where none was asked for.
    review: str


class Publication(Answer):
    """Records on their way to the target branch. ``body`` and ``items`` are filled in for one, not in lists."""

    id: str
    workspace_id: str
    state: Literal["requested", "planned", "committed", "pushed", "opened", "merged", "closed", "failed"]
    branch: str
    base: str
    commit: str
    pr_number: int
    pr_url: str
    title: str
    body: str
    events_count: int
    merged_count: int
    created_by: str
    created_at: int
    updated_at: int
    error: str
    items: list[PublicationItem]
    # Why records that were not validated are in it too; empty when none is.
    review_override: str
    # Ids of pending records that were left out because they are not validated.
    awaiting_review: list[str]


class PublicationPage(Answer):
    """Publications, newest first."""

    publications: list[Publication]
    next_page: str


class NewPublication(Request):
    """What to publish; all pending records when ``records`` is empty.

    Records that are not validated, where that is asked for, go along only with a reason to override the review.
    """

    records: list[str] = Field(default_factory=list)
    title: str = ""
    description: str = ""
    override_review: str = ""
    # Name of a plan, COMMIT@REVISION: refused (409, PLAN_MOVED) when the target branch or the database moved since.
    plan: str = ""


class Merged(Answer):
    """A merged publication and its merge commit."""

    publication: Publication
    merge_commit: str
