"""Schemas that live in the repository: read at the commit that is imported, and pinned by their blob.

Edits and later imports go by the pinned one. When its file has changed, all files of the collection are read again,
so that quarantine and records follow the new schema; when it is gone or broken, the pinned one stays, and the run
says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from services.core.collection import Collection
from services.core.errors import InvalidInputError, NotFoundError, StateError
from services.core.formats import FORMATS
from services.core.schema import check_schema
from services.core.values import dumps, loads
from services.sync import store
from services.sync.git_client import GitClient
from services.sync.store import Scope, StoredCollection


@dataclass(frozen=True)
class Pinned:
    """The collections of an import with the schemas it goes by, those whose schema is new, and what to say of it."""

    collections: list[StoredCollection]
    changed: Sequence[Collection] = ()
    notes: Sequence[str] = ()

    def save(self, tx: sa.Connection, scope: Scope) -> None:
        """Write the new schemas, in the transaction that writes the records."""
        for collection in self.changed:
            store.save_collection(tx, scope, collection, new=False)


def pin_schemas(git: GitClient, scope: Scope, commit: str, stored: Sequence[StoredCollection]) -> Pinned:
    """Read the schemas of collections that have theirs in the repository, at a commit.

    A collection whose schema is new comes without its imported commit, so that its whole folder is read. Raises
    StateError (reason NO_SCHEMA) when there is none yet and the file is missing or no schema.
    """
    collections: list[StoredCollection] = []
    changed: list[Collection] = []
    notes: list[str] = []
    for one in stored:
        collection = one.collection
        # What was imported at this commit was imported by the schema of this commit.
        if not collection.schema_path or one.imported_commit == commit:
            collections.append(one)
            continue
        try:
            found = _read(git, scope, commit, collection)
        except (NotFoundError, InvalidInputError) as error:
            if not collection.schema_blob:
                raise StateError(
                    f"{_named(collection)} cannot be used: {error.message}",
                    remedy="put a JSON Schema there, or change schema_path",
                    reason="NO_SCHEMA",
                ) from error
            notes.append(f"{_named(collection)} cannot be used at this commit, the one before stays: {error.message}")
            found = collection
        if found.schema_blob == collection.schema_blob:
            collections.append(one)
            continue
        if collection.schema_blob:
            notes.append(f"{_named(collection)} has changed: all its files were checked again")
        changed.append(found)
        collections.append(StoredCollection(found, ""))
    return Pinned(collections, changed, notes)


def _read(git: GitClient, scope: Scope, commit: str, collection: Collection) -> Collection:
    """Give the collection with the schema of a commit."""
    file = git.read_file(scope, commit, collection.schema_path.encode())
    if file.blob_oid == collection.schema_blob:
        return collection
    is_yaml = collection.schema_path.endswith((".yaml", ".yml"))
    schema = dumps(FORMATS["yaml"].parse(file.content) if is_yaml else loads(file.content))
    check_schema(schema)
    return replace(collection, schema=schema, schema_blob=file.blob_oid)


def _named(collection: Collection) -> str:
    return f"the schema '{collection.schema_path}' of collection '{collection.name}'"
