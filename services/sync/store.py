"""Rows of workspaces, collections and runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from services.core.brake import Brake
from services.core.collection import Collection
from services.core.errors import NotFoundError
from services.runtime import paging
from services.sync.tables import collections, sync_runs, workspaces


@dataclass(frozen=True)
class Scope:
    """A workspace of a tenant: what every query is keyed by."""

    tenant_id: str
    workspace_id: str

    def where(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Give the condition that keeps a query inside the workspace."""
        return _inside(self, table)

    def columns(self) -> dict[str, str]:
        """Give the key columns of a new row."""
        return {"tenant_id": self.tenant_id, "workspace_id": self.workspace_id}


@lru_cache(maxsize=1024)
def _inside(scope: Scope, table: sa.Table) -> sa.ColumnElement[bool]:
    # Every query has it, and making it takes longer than what SQLite does with a small one.
    return sa.and_(table.c.tenant_id == scope.tenant_id, table.c.workspace_id == scope.workspace_id)


@dataclass(frozen=True)
class StoredCollection:
    """A collection and the commit whose files its records stand for."""

    collection: Collection
    imported_commit: str


def lock(tx: sa.Connection, scope: Scope, *, counts: bool = True) -> sa.Row[Any]:
    """Make this transaction the only one that writes to the workspace; give the workspace's row as it was before.

    The workspace's revision goes up, unless ``counts`` is false: nothing that a plan is about will change.
    SQLite has one writer anyway; PostgreSQL takes an advisory lock that ends with the transaction.
    """
    if tx.dialect.name == "postgresql":
        key = f"{scope.tenant_id}/{scope.workspace_id}"
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    row = tx.execute(sa.select(workspaces).where(scope.where(workspaces))).first()
    if row is None:
        tx.execute(sa.insert(workspaces).values(**scope.columns()))
        row = tx.execute(sa.select(workspaces).where(scope.where(workspaces))).one()
    if counts:
        tx.execute(sa.update(workspaces).where(scope.where(workspaces)).values(revision=workspaces.c.revision + 1))
    return row


def workspace_row(tx: sa.Connection, scope: Scope) -> sa.Row[Any] | None:
    """Give the workspace's row; None before anything was written."""
    return tx.execute(sa.select(workspaces).where(scope.where(workspaces))).first()


def revision(tx: sa.Connection, scope: Scope) -> int:
    """Give how many writes the workspace has seen."""
    found = tx.execute(sa.select(workspaces.c.revision).where(scope.where(workspaces))).scalar()
    return int(found or 0)


def next_key(tx: sa.Connection, scope: Scope) -> int:
    """Give the key that the next new record gets."""
    found = tx.execute(sa.select(workspaces.c.next_key).where(scope.where(workspaces))).scalar()
    return int(found or 1)


def take_keys(tx: sa.Connection, scope: Scope, count: int) -> int:
    """Give the first of ``count`` new record keys. Only under ``lock``."""
    first = tx.execute(sa.select(workspaces.c.next_key).where(scope.where(workspaces))).scalar_one()
    tx.execute(sa.update(workspaces).where(scope.where(workspaces)).values(next_key=first + count))
    return int(first)


def set_imported(tx: sa.Connection, scope: Scope, commit: str, now: int) -> None:
    """Say that all collections hold the files of a commit."""
    tx.execute(sa.update(collections).where(scope.where(collections)).values(imported_commit=commit))
    tx.execute(sa.update(workspaces).where(scope.where(workspaces)).values(imported_commit=commit, last_sync=now))


def list_collections(tx: sa.Connection, scope: Scope) -> list[StoredCollection]:
    """Give a workspace's collections by name."""
    rows = tx.execute(sa.select(collections).where(scope.where(collections)).order_by(collections.c.name))
    return [StoredCollection(_collection(row), row.imported_commit) for row in rows]


def find_collection(tx: sa.Connection, scope: Scope, name: str) -> StoredCollection:
    """Give a collection by name or id, the only one when the name is empty; raise NotFoundError else."""
    found = list_collections(tx, scope)
    chosen = [c for c in found if name in {c.collection.name, c.collection.id} or not name]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(c.collection.name for c in found)
    if not found:
        raise NotFoundError(
            "the workspace has no collection",
            remedy="add one with `lockstep workspace set NAME --collection NAME=PATH`",
        )
    what = f"there is no collection '{name}'" if name else "the workspace has several collections"
    raise NotFoundError(what, remedy=f"name one of: {names}")


