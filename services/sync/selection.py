"""A selection of records: filters, a search, an order, and its pages.

A page begins where the one before ended, by the values of the order (a keyset), so that it costs the same however far
down the list it is, and a record that comes, goes or changes elsewhere moves no other. By default records come by
collection and id, which an index has; only the columns that a page shows are read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError
from services.core.filters import MAX_CONDITIONS, Sort, sort_of
from services.core.words import Term, terms_of
from services.runtime import paging
from services.sync import field_sql, record_store, search_index, store
from services.sync.store import Scope
from services.sync.tables import records

_STATES: Final[dict[int, sa.ColumnElement[bool]]] = {
    sync_pb2.SYNC_STATE_SYNCED: sa.not_(record_store.OPEN),
    sync_pb2.SYNC_STATE_PENDING: sa.and_(
        records.c.dirty, records.c.publication_id == "", records.c.open_conflicts == 0
    ),
    sync_pb2.SYNC_STATE_PROPOSED: sa.and_(records.c.publication_id != "", records.c.open_conflicts == 0),
    sync_pb2.SYNC_STATE_CONFLICT: records.c.open_conflicts > 0,
}
_KINDS: Final[dict[str, type]] = {"title": str, "updated_at": int, "quality": float}
_LARGE: Final = frozenset({"content", "base_raw"})


@dataclass(frozen=True)
class Filters:
    """What a person asks for; see ``sync.v1.ListRecordsRequest``."""

    collection: str = ""
    state: int = 0
    query: str = ""
    where: Sequence[str] = ()
    sort: str = ""


class Selection:
    """The records of a workspace that filters let through, in their order. Lives as long as its transaction."""

    def __init__(self, tx: sa.Connection, scope: Scope, filters: Filters) -> None:
        """Read the filters; raise InvalidInputError or NotFoundError for one that makes no sense."""
        self._tx = tx
        self._scope = scope
        self._sort = sort_of(filters.sort)
        self._order = filters.sort
        self._terms: list[Term] = terms_of(filters.query) if filters.query else []
        self._names = {stored.collection.id: stored.collection.name for stored in store.list_collections(tx, scope)}
        self._conditions: list[sa.ColumnElement[bool]] = [~records.c.gone]
        if filters.collection:
            only = store.find_collection(tx, scope, filters.collection).collection
            self._names = {only.id: only.name}
            self._conditions.append(records.c.collection_id == only.id)
        if filters.state:
            self._conditions.append(_STATES[filters.state])
        if len(filters.where) > MAX_CONDITIONS:
            raise InvalidInputError(
                f"there are {len(filters.where)} conditions", remedy=f"give at most {MAX_CONDITIONS}"
            )
        self._where = field_sql.holds(tx, filters.where)
        self._few = search_index.few(tx, scope, self._terms) if self._terms else None

    def name_of(self, row: sa.Row[Any]) -> str:
        """Give the name of a record's collection."""
        return self._names[row.collection_id]

    def page(self, size: int, token: str, *, content: bool) -> tuple[list[sa.Row[Any]], str]:
        """Give the rows of a page and the token of the next one; with their content if asked for."""
        found = self._by_id(size, token, content) if self._sort.column == "id" else self._by_value(size, token, content)
        rows = found[:size]
        return rows, self._token(rows[-1]) if len(found) > size else ""

    def count(self) -> int:
        """Count all records of the selection. This looks at each that the indexes cannot leave out."""
        found = [search_index.among_hits(self._tx, self._scope, self._terms)] if self._terms else []
        return record_store.count(self._tx, self._scope, *self._conditions, *found, *self._where)

    def _by_id(self, size: int, token: str, content: bool) -> list[sa.Row[Any]]:  # noqa: FBT001
        """Walk collection by collection, for there is an index of the ids in each."""
        names = {name: key for key, name in self._names.items()}
        after = self._after(token, (str, str))
        found: list[sa.Row[Any]] = []
        for name in sorted(names, reverse=self._sort.descending):
            if after and (name > after[0] if self._sort.descending else name < after[0]):
                continue
            query = self._query(content).where(self._column("collection_id") == names[name])
            if after and name == after[0]:
                query = query.where(self._beyond(self._column("id"), after[1]))
            order = self._column("id")
            query = query.order_by(order.desc() if self._sort.descending else order)
            found += self._tx.execute(query.limit(size + 1 - len(found))).all()
            if len(found) > size:
                break
        return found

    def _by_value(self, size: int, token: str, content: bool) -> list[sa.Row[Any]]:  # noqa: FBT001
        value, kind = self._value()
        key = self._column("key")
        query = self._query(content).add_columns(value.label("sort_value"))
        after = self._after(token, (kind, int))
        if after:
            query = query.where(self._beyond(sa.tuple_(value, key), sa.tuple_(*map(sa.literal, after))))
        order = [value.desc(), key.desc()] if self._sort.descending else [value, key]
        return list(self._tx.execute(query.order_by(*order).limit(size + 1)).all())

    def _value(self) -> tuple[sa.ColumnElement[Any], type]:
        sort: Sort = self._sort
        if sort.column is None:
            return field_sql.sorted_by(self._tx, sort.path), str
        return self._column(sort.column), _KINDS[sort.column]

    def _query(self, content: bool) -> sa.Select[Any]:  # noqa: FBT001
        columns = [c for c in records.c if c.name not in _LARGE or (content and c.name == "content")]
        query = sa.select(*columns).where(self._scope.where(records), *self._conditions)
        if self._few is not None:
            query = query.where(records.c.key.in_(self._few))
        elif self._terms:
            hit = search_index.is_hit(self._tx, self._scope, self._terms)
            # A look at the words is quicker than reading the content, whatever the planner thinks.
            return query.where(sa.case((hit, sa.and_(sa.true(), *self._where)), else_=sa.false()))
        return query.where(*self._where)

    def _column(self, name: str) -> sa.ColumnElement[Any]:
        """Give a column to walk by or, where the hits are few, to sort them by: then no index of it is of use."""
        column: sa.ColumnElement[Any] = records.c[name]
        return column if self._few is None else sa.func.coalesce(column, column)

    def _beyond(self, place: Any, after: Any) -> sa.ColumnElement[bool]:
        beyond: sa.ColumnElement[bool] = place < after if self._sort.descending else place > after
        return beyond

    def _after(self, token: str, kinds: tuple[type, ...]) -> list[Any] | None:
        after = paging.decode(token, (str, *kinds))
        if after and after[0] != self._order:
            raise InvalidInputError("the page token is of another list", remedy="begin again without one")
        return after[1:] if after else None

    def _token(self, row: sa.Row[Any]) -> str:
        if self._sort.column == "id":
            return paging.encode([self._order, self.name_of(row), row.id])
        return paging.encode([self._order, row.sort_value, row.key])


def pages(selection: Selection, size: int) -> Iterator[list[sa.Row[Any]]]:
    """Give all records of a selection with their content, some at a time."""
    token = ""
    while True:
        rows, token = selection.page(size, token, content=True)
        if rows:
            yield rows
        if not token:
            return
