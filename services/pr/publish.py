"""Drives a publication: picks the next step, and judges what its failure means."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from services.core.errors import (
    AlreadyExistsError,
    BusyError,
    ForbiddenError,
    InvalidInputError,
    LockstepError,
    MovedError,
    NeedsPersonError,
    NotFoundError,
    StateError,
)
from services.pr import closing, merge, steps
from services.pr.model import Intent, Publication, State
from services.pr.steps import Parts
from services.pr.store import OvertakenError
from services.pr.watch import Watching, watch
from services.runtime.jobs import Job, LostLeaseError
from services.runtime.worker import Again, Done, Outcome

# Between two looks at something that only a person can mend.
PERSON_SECONDS: Final = 60.0
# Where polling is off, only a request makes a publication go on.
NEVER_SECONDS: Final = 10 * 365 * 86400.0
_PERSON: Final = frozenset({"REMOTE_AUTH", "FORGE_TOKEN", "FORGE_OFF"})
_PERMANENT: Final = (InvalidInputError, ForbiddenError, NotFoundError, AlreadyExistsError, StateError)


@dataclass(frozen=True)
class Pace:
    """How often open publications are looked at; 0 is only when asked."""

    poll_seconds: float
    watching: Watching = field(default_factory=Watching)

    @property
    def delay(self) -> float:
        """Give the pause in seconds until the next look."""
        return self.poll_seconds or NEVER_SECONDS

    def after(self, seen: Publication) -> float:
        """Give the pause after a look: what was merged is looked at again when its grace is over."""
        return min(self.delay, self.watching.grace_seconds + 1.0) if seen.forge_merged_at else self.delay


class Publisher:
    """The handler of the jobs of kind "publication": one for each publication, until it is settled."""

    def __init__(self, parts: Parts, pace: Pace) -> None:
        """Take the parts of the steps, and the pace."""
        self._parts = parts
        self._pace = pace

    def run(self, job: Job) -> Outcome:
        """Go on with a publication as far as it goes now."""
        while True:
            publication = self._parts.store.load(job.tenant_id, job.key)
            if publication is None or publication.settled:
                return Done()
            step = self._step(publication)
            try:
                moved = step(publication, job)
            except LostLeaseError:
                raise
            except OvertakenError:
                continue
            except LockstepError as error:
                outcome = self._failed(publication, job, error)
                if outcome is None:
                    continue
                return outcome
            if moved is None:
                # It was forgotten, and its job with it.
                raise LostLeaseError(f"the publication {job.key} is gone")
            if step == self._watch and not moved.settled:
                return Again(self._pace.after(moved))

    def _step(self, publication: Publication) -> Callable[[Publication, Job], Publication | None]:
        wanted: dict[Intent, Callable[[Publication, Job], Publication | None]] = {
            Intent.DISCARD: self._discard,
            Intent.FAIL: lambda now, job: closing.fail(self._parts, now, job),
            Intent.CLOSE: lambda now, job: closing.close(self._parts, now, job),
            Intent.MERGE: lambda now, job: merge.merge(self._parts, now, job),
        }
        forward: dict[State, Callable[[Publication, Job], Publication | None]] = {
            State.REQUESTED: lambda now, job: steps.reserve(self._parts, now, job),
            State.PLANNED: lambda now, job: steps.commit(self._parts, now, job),
            State.COMMITTED: lambda now, job: steps.push(self._parts, now, job),
            State.PUSHED: lambda now, job: steps.open_pull_request(self._parts, now, job),
            State.OPENED: self._watch,
        }
        return wanted.get(publication.intent) or forward[publication.state]

    def _watch(self, publication: Publication, job: Job) -> Publication:
        return watch(self._parts, publication, job, self._pace.watching)

    def _discard(self, publication: Publication, _job: Job) -> None:
        closing.discard(self._parts, publication)

    def _failed(self, publication: Publication, job: Job, error: LockstepError) -> Outcome | None:
        """Say when to go on after an error; None for at once. Raises what is to be retried with backoff."""
        store = self._parts.store
        needs_person = _needs_person(error)
        # What was planned cannot be made any more, however often it is tried.
        outdated = error.reason == "PLAN_MOVED"
        permanent = outdated or (isinstance(error, _PERMANENT) and not needs_person)
        begun = publication.state is not State.OPENED and publication.intent is Intent.GO_ON
        if begun and permanent:
            store.advance(publication, job, intent=Intent.FAIL, error=str(error), needs_person=False)
            return None
        if publication.intent is Intent.MERGE or publication.state is State.OPENED:
            needs_person = needs_person or permanent
        if isinstance(error, BusyError | MovedError) and publication.intent is not Intent.MERGE:
            raise error
        # A merge or a close that cannot be done is given up, rather than done at some later time.
        asked = publication.intent in (Intent.MERGE, Intent.CLOSE)
        gives_up = asked and (permanent or needs_person or isinstance(error, MovedError))
        intent = Intent.GO_ON if gives_up else publication.intent
        # Written even where it is the error of the last time: the step may have cleared that before it failed.
        store.advance(publication, job, intent=intent, error=str(error), needs_person=needs_person)
        if gives_up:
            return Again(self._pace.delay if publication.state is State.OPENED else 0.0, error)
        if permanent or needs_person:
            return Again(max(PERSON_SECONDS, self._pace.poll_seconds), error)
        raise error


def _needs_person(error: LockstepError) -> bool:
    return isinstance(error, NeedsPersonError) or error.reason in _PERSON
