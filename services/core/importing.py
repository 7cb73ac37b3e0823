"""Decides what an import does to a collection: files that changed in Git against records as they stand.

The result depends only on the files of the new commit and on pending edits, never on the way the
repository took to get there: replaying every commit ends like importing the last one at once. Where two
files have one id, the file of the earlier include pattern owns it, then the smaller path; the others go
to quarantine. Nothing here reads or writes anything.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from services.core.formats import format_of
from services.core.merge import MISSING, FieldConflict, Outcome, agreed, holds, merge
from services.core.merge_rules import USUAL, Rules
from services.core.quality import NO_SCORE
from services.core.values import Value, equal, loads


class ParsedFile(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A file that can be a record. ``rank`` is the number of the include pattern that took it.

    ``content`` is the record's canonical JSON text; ``title`` and ``quality`` follow from it by the collection's rules.
    """

    path: bytes
    blob: str
    raw: bytes
    id: str
    rank: int
    content: bytes
    title: str = ""
    quality: float = NO_SCORE

    def value(self) -> dict[str, Value]:
        """Give the record."""
        return as_object(loads(self.content))


class RejectedFile(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """A file that cannot be a record, and why. Line and column count from 1; 0 where they mean nothing."""

    path: bytes
    blob: str
    rule: str
    message: str
    line: int = 0
    column: int = 0
    pointer: str = ""
    record_id: str = ""
    other_paths: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an open publication makes of a record: from ``base`` to ``value`` (None: deleted)."""

    publication_id: str
    base: dict[str, Value]
    value: dict[str, Value] | None


@dataclass(frozen=True, slots=True)
class ExistingRecord:
    """A record as the database has it. ``path``, ``base_blob`` and ``base_raw`` are its file in Git, if any.

    ``lost_base`` is the base of a record whose file went while it had edits, as JSON text: should the file come
    back before a person has decided, the edits are merged with it as if it had never been away.
    """

    key: int
    id: str
    revision: int
    content: bytes
    dirty: bool
    deleted: bool
    path: bytes = b""
    base_blob: str = ""
    base_raw: bytes = b""
    gone: bool = False
    file_rejected: bool = False
    proposal: Proposal | None = None
    lost_base: bytes = b""

    def value(self) -> dict[str, Value]:
        """Give the content."""
        return as_object(loads(self.content))

    def base(self) -> dict[str, Value]:
        """Give the content of the base; ``{}`` for a record that was never in Git."""
        form = format_of(self.path)
        if self.base_blob and form:
            return form.parse(self.base_raw)
        return as_object(loads(self.lost_base)) if self.lost_base else {}


class Upsert(msgspec.Struct, frozen=True, gc=False):
    """A record takes a file over. ``existing`` is None for a new one; ``value`` is the merged content.

    Without a ``value`` the record becomes what the file holds. ``outcomes`` say what became of each field where
    edits were merged.
    """

    existing: ExistingRecord | None
    file: ParsedFile
    value: dict[str, Value] | None = None
    dirty: bool = False
    deleted: bool = False
    content_changed: bool = True
    renamed: bool = False
    conflicts: tuple[FieldConflict, ...] = ()
    merged: bool = False
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Removal:
    """A record goes with its file. ``merged`` says that an open publication had proposed it."""

    existing: ExistingRecord
    merged: bool


@dataclass(frozen=True, slots=True)
class Orphan:
    """A record with pending edits whose file is gone in Git: a conflict of the whole record.

    There is no conflict where its own publication took the file away, and it was added again since (``merged``).
    """

    existing: ExistingRecord
    conflict: FieldConflict | None
    merged: bool = False


@dataclass
class CollectionPlan:
    """All that an import does to one collection.

    ``broken`` are records whose file can no longer be read; ``displaced`` are deleted records whose id
    goes to a renamed one.
    """

    upserts: list[Upsert] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    broken: list[ExistingRecord] = field(default_factory=list)
    displaced: list[ExistingRecord] = field(default_factory=list)
    quarantine: dict[bytes, RejectedFile] = field(default_factory=dict)
    cleared: set[bytes] = field(default_factory=set)


@dataclass(frozen=True)
class CollectionChange:
    """What changed in Git below one collection, and the records it touches.

    ``files`` are all changed files that exist now, and the unchanged files in quarantine whose id is
    touched; ``removed`` the paths that are gone; ``renames`` maps a new path to its old one. ``records``
    are those whose path changed or whose id a file has. ``held`` are the paths now in quarantine.
    """

    files: Sequence[ParsedFile | RejectedFile]
    removed: AbstractSet[bytes] = frozenset()
    renames: Mapping[bytes, bytes] = field(default_factory=dict)
    records: Sequence[ExistingRecord] = ()
    held: AbstractSet[bytes] = frozenset()


_Candidate: TypeAlias = tuple[int, bytes, ParsedFile | ExistingRecord]


def plan_collection(change: CollectionChange, rank: Mapping[bytes, int], rules: Rules = USUAL) -> CollectionPlan:
    """Give the plan of one collection. ``rank`` gives the pattern number of paths that did not change.

    ``rules`` say how fields merge.
    """
    plan = CollectionPlan()
    touched = {file.path for file in change.files} | change.removed
    by_id, by_path = _lookups(change.records)
    candidates = _candidates(change, plan)
    for record in by_path.values():
        if record.path not in touched and record.id in candidates and not record.file_rejected:
            candidates[record.id].append((rank[record.path], record.path, record))
    kept: set[int] = set()
    for record_id, found in candidates.items():
        winner = _choose(record_id, found, plan)
        if isinstance(winner, ExistingRecord):
            kept.add(winner.key)
            continue
        owner = by_id.get(record_id)
        moved = _moved(winner, change.renames, by_path, candidates) if owner is None or owner.gone else None
        if moved is not None:
            plan.displaced += [owner] if owner else []
            owner = moved
        kept |= {owner.key} if owner else set()
        plan.upserts.append(take_over(owner, winner, rules))
    for record in by_path.values():
        if record.path in touched and record.key not in kept:
            _lose(record, plan)
    plan.cleared = (change.held & touched) - plan.quarantine.keys()
    return plan


def take_over(existing: ExistingRecord | None, file: ParsedFile, rules: Rules = USUAL) -> Upsert:
    """Merge a file into its record; nothing that the database has pending is lost."""
    if existing is None or existing.gone:
        return Upsert(existing, file)
    renamed = bool(existing.path) and existing.path != file.path and bool(existing.base_blob)
    proposal = existing.proposal
    if not existing.dirty and not existing.deleted and proposal is None:
        changed = existing.content != file.content and not equal(existing.value(), file.value())
        return Upsert(existing, file, content_changed=changed, renamed=renamed)
    theirs = file.value()
    merged = _is_merged(proposal, theirs, rules)
    base = existing.base()
    if existing.deleted:
        known = _agreed(base, {}, proposal, theirs, rules)
        conflict = FieldConflict("", base, MISSING, theirs)
        return Upsert(
            existing,
            file,
            existing.value(),
            dirty=True,
            deleted=True,
            content_changed=False,
            renamed=renamed,
            conflicts=() if equal(known, theirs) else (conflict,),
            merged=merged,
            outcomes=() if equal(known, theirs) else (Outcome("", base, MISSING, theirs, MISSING, "conflict"),),
        )
    ours = existing.value()
    if not existing.dirty and (proposal is None or proposal.value is None):
        return Upsert(existing, file, content_changed=not equal(ours, theirs), renamed=renamed, merged=merged)
    result = merge(_agreed(base, ours, proposal, theirs, rules), ours, theirs, rules)
    return Upsert(
        existing,
        file,
        result.value,
        dirty=bool(result.conflicts) or not equal(result.value, theirs),
        content_changed=not equal(result.value, ours),
        renamed=renamed,
        conflicts=result.conflicts,
        merged=merged,
        outcomes=result.outcomes,
    )


def separable(
    files: Iterable[ParsedFile | RejectedFile],
    records: Iterable[ExistingRecord],
    renames: Mapping[bytes, bytes],
    repeated: Callable[[str], bool],
) -> tuple[list[ParsedFile | RejectedFile], list[ParsedFile | RejectedFile]]:
    """Sort files into those whose plan depends on no other file of the import, and the rest.

    ``records`` are those that have a path or an id of the files; ``repeated`` says whether more than one file of
    the import may ask for an id. Planning the first kind in any groups, and then the rest together with all that
    was removed and renamed, gives what planning all at once gives.
    """
    by_id, by_path = _lookups(records)
    alone: list[ParsedFile | RejectedFile] = []
    rest: list[ParsedFile | RejectedFile] = []
    for file in files:
        here = by_path.get(file.path)
        if isinstance(file, RejectedFile):
            (rest if here else alone).append(file)
            continue
        owner = by_id.get(file.id)
        settled = owner is None or owner is here or owner.gone or not owner.base_blob
        simple = settled and here in (None, owner) and file.path not in renames and not repeated(file.id)
        (alone if simple else rest).append(file)
    return alone, rest


def _lookups(
    records: Iterable[ExistingRecord],
) -> tuple[dict[str, ExistingRecord], dict[bytes, ExistingRecord]]:
    """Give records by id, and by path those that are in Git."""
    by_id: dict[str, ExistingRecord] = {}
    by_path: dict[bytes, ExistingRecord] = {}
    for record in records:
        by_id[record.id] = record
        if record.base_blob and not record.gone:
            by_path[record.path] = record
    return by_id, by_path


def as_object(value: Value) -> dict[str, Value]:
    """Give a value that is known to be an object."""
    if not isinstance(value, dict):
        raise TypeError("a record is an object")
    return value


def _agreed(
    base: dict[str, Value],
    ours: dict[str, Value],
    proposal: Proposal | None,
    theirs: dict[str, Value],
    rules: Rules,
) -> dict[str, Value]:
    if proposal is None or proposal.value is None:
        return base
    return agreed(base, ours, proposal.base, proposal.value, theirs, rules)


def _is_merged(proposal: Proposal | None, theirs: dict[str, Value], rules: Rules) -> bool:
    """Say whether a file holds what an open publication made of its record."""
    if proposal is None or proposal.value is None:
        return False
    return holds(proposal.base, proposal.value, theirs, rules)


def _candidates(change: CollectionChange, plan: CollectionPlan) -> dict[str, list[_Candidate]]:
    """Give the changed files by the id they ask for; those that have none go to quarantine."""
    candidates: dict[str, list[_Candidate]] = {}
    for file in change.files:
        if isinstance(file, RejectedFile):
            plan.quarantine[file.path] = file
        else:
            candidates.setdefault(file.id, []).append((file.rank, file.path, file))
    return candidates


def _choose(record_id: str, found: Iterable[_Candidate], plan: CollectionPlan) -> ParsedFile | ExistingRecord:
    """Give the file that owns an id and put the others in quarantine, naming all paths."""
    ordered = sorted(found, key=lambda candidate: candidate[:2])
    paths = [path for _, path, _ in ordered]
    for _, path, loser in ordered[1:]:
        others = tuple(other for other in paths if other != path)
        plan.quarantine[path] = RejectedFile(
            path=path,
            blob=loser.base_blob if isinstance(loser, ExistingRecord) else loser.blob,
            rule="duplicate-id",
            message=f"the id '{record_id}' belongs to {_show(paths[0])}; delete one of the files or change its id",
            record_id=record_id,
            other_paths=others,
        )
    return ordered[0][2]


def _moved(
    file: ParsedFile,
    renames: Mapping[bytes, bytes],
    by_path: Mapping[bytes, ExistingRecord],
    candidates: Mapping[str, object],
) -> ExistingRecord | None:
    """Give the record whose file was renamed to this one, or that has another id by another rule now."""
    record = by_path.get(renames.get(file.path, b""))
    unchanged = by_path.get(file.path)
    if record is None and unchanged is not None and unchanged.base_blob == file.blob:
        record = unchanged
    return record if record and record.id not in candidates else None


def _lose(record: ExistingRecord, plan: CollectionPlan) -> None:
    """Settle a record whose file is gone, is another record's now, or can no longer be read."""
    rejected = plan.quarantine.get(record.path)
    if rejected is not None and rejected.rule != "duplicate-id":
        plan.broken.append(record)
    elif record.deleted:
        plan.removals.append(Removal(record, merged=record.proposal is not None and record.proposal.value is None))
    elif record.proposal is not None and record.proposal.value is None:
        plan.orphans.append(Orphan(record, None, merged=True))
    elif record.dirty:
        plan.orphans.append(Orphan(record, FieldConflict("", record.base(), record.value(), MISSING)))
    else:
        plan.removals.append(Removal(record, merged=False))


def _show(path: bytes) -> str:
    return path.decode("utf-8", "replace")