def save_collection(tx: sa.Connection, scope: Scope, collection: Collection, *, new: bool) -> None:
    """Write a collection; the next import reads its whole folder."""
    settings = {
        "path": collection.path,
        "include": collection.include,
        "exclude": collection.exclude,
        "id_rule": collection.id_rule,
        "new_path": collection.new_path,
        "schema": collection.schema.decode(),
        "quality": collection.quality.decode(),
        "merge": collection.merge.decode(),
        "review_required": collection.review_required,
        "schema_path": collection.schema_path,
        "schema_blob": collection.schema_blob,
        "brake": [collection.brake.records, collection.brake.percent],
    }
    values = {"name": collection.name, "settings": json.dumps(settings), "imported_commit": ""}
    if new:
        tx.execute(sa.insert(collections).values(**scope.columns(), id=collection.id, **values))
    else:
        key = sa.and_(scope.where(collections), collections.c.id == collection.id)
        tx.execute(sa.update(collections).where(key).values(**values))
    tx.execute(sa.update(workspaces).where(scope.where(workspaces)).values(imported_commit=""))


def remove_collection(tx: sa.Connection, scope: Scope, collection_id: str) -> None:
    """Delete a collection's row; its records are the caller's to delete."""
    tx.execute(sa.delete(collections).where(scope.where(collections), collections.c.id == collection_id))


def add_run(tx: sa.Connection, scope: Scope, values: Mapping[str, Any]) -> None:
    """Write a new run."""
    tx.execute(sa.insert(sync_runs).values(**scope.columns(), **values))


def finish_run(tx: sa.Connection, scope: Scope, run_id: str, values: Mapping[str, Any]) -> None:
    """Write how a run ended."""
    key = sa.and_(scope.where(sync_runs), sync_runs.c.id == run_id)
    tx.execute(sa.update(sync_runs).where(key).values(**values))


def forget_run(tx: sa.Connection, scope: Scope, run_id: str) -> None:
    """Remove a run that did nothing."""
    tx.execute(sa.delete(sync_runs).where(scope.where(sync_runs), sync_runs.c.id == run_id))


def fail_abandoned_runs(tx: sa.Connection, started_before: int, now: int) -> None:
    """Say of runs that a process left behind that they failed, over all workspaces."""
    key = sa.and_(sync_runs.c.state == "running", sync_runs.c.started_at < started_before)
    values = {
        "state": "failed",
        "error": "the process ended before the run did; nothing landed",
        "finished_at": now,
    }
    tx.execute(sa.update(sync_runs).where(key).values(**values))


def newest_import(tx: sa.Connection, scope: Scope) -> sa.Row[Any] | None:
    """Give the import that landed last and was not taken back; None where there is none."""
    landed = sa.and_(sync_runs.c.kind == "import", sync_runs.c.state == "succeeded")
    query = sa.select(sync_runs).where(scope.where(sync_runs), landed)
    return tx.execute(query.order_by(sync_runs.c.revision.desc()).limit(1)).first()


def undone_commits(tx: sa.Connection, scope: Scope) -> frozenset[str]:
    """Give the commits whose imports a person took back, and which nobody asked for since.

    Nothing imports them by itself.
    """
    newest = newest_import(tx, scope)
    undone = sa.and_(sync_runs.c.state == "undone", sync_runs.c.revision > (newest.revision if newest else 0))
    return frozenset(tx.execute(sa.select(sync_runs.c.commit).where(scope.where(sync_runs), undone)).scalars())


def get_run(tx: sa.Connection, scope: Scope, run_id: str) -> sa.Row[Any]:
    """Give one run; raise NotFoundError."""
    row = tx.execute(sa.select(sync_runs).where(scope.where(sync_runs), sync_runs.c.id == run_id)).first()
    if row is None:
        raise NotFoundError(f"there is no run '{run_id}'", remedy="`lockstep runs list` shows them")
    return row


def list_runs(tx: sa.Connection, scope: Scope, size: int, token: str) -> tuple[list[sa.Row[Any]], str]:
    """Give a page of runs, newest first, and the token of the next one."""
    after = paging.decode(token, (str,))
    query = sa.select(sync_runs).where(scope.where(sync_runs)).order_by(sync_runs.c.id.desc()).limit(size + 1)
    if after:
        query = query.where(sync_runs.c.id < after[0])
    rows = list(tx.execute(query))
    return rows[:size], paging.encode([rows[size - 1].id]) if len(rows) > size else ""


def _collection(row: sa.Row[Any]) -> Collection:
    return _read_collection(row.id, row.name, row.settings)


@lru_cache(maxsize=256)
def _read_collection(collection_id: str, name: str, text: str) -> Collection:
    # A collection keeps its patterns compiled; most calls find the same ones.
    settings = json.loads(text)
    return Collection(
        id=collection_id,
        name=name,
        path=settings["path"],
        include=tuple(settings["include"]),
        exclude=tuple(settings["exclude"]),
        id_rule=settings["id_rule"],
        new_path=settings["new_path"],
        schema=settings["schema"].encode(),
        quality=settings["quality"].encode(),
        merge=settings["merge"].encode(),
        review_required=settings["review_required"],
        schema_path=settings["schema_path"],
        schema_blob=settings["schema_blob"],
        brake=Brake(*settings["brake"]),
    )
