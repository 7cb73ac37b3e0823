"""Rows of reviews, and the queue: records of collections that ask for review by importance, then date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from services.core.publication.content import ReviewName
from services.runtime import paging
from services.sync import store
from services.sync.store import Scope
from services.sync.tables import collections, records, reviews

# After every importance and every date there can be.
_NO_RANK: Final = 2_000_000_000
_NO_DATE: Final = "9999-99-99"
# SQLite takes 32,766 parameters in a statement.
_MANY: Final = 5_000
_MOST_IMPORTANT: Final = 1_000_000
_DATE: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"


@dataclass(frozen=True)
class Standing:
    """How far the review of a record has come; times are seconds since the epoch, 0 for none."""

    state: ReviewName
    by: str = ""
    until: int = 0
    reason: str = ""
    time: int = 0


@dataclass(frozen=True)
class Wanted:
    """Which part of the queue: states (any when empty), collections by id, only records with edits to publish."""

    states: Sequence[ReviewName]
    collection_ids: Sequence[str]
    pending_only: bool = False


def asking(tx: sa.Connection, scope: Scope) -> frozenset[str]:
    """Give the ids of the collections whose settings ask for review."""
    return frozenset(s.collection.id for s in store.list_collections(tx, scope) if s.collection.review_required)


def standing(record: Any, review: Any, now: int) -> Standing:
    """Give how a record of a collection that asks for review stands; ``review`` is its row there, None for none.

    A reservation counts until it ends, a verdict as long as the record is at the revision it was given for.
    """
    if review is None:
        return Standing("unreviewed")
    if review.reserved_until > now:
        return Standing("reserved", review.reserved_by, review.reserved_until)
    if review.verdict and review.revision == record.revision:
        return Standing(review.verdict, review.given_by, 0, review.reason, review.given_at)
    return Standing("unreviewed")


def standings(tx: sa.Connection, scope: Scope, rows: Sequence[Any], now: int) -> dict[int, Standing]:
    """Give the standing of records (rows with key, collection_id, revision) by key, where review is asked for."""
    asked = asking(tx, scope)
    wanted = {row.key: row for row in rows if row.collection_id in asked}
    found: dict[int, Any] = {}
    keys = sorted(wanted)
    for first in range(0, len(keys), _MANY):
        some = reviews.c.record_key.in_(keys[first : first + _MANY])
        query = sa.select(reviews).where(scope.where(reviews), some)
        found |= {row.record_key: row for row in tx.execute(query)}
    return {key: standing(row, found.get(key), now) for key, row in wanted.items()}


def of_record(tx: sa.Connection, scope: Scope, key: int) -> sa.Row[Any] | None:
    """Give the review of a record; None before the first."""
    return tx.execute(sa.select(reviews).where(scope.where(reviews), reviews.c.record_key == key)).first()


def save(tx: sa.Connection, scope: Scope, key: int, values: Mapping[str, Any]) -> None:
    """Write columns of a record's review."""
    mine = sa.and_(scope.where(reviews), reviews.c.record_key == key)
    if tx.execute(sa.update(reviews).where(mine).values(**values)).rowcount == 0:
        tx.execute(sa.insert(reviews).values(**scope.columns(), record_key=key, **values))


def page(
    tx: sa.Connection, scope: Scope, wanted: Wanted, now: int, size: int, token: str
) -> tuple[list[sa.Row[Any]], str]:
    """Give records with their collection's name, the most important first, and the token of the next page."""
    rank, date = _rank(tx.dialect.name), _date(tx.dialect.name)
    reviewed = sa.and_(
        reviews.c.tenant_id == records.c.tenant_id,
        reviews.c.workspace_id == records.c.workspace_id,
        reviews.c.record_key == records.c.key,
    )
    named = sa.and_(
        collections.c.tenant_id == records.c.tenant_id,
        collections.c.workspace_id == records.c.workspace_id,
        collections.c.id == records.c.collection_id,
    )
    query = (
        sa.select(records, collections.c.name.label("collection_name"), rank.label("rank"), date.label("day"))
        .select_from(records.join(collections, named).outerjoin(reviews, reviewed))
        .where(scope.where(records), ~records.c.gone, records.c.collection_id.in_(wanted.collection_ids))
        .order_by(sa.text("rank"), sa.text("day"), records.c.key)
        .limit(size + 1)
    )
    if wanted.states:
        query = query.where(_state(now).in_(wanted.states))
    if wanted.pending_only:
        query = query.where(records.c.dirty, records.c.publication_id == "")
    after = paging.decode(token, (int, str, int))
    if after:
        query = query.where(sa.tuple_(rank, date, records.c.key) > sa.tuple_(*map(sa.literal, after)))
    rows = list(tx.execute(query))
    more = len(rows) > size
    return rows[:size], paging.encode([rows[size - 1].rank, rows[size - 1].day, rows[size - 1].key]) if more else ""


def _state(now: int) -> sa.Case[str]:
    """Give the name that ``standing`` gives."""
    return sa.case(
        (sa.func.coalesce(reviews.c.reserved_until, 0) > now, "reserved"),
        (sa.and_(reviews.c.verdict != "", reviews.c.revision == records.c.revision), reviews.c.verdict),
        else_="unreviewed",
    )


def _rank(dialect: str) -> sa.ColumnElement[int]:
    """Give the field ``importance`` as a number that is small for the most important; it may be a fraction."""
    number: sa.ColumnElement[Any]
    if dialect == "postgresql":
        text = sa.cast(_json("importance"), sa.Text)
        good = text.regexp_match(r"^-?[0-9]{1,7}(\.[0-9]{1,9})?$")
        number = sa.cast(text, sa.Numeric)
    else:
        good = sa.func.json_type(records.c.content, "$.importance").in_(("integer", "real"))
        number = sa.cast(sa.func.json_extract(records.c.content, "$.importance"), sa.Float)
    inside = sa.func.abs(number) <= _MOST_IMPORTANT
    rank = sa.cast(sa.func.round(number * -1000), sa.BigInteger)
    return sa.case((good, sa.case((inside, rank), else_=_NO_RANK)), else_=_NO_RANK)


def _date(dialect: str) -> sa.ColumnElement[str]:
    """Give the day in the field ``date``, as text that sorts."""
    if dialect == "postgresql":
        quoted = sa.cast(_json("date"), sa.Text)
        found = quoted.regexp_match('^"[0-9]{4}-[0-9]{2}-[0-9]{2}')
        # The order of bytes, as SQLite has it.
        return sa.case((found, sa.func.substr(quoted, 2, 10)), else_=_NO_DATE).collate("C")
    text = sa.func.json_extract(records.c.content, "$.date")
    is_text = sa.func.json_type(records.c.content, "$.date") == "text"
    good = sa.and_(is_text, text.op("GLOB")(_DATE))
    return sa.case((good, sa.func.substr(text, 1, 10)), else_=_NO_DATE)


def _json(field: str) -> sa.ColumnElement[Any]:
    """Give a top-level field of the content on PostgreSQL, whose JSON takes no NUL and no lone surrogate."""
    odd = records.c.content.regexp_match(r"\\u(0000|[dD][89a-fA-F])")
    content = sa.case((odd, "{}"), else_=records.c.content)
    return sa.cast(content, sa.JSON).op("->")(field)
