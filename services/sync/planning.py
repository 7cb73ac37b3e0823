"""Plans of imports: what they would do, record by record and field by field, and whether they still hold."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from protos.sync.v1 import sync_pb2
from services.core.errors import MovedError
from services.core.fields import Field, Missing, at
from services.core.importing import CollectionPlan, Orphan, Upsert
from services.core.merge import FieldConflict, changed
from services.core.values import dumps
from services.sync.batches import by_size
from services.sync.deriving import title_of
from services.sync.gather import Gathered

PLAN_MOVED: Final = "PLAN_MOVED"
# Fields of one record are shown up to this much; a plan is there to be read.
_FIELD_BYTES: Final = 64 * 1024
_SHORT: Final = 12


def refuse_moved(planned_commit: str, planned_revision: int, commit: str, revision: int) -> None:
    """Raise MovedError (reason PLAN_MOVED), naming what moved, where a plan was made for something else.

    An empty commit and a revision of 0 were planned for nothing in particular.
    """
    moved = []
    if planned_commit and planned_commit != commit:
        moved.append(f"the branch is at {commit[:_SHORT]} now, not {planned_commit[:_SHORT]}")
    if planned_revision and planned_revision != revision:
        moved.append(f"the database is at revision {revision} now, not {planned_revision}")
    if moved:
        raise MovedError(
            f"the plan is out of date: {' and '.join(moved)}",
            remedy="look at the new plan with `lockstep git-pull --plan`; nothing was changed",
            reason=PLAN_MOVED,
            metadata={"commit": commit, "revision": str(revision)},
        )


def planned_changes(gathered: Gathered, plans: Sequence[CollectionPlan]) -> Iterator[sync_pb2.PlannedChanges]:
    """Give what plans of a collection would do, in messages of about 1 MiB."""
    for group in by_size(change for plan in plans for change in _named(gathered, plan)):
        if group:
            yield sync_pb2.PlannedChanges(changes=group)


def _named(gathered: Gathered, plan: CollectionPlan) -> Iterator[sync_pb2.PlannedChange]:
    for change in _changes(gathered, plan):
        change.collection = gathered.collection.name
        yield change


def _changes(gathered: Gathered, plan: CollectionPlan) -> Iterator[sync_pb2.PlannedChange]:
    yield from map(_upsert, plan.upserts)
    yield from map(_orphan, plan.orphans)
    for removal in plan.removals:
        record = removal.existing
        title = title_of(record.id, record.value())
        yield sync_pb2.PlannedChange(
            record_id=record.id, kind="delete", path=record.path, title=title, merged=removal.merged
        )
    owners = {record.path: record.id for record in plan.broken}
    for path, file in plan.quarantine.items():
        if path not in gathered.waiting:
            known = file.record_id or owners.get(path, "")
            yield sync_pb2.PlannedChange(
                record_id=known, kind="quarantine", path=path, rule=file.rule, message=file.message
            )
    for path in sorted(plan.cleared - {upsert.file.path for upsert in plan.upserts}):
        yield sync_pb2.PlannedChange(kind="leave-quarantine", path=path)


def _upsert(upsert: Upsert) -> sync_pb2.PlannedChange:
    existing, file = upsert.existing, upsert.file
    known = existing is not None and not existing.gone
    change = sync_pb2.PlannedChange(record_id=file.id, path=file.path, merged=upsert.merged)
    change.title = file.title if upsert.value is None else title_of(file.id, upsert.value)
    if upsert.conflicts:
        change.kind = "conflict"
    elif not known:
        change.kind = "create"
    elif upsert.renamed:
        change.kind = "rename"
    else:
        change.kind = "update" if upsert.content_changed else "unchanged"
    if known and upsert.renamed and existing is not None:
        change.old_path = existing.path
    fields = [_disputed(conflict) for conflict in upsert.conflicts]
    if known and upsert.content_changed and existing is not None:
        old, new = existing.value(), file.value() if upsert.value is None else upsert.value
        fields += [
            sync_pb2.PlannedField(pointer=pointer, before=_text(at(old, pointer)), after=_text(at(new, pointer)))
            for pointer in changed(old, new)
        ]
    _show(change, fields)
    return change


def _orphan(orphan: Orphan) -> sync_pb2.PlannedChange:
    record = orphan.existing
    kind = "conflict" if orphan.conflict else "unchanged"
    title = title_of(record.id, record.value())
    change = sync_pb2.PlannedChange(
        record_id=record.id, kind=kind, old_path=record.path, title=title, merged=orphan.merged
    )
    _show(change, [_disputed(orphan.conflict)] if orphan.conflict else [])
    return change


def _disputed(conflict: FieldConflict) -> sync_pb2.PlannedField:
    ours = _text(conflict.ours)
    return sync_pb2.PlannedField(
        pointer=conflict.pointer, before=ours, after=ours, theirs=_text(conflict.theirs), conflict=True
    )


def _show(change: sync_pb2.PlannedChange, fields: Iterable[sync_pb2.PlannedField]) -> None:
    """Add fields while there is room; count the others."""
    room = _FIELD_BYTES
    for field in fields:
        if field.ByteSize() <= room:
            change.fields.append(field)
            room -= field.ByteSize()
        else:
            change.fields_left_out += 1


def _text(value: Field) -> bytes:
    return b"" if isinstance(value, Missing) else dumps(value)
