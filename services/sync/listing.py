"""Pages of what the sync service holds, as messages."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.runtime import paging
from services.sync import conflict_store, convert, record_store, store
from services.sync.editing import find_record
from services.sync.selection import Filters, Selection, pages
from services.sync.store import Scope

EXPORT_ROWS: Final = 200
EXPORT_BYTES: Final = 512 * 1024


def records_page(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.ListRecordsRequest,
) -> sync_pb2.ListRecordsResponse:
    """Give a page of records."""
    chosen = Selection(tx, scope, filters_of(request))
    size = paging.size(request.page_size)
    rows, token = chosen.page(size, request.page_token, content=request.with_content)
    known = len(rows) if not token and not request.page_token else -1
    return sync_pb2.ListRecordsResponse(
        records=[convert.record_message(r, chosen.name_of(r), with_content=request.with_content) for r in rows],
        next_page_token=token,
        total=chosen.count() if request.with_total and known < 0 else known,
    )


def exported(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.ExportRecordsRequest,
) -> Iterator[sync_pb2.ExportRecordsResponse]:
    """Give all records of a selection that are not deleted, about EXPORT_BYTES a message."""
    chosen = Selection(tx, scope, filters_of(request))
    answer, weight = sync_pb2.ExportRecordsResponse(), 0
    for rows in pages(chosen, EXPORT_ROWS):
        for row in rows:
            if row.deleted:
                continue
            answer.records.append(convert.record_message(row, chosen.name_of(row), with_content=True))
            weight += len(row.content)
            if weight > EXPORT_BYTES:
                yield answer
                answer, weight = sync_pb2.ExportRecordsResponse(), 0
    if answer.records:
        yield answer


def filters_of(request: sync_pb2.ListRecordsRequest | sync_pb2.ExportRecordsRequest) -> Filters:
    """Give the filters of a request."""
    return Filters(request.collection, request.state, request.query, tuple(request.where), request.sort)


def record(tx: sa.Connection, scope: Scope, record_id: str, collection: str) -> sync_pb2.GetRecordResponse:
    """Give one record with its base."""
    row, rules = find_record(tx, scope, record_id, collection)
    found = record_store.existing(row)
    base = convert.json_bytes(found.base()) if found.base_blob else b""
    message = convert.record_message(row, rules.name, with_content=True)
    return sync_pb2.GetRecordResponse(record=message, base_content=base)


def message(tx: sa.Connection, scope: Scope, row: sa.Row[Any]) -> sync_pb2.Record:
    """Give a record's row as a message with its content."""
    return convert.record_message(row, names(tx, scope)[row.collection_id], with_content=True)


def names(tx: sa.Connection, scope: Scope) -> dict[str, str]:
    """Give the names of a workspace's collections by id."""
    return {stored.collection.id: stored.collection.name for stored in store.list_collections(tx, scope)}


def conflicts_page(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.ListConflictsRequest,
) -> sync_pb2.ListConflictsResponse:
    """Give a page of conflicts."""
    size = paging.size(request.page_size)
    chosen = convert.filter_from(request.filter, "any" if request.include_settled else "open")
    rows, token = conflict_store.page(tx, scope, chosen, size, request.page_token)
    known = names(tx, scope)
    found = [convert.conflict_message(row, known.get(row.collection_id, "")) for row in rows]
    total = 0 if request.page_token else conflict_store.count(tx, scope, chosen)
    return sync_pb2.ListConflictsResponse(conflicts=found, next_page_token=token, total=total)


def conflict(tx: sa.Connection, scope: Scope, conflict_id: str) -> sync_pb2.Conflict:
    """Give one conflict."""
    row = conflict_store.get(tx, scope, conflict_id)
    return convert.conflict_message(row, names(tx, scope).get(row.collection_id, ""))


def settled(tx: sa.Connection, scope: Scope, conflict_id: str) -> tuple[sync_pb2.Conflict, sync_pb2.Record]:
    """Give a conflict that was just settled, or opened again, and its record as it is now."""
    row = record_store.by_key(tx, scope, conflict_store.get(tx, scope, conflict_id).record_key)
    return conflict(tx, scope, conflict_id), message(tx, scope, row)
