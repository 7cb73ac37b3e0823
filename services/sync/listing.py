"""Pages of what the sync service holds, as messages."""

from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.runtime import paging
from services.sync import convert, inbox_store, record_store, store
from services.sync.editing import changed_since, find_record
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


def records_page(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.ListRecordsRequest,
) -> sync_pb2.ListRecordsResponse:
    """Give a page of records."""
    conditions: list[sa.ColumnElement[bool]] = []
    if request.collection:
        chosen = store.find_collection(tx, scope, request.collection).collection.id
        conditions.append(records.c.collection_id == chosen)
    if request.state:
        conditions.append(_STATES[request.state])
    if request.query:
        text = request.query.lower()
        columns = (sa.func.lower(records.c.id), sa.func.lower(records.c.title))
        conditions.append(sa.or_(*(column.contains(text, autoescape=True) for column in columns)))
    rows, token = record_store.page(tx, scope, conditions, paging.size(request.page_size), request.page_token)
    return sync_pb2.ListRecordsResponse(
        records=[convert.record_message(r, r.collection_name, with_content=request.with_content) for r in rows],
        next_page_token=token,
        total=0 if request.page_token else record_store.count(tx, scope, *conditions),
    )


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


def revisions_page(
    tx: sa.Connection,
    scope: Scope,
    row: sa.Row[Any],
    size: int,
    token: str,
) -> sync_pb2.ListRevisionsResponse:
    """Give versions of a record, newest first; the current one comes from the record itself."""
    after = paging.decode(token, (int,))
    rows = record_store.revisions(tx, scope, row.key, size, int(after[0]) if after else None)
    versions = [(old.revision, old.reason, old.author, old.time, old.content) for old in rows]
    if not after:
        versions.insert(0, (row.revision, row.reason, row.updated_by, row.updated_at, row.content))
    shown = versions[:size]
    contents = [content for *_, content in versions[1 : size + 1]]
    older: list[str | None] = [*contents, None]
    found = [
        sync_pb2.Revision(
            revision=revision,
            reason=reason,
            author=author,
            time=time,
            content=content.encode(),
            changed=changed_since(before, content),
        )
        for (revision, reason, author, time, content), before in zip(shown, older, strict=False)
    ]
    more = paging.encode([shown[-1][0]]) if len(versions) > size else ""
    return sync_pb2.ListRevisionsResponse(revisions=found, next_page_token=more)


def conflicts_page(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.ListConflictsRequest,
) -> sync_pb2.ListConflictsResponse:
    """Give a page of conflicts."""
    size = paging.size(request.page_size)
    rows, token = inbox_store.list_conflicts(tx, scope, size, request.page_token, settled=request.include_settled)
    known = names(tx, scope)
    found = [convert.conflict_message(row, known.get(row.collection_id, "")) for row in rows]
    return sync_pb2.ListConflictsResponse(conflicts=found, next_page_token=token)


def conflict(tx: sa.Connection, scope: Scope, conflict_id: str) -> sync_pb2.Conflict:
    """Give one conflict."""
    row = inbox_store.get_conflict(tx, scope, conflict_id)
    return convert.conflict_message(row, names(tx, scope).get(row.collection_id, ""))


def quarantine_page(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.ListQuarantineRequest,
) -> sync_pb2.ListQuarantineResponse:
    """Give a page of the quarantine."""
    rows, token = inbox_store.list_quarantine(tx, scope, paging.size(request.page_size), request.page_token)
    known = names(tx, scope)
    return sync_pb2.ListQuarantineResponse(
        files=[convert.quarantine_message(row, known.get(row.collection_id, "")) for row in rows],
        next_page_token=token,
        total=0 if request.page_token else inbox_store.count_quarantine(tx, scope),
    )
