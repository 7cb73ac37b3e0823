"""Finds the file for a record that is to be published: its own, or a new one that is nobody's."""

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from services.core.collection import BadIdError, Collection
from services.core.errors import InvalidInputError, StateError
from services.core.importing import ExistingRecord
from services.sync.store import Scope
from services.sync.tables import quarantine, records

_TRIES: Final = 100


def place(tx: sa.Connection, scope: Scope, record: ExistingRecord, collection: Collection) -> bytes:
    """Give the path of the file that a publication writes for a record.

    A file that came to be at the path of a new record meanwhile, or that another record's file became, is not
    overwritten: the record gets another name where its id allows that. Raises StateError (reason NO_PLACE) when
    the collection, as it is set up now, would not make the file this record again.
    """
    if record.base_blob:
        if record.deleted or _leads_back(record, collection, record.path):
            return record.path
    else:
        for path in _names(record, collection):
            if _leads_back(record, collection, path) and not _taken(tx, scope, collection.id, record.key, path):
                return path
    raise StateError(
        f"record '{record.id}' has no place in collection '{collection.name}': its file is another's, or would be "
        "left out or be another record",
        remedy="mend or rename the file at its path, change the collection's patterns or id rule, or delete the record",
        reason="NO_PLACE",
    )


def _names(record: ExistingRecord, collection: Collection) -> Iterator[bytes]:
    yield record.path
    try:
        first = collection.path_for(record.id, record.value())
    except InvalidInputError:
        return
    yield first
    stem, _, suffix = first.rpartition(b".")
    yield from (b"%s-%d.%s" % (stem, number, suffix) for number in range(2, _TRIES))


def _leads_back(record: ExistingRecord, collection: Collection, path: bytes) -> bool:
    """Say whether an import would find this record in a file."""
    try:
        return (
            collection.contains(path)
            and collection.rank(path) is not None
            and collection.id_of(path, record.value()) == record.id
        )
    except BadIdError:
        return False


def _taken(tx: sa.Connection, scope: Scope, collection_id: str, key: int, path: bytes) -> bool:
    others = sa.and_(scope.where(records), records.c.path == path, records.c.key != key, ~records.c.gone)
    held = sa.and_(scope.where(quarantine), quarantine.c.collection_id == collection_id, quarantine.c.path == path)
    queries = (sa.select(records.c.key).where(others), sa.select(quarantine.c.path).where(held))
    return any(tx.execute(query.limit(1)).first() is not None for query in queries)
