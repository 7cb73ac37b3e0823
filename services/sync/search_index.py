"""Full text of records: an index that is brought up to date before it answers, and costs who writes next to nothing.

Records above a watermark (the keys of new records only grow) and records that a trigger has marked are not in it
yet; ``SearchIndex.catch_up`` takes them in, some hundred at a time, each batch in a transaction of its own, so that
it holds up nobody for long and goes on where it was when a process died. What is found is what
``services.core.words`` takes for words, on both databases alike.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.core.errors import BusyError
from services.core.words import Term, words_of
from services.runtime import bulk
from services.runtime.database import Database
from services.sync.store import Scope
from services.sync.tables import records, search_marks, search_state, search_texts

BATCH: Final = 500
# A search waits at most this long for the index. 100,000 records of 2 KB take about a quarter of a minute.
CATCH_UP_SECONDS: Final = 40.0
# Up to this many hits are sorted; of more the list is walked in its order until a page is full.
FEW: Final = 300
# Documents of earlier versions that the SQLite index may hold before it is made anew.
_DEAD: Final = 50_000


class SearchIndex:
    """Keeps the index of the records of one database. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the records' database and a clock in seconds that never goes back."""
        self._database = database
        self._clock = clock

    def catch_up(self, scope: Scope, seconds: float = CATCH_UP_SECONDS) -> None:
        """Take in what changed in a workspace; raise BusyError when it is not done in time. What is done stays."""
        until = self._clock() + seconds
        if self._done(scope):
            return
        while True:
            with self._database.begin(scope.tenant_id) as tx:
                _alone(tx, scope)
                if not _take_in(tx, scope):
                    return
            if self._clock() > until:
                with self._database.read(scope.tenant_id) as tx:
                    left = _waiting(tx, scope)
                raise BusyError(
                    f"the search is taking in new records, {left} are left",
                    retry_after=5.0,
                    remedy="try again in a moment, or list without a search",
                    reason="SEARCH_CATCHING_UP",
                )

    def _done(self, scope: Scope) -> bool:
        """Say whether nothing waits, without writing."""
        with self._database.read(scope.tenant_id) as tx:
            fresh = _fresh(scope, _next_key(tx, scope)).limit(1)
            marks = sa.select(search_marks.c.key).where(scope.where(search_marks)).limit(1)
            return tx.execute(fresh).first() is None and tx.execute(marks).first() is None


def few(tx: sa.Connection, scope: Scope, terms: Sequence[Term]) -> list[int] | None:
    """Give the keys of the records that have all words, or None where there are more than ``FEW``."""
    # Planned without the limit, PostgreSQL asks the index; with it, it hopes to meet enough hits by the way.
    hits = _hits(tx, scope, terms).cte("hits").prefix_with("MATERIALIZED", dialect="postgresql")
    keys = list(tx.execute(sa.select(hits.c.key).limit(FEW + 1)).scalars().all())
    return keys if len(keys) <= FEW else None


def is_hit(tx: sa.Connection, scope: Scope, terms: Sequence[Term]) -> sa.ColumnElement[bool]:
    """Give the condition that a record has all words, as a look at its own words: for walking a list."""
    mine = sa.select(search_texts.c.key).where(scope.where(search_texts), search_texts.c.key == records.c.key)
    if tx.dialect.name == "postgresql":
        mine = mine.where(_matches(scope, terms))
    else:
        # The full text table would look its own index through for every single record.
        mine = mine.where(*(sa.func.instr(search_texts.c.words, _spaced(term)) > 0 for term in terms))
    # The offset keeps PostgreSQL from turning the look into a join with all hits.
    return mine.correlate(records).offset(0).exists()


def among_hits(tx: sa.Connection, scope: Scope, terms: Sequence[Term]) -> sa.ColumnElement[bool]:
    """Give the same condition by way of all hits: for counting."""
    return records.c.key.in_(_hits(tx, scope, terms))


def _hits(tx: sa.Connection, scope: Scope, terms: Sequence[Term]) -> sa.Select[Any]:
    query = sa.select(search_texts.c.key).where(scope.where(search_texts))
    if tx.dialect.name == "postgresql":
        return query.where(_matches(scope, terms))
    text = " ".join(f'"{term.word}"{"*" if term.prefix else ""}' for term in terms)
    documents = sa.table("search_words", sa.column("rowid"), sa.column("search_words"))
    # The documents first, and only as many as are wanted: the plus takes the records' key out of the planner's hands.
    here = sa.literal_column("+search_texts.tenant_id") == scope.tenant_id
    return (
        sa.select(search_texts.c.key)
        .select_from(documents.join(search_texts, search_texts.c.docid == documents.c.rowid))
        .where(documents.c.search_words.op("MATCH")(text), here, search_texts.c.workspace_id == scope.workspace_id)
    )


