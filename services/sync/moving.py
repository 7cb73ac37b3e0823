"""Pairs files that went with files that came, where git did not and the records' ids follow their paths."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import sqlalchemy as sa

from services.core.importing import ExistingRecord, ParsedFile
from services.core.pairing import MOST_COMPARED, pair, signature
from services.sync import record_store
from services.sync.gather import Gathered
from services.sync.store import Scope

_MANY: Final = 500


def pair_moved(tx: sa.Connection, scope: Scope, gathered: Gathered) -> None:
    """Add to ``gathered.renames`` the files whose record is that of a file that went: equal ones, then alike ones.

    Costs nothing where no file went. A folder that is read as a whole has no files that went.
    """
    lost = sorted(gathered.removed - set(gathered.renames.values()))
    if gathered.full or not lost:
        return
    moved = _Moved(tx, scope, gathered)
    moved.equal(lost)
    moved.alike(lost)


class _Moved:
    def __init__(self, tx: sa.Connection, scope: Scope, gathered: Gathered) -> None:
        self._tx = tx
        self._scope = scope
        self._gathered = gathered
        self._taken: set[bytes] = set()

    def equal(self, lost: list[bytes]) -> None:
        """Pair files whose records are equal."""
        sources: dict[bytes, list[bytes]] = {}
        for record in self._records(lost):
            sources.setdefault(signature(record.base()), []).append(record.path)
        for file in self._new() if sources else ():
            waiting = sources.get(signature(file.value()))
            if waiting:
                self._take(file.path, waiting.pop(0))

    def alike(self, lost: list[bytes]) -> None:
        """Pair files of what is left whose records are mostly alike, where these are few."""
        left = [path for path in lost if path not in self._taken]
        most = MOST_COMPARED // max(1, len(left))
        added = {file.path: file.value() for file in islice(self._new(), most + 1)} if left and most else {}
        if not added or len(added) > most:
            return
        before = {record.path: record.base() for record in self._records(left)}
        for path, source in pair(before, added).items():
            self._take(path, source)

    def _take(self, path: bytes, source: bytes) -> None:
        self._gathered.renames[path] = source
        self._taken.add(source)

    def _records(self, paths: list[bytes]) -> Iterator[ExistingRecord]:
        """Give the records whose files went, in the order of their paths."""
        collection_id = self._gathered.collection.id
        for start in range(0, len(paths), _MANY):
            part = paths[start : start + _MANY]
            owned = record_store.owners(self._tx, self._scope, collection_id, paths=part, ids=())
            there = [record for record, _ in owned.values() if record.base_blob and not record.gone]
            yield from sorted(there, key=lambda record: record.path)

    def _new(self) -> Iterator[ParsedFile]:
        """Give the files that came and whose id is no record's yet."""
        gathered = self._gathered
        for chunk in gathered.files.chunks():
            files = [file for file in chunk if isinstance(file, ParsedFile) and file.path not in gathered.renames]
            ids, paths = {file.id for file in files}, {file.path for file in files}
            owned = record_store.owners(self._tx, self._scope, gathered.collection.id, paths=paths, ids=ids)
            known = {record.id for record, _ in owned.values() if not record.gone}
            held = {record.path for record, _ in owned.values() if record.base_blob and not record.gone}
            yield from (file for file in files if file.id not in known and file.path not in held)
