"""The steps from a request to an open pull request.

Each step asks first whether it has already happened outside, then does it, then records it. Killed at any
point, it is done again and finds what is there: one branch, one commit, one pull request.
"""

from dataclasses import dataclass
from typing import Final

from services.core.errors import AlreadyExistsError, StateError
from services.core.publication.body import generated_body
from services.core.publication.content import Author, authors_of
from services.core.publication.escape import one_line
from services.core.publication.markers import with_markers
from services.core.publication.message import commit_message
from services.core.publication.title import branch_of, title_of
from services.forges.models import PullRequest
from services.pr.git_client import PUSH, GitClient
from services.pr.model import Publication, State
from services.pr.ports import Checkpoint, Connect, Place, PullRequests, Workspaces
from services.pr.store import Store
from services.pr.sync_client import SyncClient
from services.runtime.jobs import Job

_TITLE_LIMIT: Final = 250
_CALM: Final = {"error": "", "needs_person": False}


@dataclass(frozen=True)
class Parts:
    """What the steps are made of."""

    store: Store
    git: GitClient
    sync: SyncClient
    workspaces: Workspaces
    connect: Connect
    checkpoint: Checkpoint

    def place(self, publication: Publication) -> Place:
        """Give where the publication's workspace lives."""
        return self.workspaces.resolve(publication.tenant_id, publication.workspace_id)

    def pull_requests(self, publication: Publication) -> PullRequests:
        """Give the pull requests of the publication's workspace."""
        return self.connect(self.place(publication), publication)


def reserve(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    """Set the records aside and fix what their files shall hold: requested to planned."""
    parts.checkpoint("reserve:before")
    reserved = parts.sync.reserve(publication)
    parts.checkpoint("reserve:after")
    records = [item.published() for item in reserved.items]
    title = wanted_title(publication) or title_of(records)
    generated = generated_body(publication.id, records, publication.override)
    return parts.store.plan(
        publication,
        reserved.items,
        job,
        base_oid=reserved.base_oid,
        title=title,
        body=with_markers(publication.description, generated),
        generated=generated,
        branch=branch_of(publication.id, title),
        records_count=len(reserved.items),
        awaiting_review=reserved.awaiting_review,
        **_CALM,
    )


def wanted_title(publication: Publication) -> str:
    """Give the title that was asked for, in one line; empty when none was."""
    return one_line(publication.wanted_title, _TITLE_LIMIT)


def commit(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    """Build the commit in the mirror: planned to committed."""
    parts.checkpoint("commit:before")
    oid, blobs = build(parts, publication)
    parts.checkpoint("commit:after")
    parts.store.set_blobs(publication, blobs)
    return parts.store.advance(publication, job, state=State.COMMITTED, commit_oid=oid, **_CALM)


def build(parts: Parts, publication: Publication) -> tuple[str, dict[int, str]]:
    """Build the publication's commit, or build it again in a new mirror: it is the same one."""
    items = parts.store.items(publication, content=True)
    authors = authors_of(item.published() for item in items)
    author, others = _author(publication, authors)
    message = commit_message(
        title=publication.title,
        description=publication.description,
        publication_id=publication.id,
        author=author,
        others=others,
    )
    return parts.git.commit(publication, items, author, message)


def push(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    """Put the branch on the remote, where it must not be yet: committed to pushed."""
    head = parts.git.head(publication, PUSH, publication.branch)
    if not head:
        parts.checkpoint("push:before")
        publication = _push_new(parts, publication, job)
        parts.checkpoint("push:after")
    elif head != publication.commit_oid and not _taken_in(parts, publication, head):
        raise StateError(
            f"the branch {publication.branch} is on the remote already, at {head[:12]}",
            remedy="delete that branch and publish again",
            reason="BRANCH_TAKEN",
            metadata={"branch": publication.branch, "oid": head},
        )
    return parts.store.advance(publication, job, state=State.PUSHED, **_CALM)


def open_pull_request(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    """Find the branch's pull request, or open one: pushed to opened."""
    place = parts.place(publication)
    pull_requests = parts.connect(place, publication)
    found = pull_requests.find_pull_request(publication.branch)
    if found is None:
        parts.checkpoint("open:before")
        found = _create(pull_requests, publication, place)
        parts.checkpoint("open:after")
    values = {"pr_number": found.number, "pr_url": found.url, **_CALM}
    return parts.store.advance(publication, job, state=State.OPENED, **values)


def _create(pull_requests: PullRequests, publication: Publication, place: Place) -> PullRequest:
    try:
        return pull_requests.create_pull_request(
            head_branch=publication.branch,
            base_branch=place.branch,
            title=publication.title,
            body=publication.body,
        )
    except AlreadyExistsError:
        found = pull_requests.find_pull_request(publication.branch)
        if found is None:
            raise
        return found


def _push_new(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    try:
        parts.git.push(publication, PUSH, publication.branch, new=publication.commit_oid, old="")
    except StateError as error:
        if error.reason != "UNKNOWN_COMMIT":
            raise
        oid, _ = build(parts, publication)
        if oid != publication.commit_oid:
            # Commits are signed with another key by now. The first one is nowhere: the branch is not there yet.
            publication = parts.store.advance(publication, job, commit_oid=oid)
        parts.git.push(publication, PUSH, publication.branch, new=oid, old="")
    return publication


def _taken_in(parts: Parts, publication: Publication, head: str) -> bool:
    """Say whether somebody's commits on our branch stand on ours."""
    try:
        return parts.git.descends(publication, head)
    except StateError:
        return False


def _author(publication: Publication, authors: list[Author]) -> tuple[Author, list[Author]]:
    """Give the first who edited, else who asks; and the others."""
    if not authors:
        return publication.creator, []
    return authors[0], authors[1:]