def _matches(scope: Scope, terms: Sequence[Term]) -> sa.ColumnElement[bool]:
    # Words are letters, digits and underscores: nothing in them needs an escape.
    text = " & ".join(f"'{term.word}'{':*' if term.prefix else ''}" for term in (Term(_place(scope)), *terms))
    return search_texts.c.words.op("@@", is_comparison=True)(sa.cast(text, postgresql.TSQUERY))


def _spaced(term: Term) -> str:
    return f" {term.word}" if term.prefix else f" {term.word} "


def _take_in(tx: sa.Connection, scope: Scope) -> bool:
    """Take a batch in; say whether there was anything to do."""
    marks = sa.select(search_marks.c.key, search_marks.c.txn).where(scope.where(search_marks)).limit(BATCH)
    marked = [tuple(row) for row in tx.execute(marks)]
    next_key = _next_key(tx, scope)
    # Read after the marks: a writer who commits in between leaves a mark that is not among them.
    rows = list(tx.execute(_fresh(scope, next_key).order_by(records.c.key).limit(BATCH)))
    if rows:
        _set_next_key(tx, scope, rows[-1].key + 1)
    seen = {row.key for row in rows}
    again = {key for key, _ in marked} - seen
    if again:
        rows += tx.execute(_content().where(scope.where(records), records.c.key.in_(again)))
    if rows:
        documents = [(row.key, words_of(row.id, row.content)) for row in rows]
        (_write_postgresql if tx.dialect.name == "postgresql" else _write_sqlite)(tx, scope, documents)
    if marked:
        place = sa.tuple_(search_marks.c.key, search_marks.c.txn)
        tx.execute(sa.delete(search_marks).where(scope.where(search_marks), place.in_(marked)))
    return bool(rows or marked)


def _write_postgresql(tx: sa.Connection, scope: Scope, documents: Sequence[tuple[int, list[str]]]) -> None:
    columns = scope.columns()
    rows = [
        {**columns, "key": key, "docid": None, "words": " ".join(f"'{word}'" for word in {_place(scope), *words})}
        for key, words in documents
    ]
    bulk.upsert(tx, search_texts, rows)


def _write_sqlite(tx: sa.Connection, scope: Scope, documents: Sequence[tuple[int, list[str]]]) -> None:
    last = tx.exec_driver_sql("SELECT coalesce(max(id), 0) FROM search_words_docsize").scalar_one()
    live = tx.execute(sa.select(sa.func.count(search_texts.c.docid))).scalar_one() if last > _DEAD else 0
    if last > 2 * live + _DEAD:
        _forget_all(tx)
        return
    numbered = list(enumerate(documents, last + 1))
    tx.exec_driver_sql(
        "INSERT INTO search_words (rowid, words) VALUES (?, ?)",
        [(docid, " ".join(words)) for docid, (_, words) in numbered],
    )
    columns = scope.columns()
    rows = [
        {**columns, "key": key, "docid": docid, "words": f" {' '.join(words)} "} for docid, (key, words) in numbered
    ]
    bulk.upsert(tx, search_texts, rows)


def _forget_all(tx: sa.Connection) -> None:
    """Begin anew, in all workspaces, where most documents are of versions that are gone."""
    tx.exec_driver_sql("INSERT INTO search_words (search_words) VALUES ('delete-all')")
    tx.execute(sa.delete(search_texts))
    tx.execute(sa.delete(search_state))


def _place(scope: Scope) -> str:
    """Give the word that all records of a workspace have: hits in other workspaces cost nothing then.

    No record has it of its own: an id is not folded to capitals.
    """
    return "AT_" + "_".join(part.encode().hex() for part in (scope.tenant_id, scope.workspace_id))


def _alone(tx: sa.Connection, scope: Scope) -> None:
    """Keep another process from taking in the same records; SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        key = f"search/{scope.tenant_id}/{scope.workspace_id}"
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def _content() -> sa.Select[Any]:
    return sa.select(records.c.key, records.c.id, records.c.content)


def _fresh(scope: Scope, next_key: int) -> sa.Select[Any]:
    return _content().where(scope.where(records), records.c.key >= next_key)


def _waiting(tx: sa.Connection, scope: Scope) -> int:
    fresh = sa.select(sa.func.count()).select_from(_fresh(scope, _next_key(tx, scope)).subquery())
    marks = sa.select(sa.func.count()).select_from(search_marks).where(scope.where(search_marks))
    return int(tx.execute(fresh).scalar_one()) + int(tx.execute(marks).scalar_one())


def _next_key(tx: sa.Connection, scope: Scope) -> int:
    query = sa.select(search_state.c.next_key).where(scope.where(search_state))
    return int(tx.execute(query).scalar() or 0)


def _set_next_key(tx: sa.Connection, scope: Scope, key: int) -> None:
    bulk.upsert(tx, search_state, [{**scope.columns(), "next_key": key}])
