"""What callers may ask of publications; everything is checked and stored here, and done by the publisher."""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from services.core.errors import BusyError, InvalidInputError, LockstepError, StateError
from services.pr import closing, merge, steps
from services.pr.model import SETTLED, Intent, Item, Publication, State
from services.pr.planning import NO_ID, Plan, check_target, plan
from services.pr.steps import Parts
from services.pr.store import OvertakenError
from services.runtime.context import current_call
from services.runtime.identity import Identity
from services.runtime.ids import new_id
from services.runtime.worker import Worker

log = structlog.get_logger(__name__)

MOST_WATCHERS: Final = 8
LOOK_SECONDS: Final = 0.25
WAIT_SECONDS: Final = 55.0
MOST_DESCRIPTION: Final = 20_000
MOST_TITLE: Final = 250
MOST_REASON: Final = 500
MOST_REQUEST_ID: Final = 128


@dataclass(frozen=True)
class Asked:
    """What a caller wants published; empty fields are filled in from the records."""

    workspace_id: str
    record_ids: tuple[str, ...]
    title: str
    description: str
    request_id: str
    # Why records that are not validated are to be published too.
    review_override: str = ""
    # The commit of the target branch and the revision that a plan names; empty and 0 where there is no plan.
    expected_target: str = ""
    expected_revision: int = 0


class Publications:
    """The publications of all tenants, as their callers see them."""

    def __init__(self, parts: Parts, worker: Worker, make_id: Callable[[], str] = new_id) -> None:
        """Take the parts of the steps, and the worker that runs them."""
        self._parts = parts
        self._store = parts.store
        self._worker = worker
        self._make_id = make_id
        self._watchers = threading.BoundedSemaphore(MOST_WATCHERS)

    def create(self, who: Identity, asked: Asked) -> Publication:
        """Store a publication and set its records aside; the rest goes on by itself.

        Raises what sync finds (nothing pending, unknown ids, conflicts), and MovedError (reason PLAN_MOVED) when it is
        not what was planned any more; no publication is left then.
        """
        _check(asked)
        new = self._new(who, asked)
        stored = self._store.add(new)
        if stored is not new:
            return stored
        try:
            if asked.expected_target:
                check_target(self._parts, stored, asked.expected_target)
            planned = steps.reserve(self._parts, stored, None)
        except OvertakenError:
            return self._store.get(who.tenant_id, stored.id)
        except LockstepError:
            self._discard(stored)
            raise
        self._worker.wake()
        return planned

    def plan(self, who: Identity, asked: Asked) -> Plan:
        """Say what ``create`` would publish; nothing is stored. Raises what sync finds."""
        _check(asked)
        return plan(self._parts, dataclasses.replace(self._new(who, asked), id=NO_ID))

    def get(self, who: Identity, workspace_id: str, name: str) -> tuple[Publication, list[Item]]:
        """Give a publication by id or number, with its records."""
        publication = self._store.find(who.tenant_id, workspace_id, name)
        return publication, self._store.items(publication)

    def page(
        self, who: Identity, workspace_id: str, *, open_only: bool, size: int, token: str
    ) -> tuple[Sequence[Publication], str]:
        """Give a page of publications, newest first."""
        return self._store.page(who.tenant_id, workspace_id, open_only=open_only, size=size, token=token)

    def watch(self, who: Identity, publication_id: str) -> Iterator[Publication]:
        """Give a publication whenever it has changed, until it is open or settled, or waits for a person.

        Raises BusyError when too many watch: calls need the threads.
        """
        if not self._watchers.acquire(blocking=False):
            raise BusyError("too many watch publications", retry_after=2.0, remedy="ask again in a moment")
        try:
            last = None
            while True:
                current_call().check()
                now = self._store.get(who.tenant_id, publication_id)
                if now != last:
                    yield now
                if _rests(now):
                    return
                last = now
                self._worker.wait(LOOK_SECONDS)
        finally:
            self._watchers.release()

    def refresh(self, who: Identity, publication_id: str) -> Publication:
        """Ask the forge and the target branch now."""
        publication = self._store.get(who.tenant_id, publication_id)
        if not publication.settled:
            self._run(publication)
        return self._store.get(who.tenant_id, publication_id)

    def merge(self, who: Identity, publication_id: str) -> Publication:
        """Merge the pull request of a publication on plain Git, and import what came of it."""
        publication = self._store.get(who.tenant_id, publication_id)
        if publication.state is State.MERGED:
            return publication
        _check_open(publication)
        if self._parts.place(publication).kind != "plain":
            raise merge.not_here(publication)
        merger = {"merger_name": who.name or who.username, "merger_email": _email(who)}
        if publication.intent is not Intent.MERGE:
            self._store.want(publication, Intent.MERGE, **merger, merge_time=self._store.now())
        self._run(publication)
        done = self._store.get(who.tenant_id, publication_id)
        if not done.settled and not done.forge_merged_at:
            raise StateError(done.error or "the merge was given up", remedy="try again", reason="NOT_MERGED")
        return done

    def close(self, who: Identity, publication_id: str) -> Publication:
        """Close a publication; its records become pending again."""
        publication = self._store.get(who.tenant_id, publication_id)
        if publication.state is State.MERGED:
            raise StateError(
                f"the publication {publication.id} is merged",
                remedy="to take it back, edit its records and publish them again",
            )
        if publication.settled:
            return publication
        if publication.intent is Intent.GO_ON:
            self._store.want(publication, Intent.CLOSE)
        self._run(publication)
        return self._store.get(who.tenant_id, publication_id)

    def _run(self, publication: Publication) -> None:
        left = current_call().remaining()
        seconds = WAIT_SECONDS if left is None else max(0.0, left - 1.0)
        self._worker.run_now(publication.tenant_id, publication.id, seconds)

    def _new(self, who: Identity, asked: Asked) -> Publication:
        now = self._store.now()
        return Publication(
            tenant_id=who.tenant_id,
            id=self._make_id(),
            workspace_id=asked.workspace_id,
            state=State.REQUESTED,
            intent=Intent.GO_ON,
            request_id=asked.request_id or None,
            record_ids=asked.record_ids,
            wanted_title=asked.title,
            description=asked.description,
            review_override=asked.review_override,
            expected_revision=asked.expected_revision,
            created_by=who.username,
            creator_name=who.name or who.username,
            creator_email=_email(who),
            created_at=now,
            updated_at=now,
        )

    def _discard(self, publication: Publication) -> None:
        try:
            self._store.want(publication, Intent.DISCARD)
            closing.discard(self._parts, publication)
        except LockstepError as error:
            # Its job does it as soon as that is possible.
            log.warning("publication not discarded", publication=publication.id, error=str(error))


