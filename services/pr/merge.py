"""Merges a publication on a remote that has no merge button of its own."""

from typing import Final

from services.core.errors import LockstepError, MovedError, StateError
from services.core.publication.message import merge_message
from services.pr.forge_port import PlainPullRequests
from services.pr.git_client import PUSH, TARGET
from services.pr.model import Intent, Publication
from services.pr.ports import Place
from services.pr.steps import Parts, build
from services.runtime.jobs import Job

# Others may push to the target branch between our look at it and our push.
_TRIES: Final = 5


def merge(parts: Parts, publication: Publication, job: Job | None) -> Publication:
    """Merge the publication's branch into the target branch; what follows from it is ``watch``'s.

    Who merges and when are in the row, so that the same merge has one name however often it is begun.
    Raises StateError (reason MERGE_CONFLICT) when git cannot, MovedError when the target never rests.
    """
    place = parts.place(publication)
    pull_requests = parts.connect(place, publication)
    if not isinstance(pull_requests, PlainPullRequests):
        raise not_here(publication)
    seen = pull_requests.read_pull_request(publication.pr_number)
    if seen.state == "closed":
        raise StateError(
            f"the pull request {seen.number} is closed",
            remedy="its records are pending again; publish them anew",
        )
    if seen.state == "open":
        publication = _push(parts, publication, job, place)
        parts.checkpoint("merge:after")
        seen = pull_requests.merged(publication.pr_number, publication.merge_oid)
    return parts.store.advance(
        publication,
        job,
        intent=Intent.GO_ON,
        merge_oid=seen.merge_commit_oid,
        error="",
        needs_person=False,
    )


def not_here(publication: Publication) -> StateError:
    """Say that a forge merges its pull requests itself."""
    return StateError(
        f"the pull request {publication.pr_number} is on a forge",
        remedy=f"merge it at {publication.pr_url}; Lockstep recognises it as merged",
        reason="MERGE_AT_FORGE",
    )


def _push(parts: Parts, publication: Publication, job: Job | None, place: Place) -> Publication:
    error: LockstepError | None = None
    for _ in range(_TRIES):
        try:
            return _push_once(parts, publication, job, place)
        except MovedError as moved:
            if moved.reason != "STALE_REF":
                raise
            error = moved
    raise error or AssertionError


def _push_once(parts: Parts, publication: Publication, job: Job | None, place: Place) -> Publication:
    parts.git.fetch(publication)
    target = parts.git.head(publication, TARGET, place.branch)
    merged = _merge_commit(parts, publication, target)
    if merged == target:
        # By our own push before a crash, or by somebody's hand.
        return publication
    publication = parts.store.advance(publication, job, merge_oid=merged)
    parts.checkpoint("merge:before")
    parts.git.push(publication, TARGET, place.branch, new=merged, old=target)
    return publication


def _merge_commit(parts: Parts, publication: Publication, target: str) -> str:
    """Merge the branch with what reviewers put on it; our commit where the branch is gone."""
    head = parts.git.head(publication, PUSH, publication.branch) or publication.commit_oid
    message = merge_message(
        title=publication.title,
        branch=publication.branch,
        number=publication.pr_number,
        publication_id=publication.id,
    )
    try:
        return parts.git.merge(publication, ours=target, theirs=head, message=message)
    except StateError as error:
        if error.reason != "UNKNOWN_COMMIT":
            raise
        if head != publication.commit_oid:
            raise StateError(
                f"the branch {publication.branch} holds commits of others that were not fetched",
                remedy="merge the branch with git; Lockstep recognises it as merged",
                reason="FOREIGN_COMMITS",
            ) from error
    # The mirror was made anew since the publication was committed; with another signing key it is another commit.
    rebuilt, _ = build(parts, publication)
    return parts.git.merge(publication, ours=target, theirs=rebuilt, message=message)
