"""Says what a publication would set aside, and what its files would change, and sets nothing aside.

The reservation itself is made and taken back: so a plan and what is published after it cannot differ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import LockstepError, NeedsPersonError
from services.core.unified_diff import unified
from services.runtime.database import Database
from services.sync import store
from services.sync.batches import by_size
from services.sync.reserving import LeftOut, Selection, Wish, select
from services.sync.store import Scope
from services.sync.tables import records

MOST_LEFT_OUT: Final = 1_000
DIFF_BYTES: Final = 256 * 1024
DIFFS_BYTES: Final = 8 * 1024 * 1024
_WHY: Final = {"SCHEMA": "schema", "NO_PLACE": "no-place"}
# No publication has it: ids are 26 characters.
_NOBODY: Final = "preview"


@dataclass(frozen=True)
class Preview:
    """What would be set aside, for which commit and revision; ``left_out`` are the first of ``left_out_count``."""

    base_commit: str
    revision: int
    records: Sequence[sync_pb2.PreviewedRecord]
    left_out: Sequence[sync_pb2.LeftOutRecord]
    left_out_count: int


def preview(database: Database, scope: Scope, wish: Wish, now: int) -> Preview:
    """Say what ``reserving.reserve`` would do with a wish now; raises what that raises."""
    with database.begin(scope.tenant_id) as tx:
        workspace = store.lock(tx, scope)
        names = {stored.collection.id: stored.collection.name for stored in store.list_collections(tx, scope)}
        selection = select(tx, scope, replace(wish, publication_id=_NOBODY), workspace.imported_commit, now)
        shown = list(_Diffs().of(selection))
        waiting = [] if wish.record_ids else list(_waiting(tx, scope))
        tx.rollback()
    left = [*selection.left_out, *waiting]
    named = [_left_out(one, names) for one in left[:MOST_LEFT_OUT]]
    return Preview(selection.base_commit, workspace.revision, shown, named, len(left))


def batches(found: Preview) -> Iterator[sync_pb2.PreviewRecordsResponse]:
    """Give a preview in messages of about 1 MiB each."""
    message = sync_pb2.PreviewRecordsResponse(
        base_commit_oid=found.base_commit,
        revision=found.revision,
        left_out=found.left_out,
        left_out_count=found.left_out_count,
    )
    for group in by_size(found.records):
        message.records.extend(group)
        yield message
        message = sync_pb2.PreviewRecordsResponse()


@dataclass
class _Diffs:
    """Makes diffs until they are too much for one answer."""

    left: int = field(default=DIFFS_BYTES)

    def of(self, selection: Selection) -> Iterator[sync_pb2.PreviewedRecord]:
        for row, answer in selection.taken:
            diff, cut = self._diff(row, answer) if self.left else (b"", True)
            answer.ClearField("file_content")
            yield sync_pb2.PreviewedRecord(record=answer, diff=diff, diff_cut=cut)

    def _diff(self, row: sa.Row[Any], answer: sync_pb2.ReservedRecord) -> tuple[bytes, bool]:
        old = None if answer.create else bytes(row.base_raw)
        new = None if answer.delete else answer.file_content
        whole = unified(old, new, answer.old_path or answer.path, answer.path)
        room = min(DIFF_BYTES, self.left)
        if len(whole) <= room:
            self.left -= len(whole)
            return whole, False
        # Whole lines only.
        diff = whole[: whole.rfind(b"\n", 0, room) + 1]
        self.left = self.left - len(diff) if room == DIFF_BYTES else 0
        return diff, True


def _waiting(tx: sa.Connection, scope: Scope) -> Iterator[LeftOut]:
    """Give the records with edits that wait for a person: in conflict, or with a file that cannot be read."""
    stuck = sa.or_(records.c.open_conflicts > 0, records.c.file_rejected)
    mine = sa.and_(scope.where(records), ~records.c.gone, records.c.publication_id == "")
    query = sa.select(records).where(mine, sa.or_(records.c.dirty, records.c.open_conflicts > 0), stuck)
    for row in tx.execute(query.order_by(records.c.collection_id, records.c.id)):
        yield LeftOut(row, _in_conflict(row) if row.open_conflicts else _unreadable(row))


def _in_conflict(row: sa.Row[Any]) -> NeedsPersonError:
    return NeedsPersonError(
        f"record '{row.id}' is in conflict",
        why="conflict",
        remedy="settle it with `lockstep conflicts list` and `lockstep conflicts resolve`",
    )


def _unreadable(row: sa.Row[Any]) -> NeedsPersonError:
    return NeedsPersonError(
        f"the file of record '{row.id}' in Git cannot be read",
        why="quarantine",
        remedy="see `lockstep quarantine list`, mend the file and run `lockstep git-pull`",
    )


def _left_out(one: LeftOut, names: dict[str, str]) -> sync_pb2.LeftOutRecord:
    return sync_pb2.LeftOutRecord(
        record_id=one.row.id,
        collection=names.get(one.row.collection_id, ""),
        why=_why(one.error),
        message=str(one.error),
    )


def _why(error: LockstepError) -> str:
    return error.why if isinstance(error, NeedsPersonError) else _WHY.get(error.reason, "invalid")