def _check(asked: Asked) -> None:
    if not asked.workspace_id:
        raise InvalidInputError("no workspace is named", remedy="name the workspace to publish from")
    for name, text, most in (
        ("title", asked.title, MOST_TITLE),
        ("description", asked.description, MOST_DESCRIPTION),
        ("reason for publishing without review", asked.review_override, MOST_REASON),
        ("request id", asked.request_id, MOST_REQUEST_ID),
    ):
        if len(text) > most:
            raise InvalidInputError(f"the {name} is too long", remedy=f"use at most {most:,} characters")
        if "\0" in text:
            raise InvalidInputError(f"the {name} holds a NUL character", remedy="remove it")


def _check_open(publication: Publication) -> None:
    if publication.state in SETTLED:
        raise StateError(
            f"the publication {publication.id} is {publication.state}",
            remedy="its records are pending again; publish them anew",
        )
    if publication.state is not State.OPENED:
        raise StateError(
            f"the publication {publication.id} is not open yet",
            remedy=f"see `lockstep publications show {publication.id}` and try again",
        )
    if publication.intent not in (Intent.GO_ON, Intent.MERGE):
        raise StateError(f"the publication {publication.id} is being closed", remedy="wait for that")


def _rests(publication: Publication) -> bool:
    opened = publication.state is State.OPENED and publication.intent is Intent.GO_ON
    return opened or publication.settled or publication.needs_person


def _email(who: Identity) -> str:
    return who.email or f"{who.username}@lockstep.invalid"
