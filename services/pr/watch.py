"""What becomes of an open pull request: merged when the target branch holds the content, closed otherwise."""

from dataclasses import dataclass
from typing import Any, Final

import structlog

from services.core.errors import LockstepError, NotFoundError
from services.core.publication.body import generated_body
from services.core.publication.markers import replace_between_markers
from services.forges.models import PullRequest
from services.pr.forge_port import PlainPullRequests
from services.pr.model import Intent, Publication, State
from services.pr.ports import PullRequests
from services.pr.steps import Parts
from services.runtime.jobs import Job

log = structlog.get_logger(__name__)

# A forge may call a pull request merged a moment before its Git side shows the commit.
MERGE_GRACE_SECONDS: Final = 60


@dataclass(frozen=True)
class Watching:
    """How to watch."""

    grace_seconds: int = MERGE_GRACE_SECONDS


def watch(parts: Parts, publication: Publication, job: Job | None, watching: Watching) -> Publication:
    """Ask the forge and the target branch once; settle what is settled."""
    try:
        pull_requests = parts.pull_requests(publication)
    except NotFoundError as error:
        return parts.store.settle(publication, State.CLOSED, job, f"the workspace is gone ({error.message})")
    publication = parts.store.begin_look(publication)
    seen = pull_requests.read_pull_request(publication.pr_number)
    publication = _note(parts, publication, job, seen)
    # The pull request first: what it calls merged is then in what the import fetches.
    parts.sync.run_import(publication)
    merged = parts.sync.merged(publication)
    if len(merged) > publication.merged_count:
        publication = parts.store.set_merged(publication, merged, job)
    if publication.merged_count == publication.records_count:
        parts.checkpoint("settle:before")
        _tidy(parts, publication, pull_requests, seen)
        # There is nothing to give back; sync is told that the publication is over.
        return release(parts, publication, job, State.MERGED)
    if seen.state == "closed":
        return release(parts, publication, job, State.CLOSED)
    if seen.state == "merged":
        # On plain Git it was our own push that merged it: nothing is still on its way.
        grace = 0 if isinstance(pull_requests, PlainPullRequests) else watching.grace_seconds
        return _merged_without_all(parts, publication, job, grace)
    return _write_text(parts, publication, job, pull_requests)


def release(parts: Parts, publication: Publication, job: Job | None, state: State, error: str = "") -> Publication:
    """Give the records that are not merged back as pending, and settle the publication."""
    parts.checkpoint("release:before")
    parts.sync.release(publication)
    parts.checkpoint("release:after")
    return parts.store.settle(publication, state, job, error)


def delete_own_branch(parts: Parts, publication: Publication) -> None:
    """Delete the publication's branch while it holds only our commit; a branch left over does no harm."""
    if not publication.commit_oid:
        return
    try:
        parts.git.delete_branch(publication)
    except LockstepError as error:
        log.info("branch left", publication=publication.id, branch=publication.branch, reason=error.reason)


def _note(parts: Parts, publication: Publication, job: Job | None, seen: PullRequest) -> Publication:
    """Take over what reviewers made of title and body, and since when it is merged."""
    values: dict[str, Any] = {"title": seen.title, "body": seen.body, "pr_url": seen.url}
    if seen.state == "merged":
        values["merge_oid"] = seen.merge_commit_oid
        values["forge_merged_at"] = publication.forge_merged_at or parts.store.now()
    if publication.intent is Intent.GO_ON:
        values |= {"error": "", "needs_person": False}
    if all(getattr(publication, name) == value for name, value in values.items()):
        return publication
    return parts.store.note(publication, job, **values)


def _tidy(parts: Parts, publication: Publication, pull_requests: PullRequests, seen: PullRequest) -> None:
    """Close what the merged content has made superfluous."""
    if seen.state == "open" and isinstance(pull_requests, PlainPullRequests):
        pull_requests.merged(seen.number, "")
    elif seen.state == "open" and seen.head_oid == publication.commit_oid:
        pull_requests.close_pull_request(seen.number)
    if isinstance(pull_requests, PlainPullRequests):
        delete_own_branch(parts, publication)


def _merged_without_all(parts: Parts, publication: Publication, job: Job | None, grace_seconds: int) -> Publication:
    if parts.store.now() - publication.forge_merged_at < grace_seconds:
        return publication
    count, total = publication.merged_count, publication.records_count
    why = (
        f"the pull request was merged, and the target branch holds {count} of {total} records as they were "
        "published; the others are pending again where they differ"
    )
    return release(parts, publication, job, State.MERGED if count else State.CLOSED, why)


def _write_text(
    parts: Parts,
    publication: Publication,
    job: Job | None,
    pull_requests: PullRequests,
) -> Publication:
    """Rewrite the generated part of the body when the records have come further."""
    records = [item.published() for item in parts.store.items(publication)]
    generated = generated_body(publication.id, records, publication.override)
    if generated == publication.generated:
        return publication
    # The import took its time; what a reviewer has written meanwhile is to stay.
    seen = pull_requests.read_pull_request(publication.pr_number)
    body = replace_between_markers(seen.body, generated)
    pull_requests.update_pull_request(seen.number, title=seen.title, body=body)
    return parts.store.advance(publication, job, title=seen.title, body=body, generated=generated)
