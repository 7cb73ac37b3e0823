"""Reviews: somebody reserves a record, looks at it, and says whether it may be published as it is.

A reservation lasts an hour and keeps others from looking at the same record; it is not needed for a verdict. A
verdict is for one revision: an edit, or a change that an import brings, makes the record unreviewed again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.collection import Collection
from services.core.errors import InvalidInputError, MovedError, NotFoundError, StateError
from services.core.importing import as_object
from services.core.publication.content import ReviewName
from services.core.quality import assess
from services.core.values import loads
from services.runtime import paging
from services.runtime.identity import Identity
from services.sync import convert, record_store, review_store, store
from services.sync.editing import find_record
from services.sync.review_store import Standing, Wanted
from services.sync.store import Scope
from services.sync.tables import records

RESERVED_SECONDS: Final = 3600
MOST_REASON: Final = 2_000
NAMES: Final[dict[int, ReviewName]] = {
    sync_pb2.REVIEW_STATE_UNREVIEWED: "unreviewed",
    sync_pb2.REVIEW_STATE_RESERVED: "reserved",
    sync_pb2.REVIEW_STATE_VALIDATED: "validated",
    sync_pb2.REVIEW_STATE_REJECTED: "rejected",
}
NUMBERS: Final = {name: sync_pb2.ReviewState.ValueType(number) for number, name in NAMES.items()}
_OPEN: Final[tuple[ReviewName, ...]] = ("unreviewed", "reserved")
_FREE: Final = {"reserved_by": "", "reserved_until": 0}


class Reviewer:
    """Reviews for one caller in one transaction under the workspace's lock."""

    def __init__(self, tx: sa.Connection, scope: Scope, identity: Identity, clock: Callable[[], float]) -> None:
        """Take what an ``Editor`` takes."""
        self._tx = tx
        self._scope = scope
        self._who = identity.username
        self._now = int(clock())

    def reserve(self, record_id: str, collection: str, *, pending_only: bool = False) -> sa.Row[Any]:
        """Reserve a record for an hour, the first of the queue when none is named; give its row.

        Reserving again what the caller has begins the hour anew. Raises StateError when somebody else has it,
        when it is validated, or when its collection asks for no review; NotFoundError when nothing is left.
        """
        row = self._asked(record_id, collection) if record_id else self._next(collection, pending_only=pending_only)
        now = self._standing(row)
        self._refuse_taken(row, now)
        if now.state == "validated":
            raise StateError(
                f"record '{row.id}' is validated already, by {now.by}",
                remedy="it needs a review again after the next edit",
            )
        values = {"reserved_by": self._who, "reserved_until": self._now + RESERVED_SECONDS}
        review_store.save(self._tx, self._scope, row.key, values)
        return row

    def release(self, record_id: str, collection: str, *, others: bool) -> sa.Row[Any]:
        """Give a reservation back; with ``others`` somebody else's too. Without one nothing happens."""
        row = self._asked(record_id, collection)
        now = self._standing(row)
        if now.state == "reserved":
            if not others:
                self._refuse_taken(row, now)
            review_store.save(self._tx, self._scope, row.key, _FREE)
        return row

    def give(self, request: sync_pb2.ReviewRecordRequest) -> sa.Row[Any]:
        """Write a verdict on the record as it is now; the reservation ends with it.

        Raises MovedError when the record is at another revision than the one that was looked at, StateError when
        somebody else has it.
        """
        verdict = NAMES.get(request.verdict)
        reason = request.reason.strip()
        _check_verdict(verdict, reason)
        row = self._asked(request.record_id, request.collection)
        if request.expected_revision and request.expected_revision != row.revision:
            raise MovedError(
                f"record '{row.id}' is at revision {row.revision}, not {request.expected_revision}",
                remedy="look at it again",
                reason="STALE_REVISION",
            )
        self._refuse_taken(row, self._standing(row))
        values = {"verdict": verdict, "revision": row.revision, "reason": reason}
        given = {"given_by": self._who, "given_at": self._now}
        review_store.save(self._tx, self._scope, row.key, {**values, **given, **_FREE})
        return row

    def _next(self, collection: str, *, pending_only: bool) -> sa.Row[Any]:
        wanted = Wanted(("unreviewed",), _chosen(self._tx, self._scope, collection), pending_only)
        rows, _ = review_store.page(self._tx, self._scope, wanted, self._now, 1, "")
        if not rows:
            raise NotFoundError(
                "no record waits for a review that nobody has reserved",
                remedy="see `lockstep review list`",
                reason="QUEUE_EMPTY",
            )
        return record_store.by_key(self._tx, self._scope, rows[0].key)

    def _asked(self, record_id: str, collection_name: str) -> sa.Row[Any]:
        row, collection = find_record(self._tx, self._scope, record_id, collection_name)
        if not collection.review_required:
            raise _not_asked(collection.name)
        return row

    def _standing(self, row: sa.Row[Any]) -> Standing:
        return review_store.standing(row, review_store.of_record(self._tx, self._scope, row.key), self._now)

    def _refuse_taken(self, row: sa.Row[Any], now: Standing) -> None:
        if now.state == "reserved" and now.by != self._who:
            left = max(1, (now.until - self._now + 59) // 60)
            raise StateError(
                f"record '{row.id}' is reserved by {now.by} for another {left} min",
                remedy="wait, ask them for `lockstep review release`, or take the next one",
                reason="RESERVED",
            )


def queue_page(
    tx: sa.Connection, scope: Scope, request: sync_pb2.ListReviewsRequest, now: int
) -> sync_pb2.ListReviewsResponse:
    """Give a page of the queue, with findings; what is open when no state is named."""
    states = (NAMES[request.state],) if request.state in NAMES else _OPEN
    wanted = Wanted(states, _chosen(tx, scope, request.collection), request.pending_only)
    rows, token = review_store.page(tx, scope, wanted, now, paging.size(request.page_size), request.page_token)
    found = [convert.record_message(row, row.collection_name, with_content=False) for row in rows]
    annotate(tx, scope, found, now, findings=True)
    return sync_pb2.ListReviewsResponse(records=found, next_page_token=token)


def annotate(
    tx: sa.Connection, scope: Scope, messages: Iterable[sync_pb2.Record], now: int, *, findings: bool = False
) -> None:
    """Fill in how the review of records stands and, where asked for, what keeps their quality from being 10."""
    rules = {stored.collection.name: stored.collection for stored in store.list_collections(tx, scope)}
    for name, collection in rules.items():
        explained = findings and bool(collection.quality)
        wanted = collection.review_required or explained
        mine = {message.id: message for message in messages if message.collection == name} if wanted else {}
        if mine:
            _annotate(tx, scope, mine, collection, now, findings=explained)


def _annotate(
    tx: sa.Connection,
    scope: Scope,
    messages: dict[str, sync_pb2.Record],
    collection: Collection,
    now: int,
    *,
    findings: bool,
) -> None:
    columns = (records.c.key, records.c.id, records.c.revision, records.c.collection_id)
    query = sa.select(*columns, *([records.c.content] if findings else [])).where(
        scope.where(records),
        records.c.collection_id == collection.id,
        records.c.id.in_(sorted(messages)),
        ~records.c.gone,
    )
    rows = list(tx.execute(query))
    standings = review_store.standings(tx, scope, rows, now)
    for row in rows:
        message = messages[row.id]
        if row.key in standings:
            message.review.CopyFrom(review_message(standings[row.key]))
        if findings:
            notes = assess(collection.quality, as_object(loads(row.content.encode())))[1]
            message.findings.extend(convert.finding_message(row.id, note, error=False) for note in notes)


def review_message(now: Standing) -> sync_pb2.Review:
    """Give a standing as a message."""
    return sync_pb2.Review(state=NUMBERS[now.state], by=now.by, until=now.until, reason=now.reason, time=now.time)


def _chosen(tx: sa.Connection, scope: Scope, collection_name: str) -> Sequence[str]:
    """Give the ids of the collections that ask for review, or of the one that is named."""
    if not collection_name:
        return sorted(review_store.asking(tx, scope))
    collection = store.find_collection(tx, scope, collection_name).collection
    if not collection.review_required:
        raise _not_asked(collection.name)
    return [collection.id]


def _check_verdict(verdict: ReviewName | None, reason: str) -> None:
    if verdict not in ("validated", "rejected"):
        raise InvalidInputError("a review ends with validated or rejected", remedy="name one of them")
    if verdict == "rejected" and not reason:
        raise InvalidInputError("a rejection needs a reason", remedy="say what is to be changed, with --reason")
    if len(reason) > MOST_REASON or "\0" in reason:
        raise InvalidInputError(
            "the reason is too long or holds a NUL character", remedy=f"use at most {MOST_REASON:,} characters"
        )


def _not_asked(name: str) -> StateError:
    return StateError(
        f"collection '{name}' asks for no review",
        remedy="set `review: required` in its settings first",
        reason="NO_REVIEW",
    )
