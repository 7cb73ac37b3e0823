"""Three-way merge of records by field.

A field is a key of an object, at any depth; everything that is no object (lists, text, numbers) is
one value. A field that only one side changed takes that side's value; one that both changed alike takes
it too; one that they changed differently is a conflict, keeps the database's value and waits for a
person. So no change is ever dropped, and a conflict exists exactly where both sides changed one
field differently.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from services.core.values import Value, equal, escape


class Missing:
    """The value of a field that is not there."""

    def __repr__(self) -> str:
        """Give a name for test output."""
        return "MISSING"


MISSING: Final = Missing()
Field: TypeAlias = "Value | Missing"


@dataclass(frozen=True)
class FieldConflict:
    """One field that changed differently on both sides; ``pointer`` is a JSON pointer."""

    pointer: str
    base: Field
    ours: Field
    theirs: Field


@dataclass(frozen=True)
class Merge:
    """The merged record and the conflicts in it, in document order."""

    value: dict[str, Value]
    conflicts: tuple[FieldConflict, ...]


def merge(base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value]) -> Merge:
    """Merge what the database (``ours``) and Git (``theirs``) made of ``base``.

    Keys come in Git's order, then those that only the database has. An added record has ``{}`` as base.
    """
    conflicts: list[FieldConflict] = []
    value = _objects(base, ours, theirs, "", conflicts)
    return Merge(value, tuple(conflicts))


def same(one: Field, other: Field) -> bool:
    """Say whether two fields are equal; a missing one equals only a missing one."""
    if isinstance(one, Missing) or isinstance(other, Missing):
        return isinstance(one, Missing) and isinstance(other, Missing)
    return equal(one, other)


def changed(base: dict[str, Value], new: dict[str, Value]) -> list[str]:
    """Give the JSON pointers of the fields that differ, in the order of ``new``, then the removed ones."""
    return [pointer for pointer, _, _ in _differences(base, new, "")]


def holds(base: dict[str, Value], proposed: dict[str, Value], target: dict[str, Value]) -> bool:
    """Say whether ``target`` holds every change from ``base`` to ``proposed`` (invariant 3).

    Other fields of the target may be anything: a merge, a squash or a hand may have brought more.
    """
    return all(same(_at(target, pointer), after) for pointer, _, after in _differences(base, proposed, ""))


def agreed(
    base: dict[str, Value],
    ours: dict[str, Value],
    before: dict[str, Value],
    proposed: dict[str, Value],
    target: dict[str, Value],
) -> dict[str, Value]:
    """Give ``base`` with those changes from ``before`` to ``proposed`` in it that ``target`` holds.

    What the database says of such a field was said on top of the proposal, and is no dispute with it. A field
    that Git changed meanwhile, and that the database took over from there, stays as it is in ``base``.
    """
    result = base
    for pointer, old, new in _differences(before, proposed, ""):
        known = _at(base, pointer)
        if same(_at(target, pointer), new) and (same(known, old) or not same(known, _at(ours, pointer))):
            result = with_field(result, pointer, new)
    return result


def unsettled(base: Field, ours: Field, theirs: Field) -> bool:
    """Say whether a field that was in conflict still is: both sides differ from the base and from one another."""
    return not (same(ours, theirs) or same(base, theirs) or same(base, ours))


def at(value: dict[str, Value], pointer: str) -> Field:
    """Give the field at a JSON pointer through objects; MISSING when it is not there."""
    return _at(value, pointer)


def with_field(value: dict[str, Value], pointer: str, new: Field) -> dict[str, Value]:
    """Give an object with a field set, with the objects around it, or for MISSING taken out.

    It is unchanged where something that is no object is in the field's way.
    """
    return _with(value, pointer.split("/")[1:], new)


def _objects(
    base: dict[str, Value],
    ours: dict[str, Value],
    theirs: dict[str, Value],
    prefix: str,
    conflicts: list[FieldConflict],
) -> dict[str, Value]:
    merged: dict[str, Value] = {}
    for key in [*theirs, *(key for key in ours if key not in theirs)]:
        pointer = f"{prefix}/{escape(key)}"
        field = _field(base.get(key, MISSING), ours.get(key, MISSING), theirs.get(key, MISSING), pointer, conflicts)
        if not isinstance(field, Missing):
            merged[key] = field
    return merged


def _field(base: Field, ours: Field, theirs: Field, pointer: str, conflicts: list[FieldConflict]) -> Field:
    if same(ours, theirs) or same(base, ours):
        return theirs
    if same(base, theirs):
        return ours
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return _objects(base if isinstance(base, dict) else {}, ours, theirs, pointer, conflicts)
    conflicts.append(FieldConflict(pointer, base, ours, theirs))
    return ours


def _differences(
    base: dict[str, Value],
    new: dict[str, Value],
    prefix: str,
) -> Iterator[tuple[str, Field, Field]]:
    for key in [*new, *(key for key in base if key not in new)]:
        before, after = base.get(key, MISSING), new.get(key, MISSING)
        pointer = f"{prefix}/{escape(key)}"
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, pointer)
        elif not same(before, after):
            yield pointer, before, after


def _with(value: dict[str, Value], parts: list[str], new: Field) -> dict[str, Value]:
    key = parts[0].replace("~1", "/").replace("~0", "~")
    rest = {name: kept for name, kept in value.items() if name != key}
    if len(parts) > 1:
        inner = value.get(key, {})
        return {**value, key: _with(inner, parts[1:], new)} if isinstance(inner, dict) else value
    return rest if isinstance(new, Missing) else {**value, key: new}


def _at(value: dict[str, Value], pointer: str) -> Field:
    found: Field = value
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key, MISSING) if isinstance(found, dict) else MISSING
    return found
