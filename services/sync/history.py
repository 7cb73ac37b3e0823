"""The versions of a record: what each did, field by field, and going back to one."""

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import MovedError, NotFoundError, StateError
from services.core.fields import Field, Missing, at
from services.core.importing import as_object
from services.core.merge import changed
from services.core.schema import validate
from services.core.values import dumps, loads
from services.runtime import paging
from services.runtime.identity import Identity
from services.sync import record_store, store
from services.sync.editing import Editor, find_record, refuse_findings
from services.sync.store import Scope
from services.sync.tables import record_revisions, records

# A page ends early where its versions are large.
_PAGE_BYTES: Final = 4 * 1024 * 1024


def revisions_page(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.ListRevisionsRequest,
) -> sync_pb2.ListRevisionsResponse:
    """Give versions of a record, newest first; the current one comes from the record itself."""
    row = _with_history(tx, scope, request.record_id, request.collection)
    size = paging.size(request.page_size)
    after = paging.decode(request.page_token, (int,))
    rows = record_store.revisions(tx, scope, row.key, size, int(after[0]) if after else None)
    versions = [(old.revision, old.reason, old.author, old.time, old.content) for old in rows]
    if not after:
        versions.insert(0, (row.revision, row.reason, row.updated_by, row.updated_at, row.content))
    found: list[sync_pb2.Revision] = []
    weight = 0
    for version, before in zip(versions[:size], [*(content for *_, content in versions[1:]), ""], strict=False):
        weight += len(version[-1])
        if found and weight > _PAGE_BYTES:
            break
        found.append(_revision(*version, before=before))
    more = paging.encode([found[-1].revision]) if len(versions) > len(found) else ""
    return sync_pb2.ListRevisionsResponse(revisions=found, next_page_token=more)


def restore(
    tx: sa.Connection,
    scope: Scope,
    request: sync_pb2.RestoreRecordRequest,
    identity: Identity,
    clock: Callable[[], float],
) -> sa.Row[Any]:
    """Make an earlier version of a record its newest one; give the record's row. A deleted record comes back.

    Raises NotFoundError for a version that is not there, MovedError when the record is at another revision than
    expected, InvalidInputError when the version breaks the collection's schema of today.
    """
    row = _with_history(tx, scope, request.record_id, request.collection)
    if request.expected_revision and request.expected_revision != row.revision:
        raise MovedError(
            f"record '{row.id}' is at revision {row.revision}, not {request.expected_revision}",
            remedy="read it again and repeat",
            reason="STALE_REVISION",
        )
    content = _content_at(tx, scope, row, request.revision)
    editor = Editor(tx, scope, identity, clock)
    if row.gone:
        return editor.create(row.collection_id, row.id, content.encode())
    if row.deleted and row.open_conflicts:
        raise StateError(
            f"record '{row.id}' is deleted here and was changed in Git",
            remedy="settle that with `lockstep conflicts list` and `lockstep conflicts resolve`",
        )
    collection = store.find_collection(tx, scope, row.collection_id).collection
    value = as_object(loads(content.encode()))
    refuse_findings(row.id, validate(collection.schema, value))
    return editor.store_content(row, collection, value, "restore")


def _with_history(tx: sa.Connection, scope: Scope, record_id: str, collection: str) -> sa.Row[Any]:
    """Give a record, or the one that had the id before it was deleted on both sides."""
    try:
        return find_record(tx, scope, record_id, collection)[0]
    except NotFoundError:
        chosen = store.find_collection(tx, scope, collection).collection.id if collection else ""
        mine = sa.and_(scope.where(records), records.c.id == record_id, records.c.gone)
        query = sa.select(records).where(mine).order_by(records.c.updated_at.desc(), records.c.key.desc())
        gone = tx.execute((query.where(records.c.collection_id == chosen) if chosen else query).limit(1)).first()
        if gone is None:
            raise
        return gone


def _content_at(tx: sa.Connection, scope: Scope, row: sa.Row[Any], revision: int) -> str:
    if revision == row.revision:
        return str(row.content)
    mine = sa.and_(scope.where(record_revisions), record_revisions.c.record_key == row.key)
    query = sa.select(record_revisions.c.content).where(mine, record_revisions.c.revision == revision)
    content = tx.execute(query).scalar()
    if content is None:
        raise NotFoundError(
            f"record '{row.id}' has no revision {revision}",
            remedy=f"it is at {row.revision}; `lockstep records history` shows them",
        )
    return str(content)


def _revision(revision: int, reason: str, author: str, time: int, content: str, *, before: str) -> sync_pb2.Revision:
    old = as_object(loads(before.encode())) if before else {}
    new = as_object(loads(content.encode()))
    pointers = changed(old, new)
    changes = [
        sync_pb2.FieldChange(pointer=pointer, before=_text(at(old, pointer)), after=_text(at(new, pointer)))
        for pointer in pointers
    ]
    return sync_pb2.Revision(
        revision=revision,
        reason=reason,
        author=author,
        time=time,
        content=content.encode(),
        changed=pointers,
        changes=changes,
    )


def _text(value: Field) -> bytes:
    return b"" if isinstance(value, Missing) else dumps(value)
