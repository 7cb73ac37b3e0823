"""Collections of a workspace: add, change, remove."""

from dataclasses import replace

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.collection import Collection
from services.core.errors import AlreadyExistsError, StateError
from services.core.quality import check_quality
from services.core.schema import check_schema
from services.runtime.ids import new_id
from services.sync import record_store, store
from services.sync.convert import collection_from
from services.sync.store import Scope
from services.sync.tables import (
    collections,
    conflicts,
    merges,
    quarantine,
    record_revisions,
    records,
    reservations,
    reviews,
    run_changes,
    search_state,
    sync_runs,
    workspaces,
)


def create(tx: sa.Connection, scope: Scope, message: sync_pb2.Collection) -> Collection:
    """Add a collection; raise AlreadyExistsError for a name that is taken, InvalidInputError for bad rules."""
    collection = _checked(collection_from(message, new_id()))
    if any(stored.collection.name == collection.name for stored in store.list_collections(tx, scope)):
        raise AlreadyExistsError(
            f"there is a collection '{collection.name}' already",
            remedy="choose another name, or change that one",
        )
    store.save_collection(tx, scope, collection, new=True)
    return collection


def update(tx: sa.Connection, scope: Scope, message: sync_pb2.Collection) -> Collection:
    """Replace a collection's settings; the next import reads its whole folder again."""
    known = store.find_collection(tx, scope, message.id or message.name).collection
    collection = collection_from(message, known.id)
    if collection.schema_path == known.schema_path and collection.schema in (b"", known.schema) and known.schema_blob:
        # What was read from the repository stays until the next import has looked there.
        collection = replace(collection, schema=known.schema, schema_blob=known.schema_blob)
    collection = _checked(collection)
    store.save_collection(tx, scope, collection, new=False)
    return collection


def delete(tx: sa.Connection, scope: Scope, name: str, *, force: bool) -> None:
    """Remove a collection with its records; raise StateError while some are pending, unless forced."""
    collection = store.find_collection(tx, scope, name).collection
    mine = records.c.collection_id == collection.id
    _refuse_pending(tx, scope, f"collection '{collection.name}'", mine, force=force)
    keys = sa.select(records.c.key).where(scope.where(records), mine)
    for table in (record_revisions, conflicts, merges, reservations, reviews):
        tx.execute(sa.delete(table).where(scope.where(table), table.c.record_key.in_(keys)))
    tx.execute(sa.delete(records).where(scope.where(records), mine))
    tx.execute(sa.delete(quarantine).where(scope.where(quarantine), quarantine.c.collection_id == collection.id))
    store.remove_collection(tx, scope, collection.id)


def delete_workspace(tx: sa.Connection, scope: Scope, *, force: bool) -> None:
    """Remove all rows of a workspace; raise StateError while records are pending, unless forced."""
    _refuse_pending(tx, scope, "the workspace", sa.true(), force=force)
    for table in (
        record_revisions,
        conflicts,
        merges,
        reservations,
        reviews,
        records,
        quarantine,
        search_state,
        run_changes,
        sync_runs,
        collections,
        workspaces,
    ):
        tx.execute(sa.delete(table).where(scope.where(table)))


def _checked(collection: Collection) -> Collection:
    collection.check()
    check_schema(collection.schema)
    check_quality(collection.quality)
    return collection


def _refuse_pending(
    tx: sa.Connection,
    scope: Scope,
    what: str,
    mine: sa.ColumnElement[bool],
    *,
    force: bool,
) -> None:
    pending = 0 if force else record_store.count(tx, scope, mine, record_store.OPEN)
    if pending:
        raise StateError(
            f"{what} has {pending} records that are not in Git yet",
            remedy="publish them first, or repeat with --force to drop the edits",
            reason="PENDING_EDITS",
        )
