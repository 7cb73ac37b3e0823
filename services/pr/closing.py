"""Ends publications that will not be merged: closed by a person, failed, or never begun."""

import structlog

from services.core.errors import LockstepError, StateError
from services.pr.model import Publication, State
from services.pr.steps import Parts
from services.pr.watch import delete_own_branch, release
from services.runtime.jobs import Job

log = structlog.get_logger(__name__)


def close(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    """Close the pull request, delete the branch while it is only ours, and give the records back."""
    parts.checkpoint("close:before")
    if publication.state is State.OPENED:
        pull_requests = parts.pull_requests(publication)
        seen = pull_requests.read_pull_request(publication.pr_number)
        if seen.state == "merged":
            raise StateError(
                f"the pull request {seen.number} is merged already",
                remedy="nothing is to be closed; its records follow with the next import",
            )
        if seen.state == "open":
            pull_requests.close_pull_request(seen.number)
        parts.checkpoint("close:after")
    else:
        _close_unrecorded(parts, publication)
    delete_own_branch(parts, publication)
    return release(parts, publication, job, State.CLOSED)


def fail(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    """Undo what an impossible publication has left outside, and give its records back."""
    _close_unrecorded(parts, publication)
    delete_own_branch(parts, publication)
    return release(parts, publication, job, State.FAILED, publication.error)


def discard(parts: Parts, publication: Publication) -> None:
    """Remove a publication whose request was refused, as if it had never been."""
    parts.sync.release(publication)
    parts.store.forget(publication)


def _close_unrecorded(parts: Parts, publication: Publication) -> None:
    """Close a pull request that was opened and whose number was not recorded."""
    if publication.state is not State.PUSHED:
        return
    try:
        pull_requests = parts.pull_requests(publication)
        found = pull_requests.find_pull_request(publication.branch)
        if found is not None and found.state == "open":
            pull_requests.close_pull_request(found.number)
    except LockstepError as error:
        log.info("no pull request closed", publication=publication.id, reason=error.reason)
