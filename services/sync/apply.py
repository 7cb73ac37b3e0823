"""The second half of an import: writes the plan of one collection in the import's transaction."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from services.core.collection import Collection
from services.core.importing import CollectionPlan, ParsedFile, Upsert
from services.core.merge import MISSING
from services.core.values import dumps
from services.sync import inbox_store, journal, merge_store, record_store, store
from services.sync.deriving import derived
from services.sync.journal import Touched
from services.sync.store import Scope

BY_GIT = "git"


@dataclass
class Counts:
    """What an import did; see ``sync.v1.ImportCounts``."""

    files: int = 0
    imported: int = 0
    updated: int = 0
    deleted: int = 0
    renamed: int = 0
    unchanged: int = 0
    conflicts: int = 0
    quarantined: int = 0
    excluded: int = 0

    def add(self, plan: CollectionPlan, waiting: AbstractSet[bytes]) -> None:
        """Count a plan. ``waiting`` are files in quarantine that did not change in Git."""
        for upsert in plan.upserts:
            self.files += upsert.file.path in waiting
            new = upsert.existing is None or upsert.existing.gone
            self.imported += new
            self.renamed += upsert.renamed
            self.updated += not new and upsert.content_changed and not upsert.renamed
            self.unchanged += not new and not upsert.content_changed and not upsert.renamed
            self.conflicts += len(upsert.conflicts)
        self.deleted += len(plan.removals)
        self.conflicts += sum(orphan.conflict is not None for orphan in plan.orphans)
        self.quarantined += sum(path not in waiting for path in plan.quarantine)


def apply_plan(
    tx: sa.Connection,
    scope: Scope,
    collection: Collection,
    plan: CollectionPlan,
    rows: Mapping[int, sa.Row[Any]],
    *,
    run_id: str,
    commit: str,
    now: int,
) -> None:
    """Write a plan. ``rows`` are the records it speaks of, by key, as they are in this transaction."""
    version = _Version(scope, collection, run_id, now)
    taken = [(u, rows[u.existing.key]) for u in plan.upserts if u.existing]
    # Of a folder that is read as a whole most files leave their record as it is.
    touching = [(u, row, values) for u, row in taken if version.touches(u, row, values := version.changed(u, row))]
    going = [*(removal.existing for removal in plan.removals), *(orphan.existing for orphan in plan.orphans)]
    touched = [
        *(row for _, row, _ in touching),
        *(rows[record.key] for record in (*going, *plan.broken, *plan.displaced)),
    ]
    merged = list(_merged(plan))
    journal.note(
        tx, scope, run_id, collection.id, Touched(touched, sorted(plan.cleared | plan.quarantine.keys()), merged)
    )
    changing = [u.existing.key for u in plan.upserts if u.existing and (u.content_changed or u.existing.gone)]
    record_store.archive(tx, scope, changing + [removal.existing.key for removal in plan.removals])
    _free_ids(tx, scope, plan, run_id)
    record_store.write(tx, [_disputed(tx, version, u, row, values) for u, row, values in touching], run_id)
    _add_new(tx, version, [upsert.file for upsert in plan.upserts if upsert.existing is None])
    _remove(tx, scope, plan, run_id=run_id, now=now)
    _orphan(tx, scope, plan, run_id=run_id, now=now)
    merge_store.note(tx, scope, plan, run_id=run_id, commit=commit, now=now)
    for record in plan.broken:
        record_store.update(tx, scope, record.key, {"file_rejected": True}, run_id)
    record_store.mark_merged(tx, scope, merged, commit, now)
    inbox_store.hold_files(tx, scope, collection.id, plan.quarantine.values())
    if plan.cleared:
        inbox_store.clear_files(tx, scope, collection.id, plan.cleared)


# What differs between records that Git brings; for the rest the table says what such a record is.
NEW: Final = (
    "tenant_id",
    "workspace_id",
    "collection_id",
    "updated_at",
    "run_id",
    "key",
    "id",
    "path",
    "content",
    "title",
    "quality",
    "base_blob",
    "base_raw",
)


class _Version:
    """Makes the rows of records that take files over in one import of one collection."""

    def __init__(self, scope: Scope, collection: Collection, run_id: str, now: int) -> None:
        self.scope = scope
        self.run_id = run_id
        self.now = now
        self.rules = collection.rules
        self._collection = collection
        self._fixed = {**scope.columns(), "collection_id": collection.id, "gone": False, "file_rejected": False}
        self._made = {"reason": "import", "updated_by": BY_GIT, "updated_at": now}
        self._new = (scope.tenant_id, scope.workspace_id, collection.id, now, run_id)

    def new(self, file: ParsedFile, key: int) -> tuple[Any, ...]:
        """Give the values of the columns NEW for a record that Git brings."""
        content = file.content.decode()
        return (*self._new, key, file.id, file.path, content, file.title, file.quality, file.blob, file.raw)

    def touches(self, upsert: Upsert, row: sa.Row[Any], values: Mapping[str, Any]) -> bool:
        """Say whether a record that is there, or a conflict of it, changes."""
        return bool(upsert.conflicts or row.open_conflicts) or values != dict(row._mapping)  # noqa: SLF001  public accessor

    def changed(self, upsert: Upsert, row: sa.Row[Any]) -> dict[str, Any]:
        """Give the row of a record that is there; its version is a new one where its content is."""
        values = {**row._mapping, **self._fixed, **self._file(upsert)}  # noqa: SLF001  SQLAlchemy's public accessor
        values |= {"dirty": upsert.dirty, "deleted": upsert.deleted, **self._derived(upsert)}
        if row.gone or upsert.content_changed:
            reason = "merge" if upsert.dirty else "import"
            values |= {**self._content(upsert), **self._made, "reason": reason, "revision": row.revision + 1}
        if not upsert.dirty:
            values |= {"authors": "[]", "conflicts_settled": 0}
        if upsert.merged:
            values["publication_id"] = ""
        return values

    def _file(self, upsert: Upsert) -> dict[str, Any]:
        file = upsert.file
        return {"id": file.id, "path": file.path, "base_blob": file.blob, "base_raw": file.raw}

    def _content(self, upsert: Upsert) -> dict[str, Any]:
        file, value = upsert.file, upsert.value
        content = file.content if value is None else dumps(value)
        return {"content": content.decode(), **self._derived(upsert)}

    def _derived(self, upsert: Upsert) -> dict[str, Any]:
        """Give what follows from content, id and settings, of which each may change alone."""
        file, value = upsert.file, upsert.value
        title, quality = (file.title, file.quality) if value is None else derived(self._collection, file.id, value)
        return {"title": title, "quality": quality}


def _add_new(tx: sa.Connection, version: _Version, files: Sequence[ParsedFile]) -> None:
    if files:
        first = store.take_keys(tx, version.scope, len(files))
        journal.note_new(tx, version.scope, version.run_id, first, len(files))
        record_store.add(tx, NEW, [version.new(file, key) for key, file in enumerate(files, first)])


def _disputed(
    tx: sa.Connection, version: _Version, upsert: Upsert, row: sa.Row[Any], values: dict[str, Any]
) -> dict[str, Any]:
    """Give the row of a record that is there, having written or settled its conflicts."""
    if upsert.conflicts or row.open_conflicts:
        theirs = upsert.file.value()
        ours = MISSING if upsert.deleted else theirs if upsert.value is None else upsert.value
        sides: dict[str, Any] = {"ours": ours, "theirs": theirs, "rules": version.rules}
        count = inbox_store.renew_conflicts(
            tx, version.scope, row.key, upsert.conflicts, **sides, run_id=version.run_id, now=version.now
        )
        return {**values, "open_conflicts": count}
    return values


def _free_ids(tx: sa.Connection, scope: Scope, plan: CollectionPlan, run_id: str) -> None:
    """Give up ids that move, so that two records may swap theirs within one import."""
    leaving = [u.existing for u in plan.upserts if u.existing and u.existing.id != u.file.id]
    for record in [*leaving, *plan.displaced]:
        record_store.free_id(tx, scope, record.key, record.id, run_id)


def _remove(tx: sa.Connection, scope: Scope, plan: CollectionPlan, *, run_id: str, now: int) -> None:
    for removal in plan.removals:
        inbox_store.settle_conflicts(tx, scope, [removal.existing.key], now)
        values = {"gone": True, "deleted": True, "dirty": False, "base_blob": "", "base_raw": b""}
        values |= {"open_conflicts": 0, "authors": "[]", "file_rejected": False, "publication_id": ""}
        values |= {"revision": removal.existing.revision + 1, "reason": "delete", "updated_by": BY_GIT}
        record_store.update(tx, scope, removal.existing.key, {**values, "updated_at": now}, run_id)


def _orphan(tx: sa.Connection, scope: Scope, plan: CollectionPlan, *, run_id: str, now: int) -> None:
    for orphan in plan.orphans:
        key = orphan.existing.key
        # Git has no fields any more; the one question left is whether the record stays.
        inbox_store.settle_conflicts(tx, scope, [key], now)
        found = [orphan.conflict] if orphan.conflict else []
        count = inbox_store.open_conflicts(tx, scope, key, found, run_id=run_id, now=now)
        values = {"base_blob": "", "base_raw": b"", "dirty": True, "file_rejected": False, "open_conflicts": count}
        if orphan.merged:
            values["publication_id"] = ""
        record_store.update(tx, scope, key, values, run_id)


def _merged(plan: CollectionPlan) -> Iterator[tuple[str, int]]:
    for upsert in plan.upserts:
        if upsert.merged and upsert.existing and upsert.existing.proposal:
            yield upsert.existing.proposal.publication_id, upsert.existing.key
    for orphan in plan.orphans:
        if orphan.merged and orphan.existing.proposal:
            yield orphan.existing.proposal.publication_id, orphan.existing.key
    for removal in plan.removals:
        if removal.merged and removal.existing.proposal:
            yield removal.existing.proposal.publication_id, removal.existing.key
