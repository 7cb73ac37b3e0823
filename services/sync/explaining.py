"""Explains merges: per field what base, database and Git had, what came of it, and who did what when."""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.importing import as_object
from services.core.merge import Outcome, at, same
from services.core.values import Value, loads
from services.sync import conflict_store, convert, merge_store, record_store, store
from services.sync.editing import find_record
from services.sync.git_client import GitClient
from services.sync.store import Scope
from services.sync.tables import sync_runs

# Versions that a merge made say nothing about who edited.
BY_GIT: Final = frozenset({"import", "merge"})
_LOOKED_AT: Final = 200


@dataclass(frozen=True)
class _Version:
    """A version of a record: why it was made, by whom and when."""

    reason: str
    author: str
    time: int
    content: dict[str, Value]


def merge(tx: sa.Connection, scope: Scope, request: sync_pb2.GetMergeRequest) -> sync_pb2.GetMergeResponse:
    """Give the newest merge of a record, or the one that made a revision, without Git's part."""
    row, _ = find_record(tx, scope, request.record_id, request.collection)
    found = merge_store.get(tx, scope, row, request.revision)
    versions = _versions(tx, scope, row, found.revision)
    return sync_pb2.GetMergeResponse(
        run_id=found.run_id,
        commit_oid=found.commit,
        revision=found.revision,
        time=found.time,
        old_path=bytes(found.old_path),
        path=bytes(found.path),
        fields=[_field(outcome, versions) for outcome in merge_store.outcomes(found)],
    )


def add_git_side(git: GitClient, scope: Scope, answer: sync_pb2.GetMergeResponse) -> sync_pb2.GetMergeResponse:
    """Fill in who changed the file in Git last, for the fields that Git changed."""
    change = git.last_change(scope, answer.commit_oid, answer.path or answer.old_path)
    for field in answer.fields:
        if change is not None and field.base != field.theirs:
            field.theirs_change.CopyFrom(change)
    return answer


def conflict(tx: sa.Connection, scope: Scope, conflict_id: str) -> tuple[sync_pb2.Conflict, str, bytes]:
    """Give a conflict with the database's side, and the commit and path that Git's side is asked for with."""
    row = conflict_store.get(tx, scope, conflict_id)
    record = record_store.by_key(tx, scope, row.record_key)
    stored = store.find_collection(tx, scope, row.collection_id)
    message = convert.conflict_message(row, stored.collection.name)
    change = _who(_versions(tx, scope, record, 0), row.pointer)
    if change is not None:
        message.ours_change.CopyFrom(change)
    run = tx.execute(sa.select(sync_runs.c.commit).where(scope.where(sync_runs), sync_runs.c.id == row.run_id)).scalar()
    return message, str(stored.imported_commit or run or ""), bytes(record.path)


def _field(outcome: Outcome, versions: list[_Version]) -> sync_pb2.MergedField:
    message = sync_pb2.MergedField(
        pointer=outcome.pointer,
        verdict=outcome.verdict,
        base=convert.field_bytes(outcome.base),
        ours=convert.field_bytes(outcome.ours),
        theirs=convert.field_bytes(outcome.theirs),
        result=convert.field_bytes(outcome.result),
    )
    change = None if same(outcome.base, outcome.ours) else _who(versions, outcome.pointer)
    if change is not None:
        message.ours_change.CopyFrom(change)
    return message


def _versions(tx: sa.Connection, scope: Scope, row: sa.Row[Any], last: int) -> list[_Version]:
    """Give the versions of a record, newest first, up to the revision ``last``; all where that is 0."""
    older = record_store.revisions(tx, scope, row.key, _LOOKED_AT, last + 1 if last else None)
    rows = [(old.reason, old.author, old.time, old.content) for old in older]
    if not last or row.revision <= last:
        rows.insert(0, (row.reason, row.updated_by, row.updated_at, row.content))
    return [_Version(reason, author, time, as_object(loads(text.encode()))) for reason, author, time, text in rows]


def _who(versions: list[_Version], pointer: str) -> sync_pb2.Change | None:
    """Give who changed a field last in the database; None where nobody did, as far as history goes back."""
    for version, older in zip_longest(versions, versions[1:]):
        if version.reason in BY_GIT:
            continue
        if not pointer or older is None or not same(at(version.content, pointer), at(older.content, pointer)):
            return sync_pb2.Change(author=version.author, time=version.time)
    return None
