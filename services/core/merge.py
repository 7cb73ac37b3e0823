"""Three-way merge of records by field.

A field is a key of an object, at any depth. A field that only one side changed takes that side's value; one that
both changed alike takes it too; text that both changed merges by line, and what the collection's rules say merges
as a set or by key (``services.core.merge_rules``). Where both changed one thing differently there is a conflict: it
waits for a person, and the record keeps the database's side of it. So no change is ever dropped, and a conflict
exists exactly where both sides changed one thing differently.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from services.core.fields import MISSING, Field, Missing, at, items_by_key, pointer_to, same, with_field
from services.core.line_merge import Favour, merge_lines
from services.core.merge_rules import USUAL, Rules
from services.core.values import Value, equal

__all__ = [
    "MISSING",
    "Field",
    "FieldConflict",
    "Merge",
    "Missing",
    "Outcome",
    "agreed",
    "at",
    "changed",
    "chosen",
    "holds",
    "merge",
    "same",
    "unsettled",
    "with_field",
]

_N = TypeVar("_N", bound=Hashable)
Verdict: TypeAlias = Literal["ours", "theirs", "alike", "combined", "conflict"]


@dataclass(frozen=True)
class FieldConflict:
    """One field that changed differently on both sides; ``pointer`` as in ``services.core.fields``."""

    pointer: str
    base: Field
    ours: Field
    theirs: Field


@dataclass(frozen=True)
class Outcome:
    """What a merge made of one field that a side changed, and whose value that is.

    ``verdict`` is "ours" or "theirs" where only that side changed it, "alike" where both did the same, "combined"
    where it holds what both did, "conflict" where a person has to decide.
    """

    pointer: str
    base: Field
    ours: Field
    theirs: Field
    result: Field
    verdict: Verdict


@dataclass(frozen=True)
class Merge:
    """The merged record, and what became of each changed field, in document order."""

    value: dict[str, Value]
    outcomes: tuple[Outcome, ...]

    @property
    def conflicts(self) -> tuple[FieldConflict, ...]:
        """Give what a person has to settle."""
        disputed = (found for found in self.outcomes if found.verdict == "conflict")
        return tuple(FieldConflict(found.pointer, found.base, found.ours, found.theirs) for found in disputed)


def merge(base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value], rules: Rules = USUAL) -> Merge:
    """Merge what the database (``ours``) and Git (``theirs``) made of ``base``.

    Keys and items come in Git's order, then those that only the database has. An added record has ``{}`` as base.
    """
    merging = _Merging()
    value = merging.named((base, ours, theirs), "", rules)
    return Merge(value, tuple(merging.outcomes))


def chosen(base: Field, ours: Field, theirs: Field, rules: Rules, favour: Favour) -> Field:
    """Give one field in conflict with one side's way in what is in dispute; lists and text can take "both".

    Where text merges by line, the lines that are not in dispute are those of both sides. ``rules`` are the field's.
    MISSING for "both" where that means nothing.
    """
    if _by_line(base, ours, theirs, rules):
        return merge_lines(str(base), str(ours), str(theirs), favour).text
    if favour != "both":
        return theirs if favour == "theirs" else ours
    if isinstance(ours, list) and isinstance(theirs, list):
        return [*ours, *(item for item in theirs if not any(equal(item, known) for known in ours))]
    return MISSING


def changed(base: dict[str, Value], new: dict[str, Value], rules: Rules = USUAL) -> list[str]:
    """Give the pointers of the fields that differ, in the order of ``new``, then the removed ones."""
    return [pointer for pointer, _, _, _ in _differences(base, new, "", rules)]


def holds(base: dict[str, Value], proposed: dict[str, Value], target: dict[str, Value], rules: Rules = USUAL) -> bool:
    """Say whether ``target`` holds every change from ``base`` to ``proposed`` (invariant 3).

    Other fields of the target may be anything: a merge, a squash or a hand may have brought more.
    """
    return all(
        _holds(old, new, at(target, pointer), of) for pointer, old, new, of in _differences(base, proposed, "", rules)
    )


def agreed(
    base: dict[str, Value],
    ours: dict[str, Value],
    before: dict[str, Value],
    proposed: dict[str, Value],
    target: dict[str, Value],
    rules: Rules = USUAL,
) -> dict[str, Value]:
    """Give ``base`` with those changes from ``before`` to ``proposed`` in it that ``target`` holds.

    What the database says of such a field was said on top of the proposal, and is no dispute with it. A field
    that Git changed meanwhile, and that the database took over from there, stays as it is in ``base``.
    """
    result = base
    for pointer, old, new, of in _differences(before, proposed, "", rules):
        if not _holds(old, new, at(target, pointer), of):
            continue
        known = at(base, pointer)
        applied, disputed = _one(old, known, new, of)
        if not disputed:
            result = with_field(result, pointer, applied)
        elif not same(known, at(ours, pointer)):
            result = with_field(result, pointer, new)
    ordered = _as_proposed(result, proposed, target, rules)
    return ordered if isinstance(ordered, dict) else result


def unsettled(base: Field, ours: Field, theirs: Field, rules: Rules = USUAL) -> bool:
    """Say whether a field that was in conflict still is. ``rules`` are the field's.

    It is not where the sides agree, where one went back to the base, or where what the database has holds all
    that Git did.
    """
    if same(ours, theirs) or same(base, theirs) or same(base, ours):
        return False
    result, disputed = _one(base, ours, theirs, rules)
    return disputed or not same(result, ours)


def _as_proposed(value: Field, proposed: Field, target: Field, rules: Rules) -> Field:
    """Give the lists by key in a field the order of the target, where that came with the proposal."""
    alike = type(value) is type(proposed) is type(target)
    parts = _parts(value, proposed, target, rules) if alike else None
    if parts is None:
        return value
    mine, wanted, there = parts
    inner: dict[str, Value] = {}
    for name, item in mine.items():
        ordered = _as_proposed(item, wanted.get(name, MISSING), there.get(name, MISSING), rules.of(name))
        inner[name] = item if isinstance(ordered, Missing) else ordered
    if isinstance(value, dict):
        return inner
    if inner.keys() == there.keys() and [n for n in there if n in wanted] == [n for n in wanted if n in there]:
        return [inner[name] for name in there]
    return list(inner.values())


def _holds(before: Field, after: Field, now: Field, rules: Rules) -> bool:
    """Say whether a field holds a change: bringing the change in once more would bring nothing."""
    if same(now, after):
        return True
    result, disputed = _one(before, after, now, rules)
    if rules.way == "set" and (one := _members(result)) is not None and (other := _members(now)) is not None:
        return not disputed and one.keys() == other.keys()
    if not disputed and same(result, now):
        return True
    return _by_line(before, after, now, rules) and _came_in(before, after, now, rules)


def _came_in(before: Field, after: Field, now: Field, rules: Rules) -> bool:
    """Say whether a text is what comes of a change to it as it was without the change.

    Where lines repeat, what came in beside them cannot be told from a dispute by looking forward alone.
    """
    without, disputed = _one(after, now, before, rules)
    again, disputed_again = _one(before, after, without, rules)
    return not disputed and not disputed_again and same(again, now)


def _one(base: Field, ours: Field, theirs: Field, rules: Rules) -> tuple[Field, bool]:
    """Merge one field; give the result, and whether something in it is in dispute."""
    merging = _Merging()
    result = merging.field(base, ours, theirs, "", rules)
    return result, any(outcome.verdict == "conflict" for outcome in merging.outcomes)


@dataclass
class _Merging:
    """Merges, and notes what became of each changed field."""

    outcomes: list[Outcome] = field(default_factory=list)

    def named(self, sides: "_Named", prefix: str, rules: Rules) -> dict[str, Value]:
        """Merge the fields of an object, or the items of a list by key."""
        base, ours, theirs = sides
        merged: dict[str, Value] = {}
        names = _ordered(base, ours, theirs) if rules.way == "key" else [*theirs, *ours]
        for name in dict.fromkeys([*names, *base]):
            found = self.field(
                base.get(name, MISSING),
                ours.get(name, MISSING),
                theirs.get(name, MISSING),
                pointer_to(prefix, name),
                rules.of(name),
            )
            if not isinstance(found, Missing):
                merged[name] = found
        return merged

    def field(self, base: Field, ours: Field, theirs: Field, pointer: str, rules: Rules) -> Field:
        """Merge one field."""
        if same(ours, theirs) or same(base, ours):
            self._one_sided(base, theirs, pointer, rules, "alike" if same(ours, theirs) else "theirs")
            return theirs
        if same(base, theirs):
            self._one_sided(base, ours, pointer, rules, "ours")
            return ours
        result, verdict = self._two_sided(base, ours, theirs, pointer, rules)
        if verdict:
            self.outcomes.append(Outcome(pointer, base, ours, theirs, result, verdict))
        return result

    def _two_sided(
        self, base: Field, ours: Field, theirs: Field, pointer: str, rules: Rules
    ) -> tuple[Field, Verdict | None]:
        """Merge a field that both changed; no verdict where its own fields have theirs."""
        parts = _parts(base, ours, theirs, rules)
        if parts is not None:
            before = len(self.outcomes)
            inner = self.named(parts, pointer, rules)
            result = list(inner.values()) if isinstance(theirs, list) else inner
            return result, None if len(self.outcomes) > before else "combined"
        if rules.way == "set" and (members := _united(base, ours, theirs)) is not None:
            return members, "combined"
        if _by_line(base, ours, theirs, rules):
            text = merge_lines(str(base), str(ours), str(theirs))
            return text.text, "combined" if text.clean else "conflict"
        return ours, "conflict"

    def _one_sided(self, base: Field, new: Field, pointer: str, rules: Rules, verdict: Verdict) -> None:
        for where, old, now, _ in _differences(base, new, pointer, rules):
            ours, theirs = (old if verdict == "theirs" else now), (old if verdict == "ours" else now)
            self.outcomes.append(Outcome(where, old, ours, theirs, now, verdict))


_Named: TypeAlias = tuple[Mapping[str, Value], Mapping[str, Value], Mapping[str, Value]]


def _differences(base: Field, new: Field, pointer: str, rules: Rules) -> Iterator[tuple[str, Field, Field, Rules]]:
    """Give pointer, old and new value, and rules of what differs, as deep as it merges by field."""
    if same(base, new):
        return
    old, _, now = _parts(base, base, new, rules) or ({}, {}, {})
    found = False
    for name in dict.fromkeys([*now, *old]):
        sides = old.get(name, MISSING), now.get(name, MISSING)
        for difference in _differences(*sides, pointer_to(pointer, name), rules.of(name)):
            found = True
            yield difference
    if not found:
        # A value of its own, or a list by key of which nothing but the order changed.
        yield pointer, base, new, rules


def _parts(base: Field, ours: Field, theirs: Field, rules: Rules) -> _Named | None:
    """Give what lies in a field on each side by name; None for one that is a value of its own."""
    if rules.way != "whole" and isinstance(ours, dict) and isinstance(theirs, dict):
        return base if isinstance(base, dict) else {}, ours, theirs
    if rules.way != "key" or not isinstance(ours, list) or not isinstance(theirs, list):
        return None
    sides = (base if isinstance(base, list) else [], ours, theirs)
    found = [named for side in sides if (named := items_by_key(side, rules.key)) is not None]
    return (found[0], found[1], found[2]) if len(found) == len(sides) else None


def _by_line(base: Field, ours: Field, theirs: Field, rules: Rules) -> bool:
    sides = (base, ours, theirs)
    texts = [side for side in sides if isinstance(side, str)]
    return rules.way in (None, "lines") and len(texts) == len(sides) and any("\n" in text for text in texts)


def _united(base: Field, ours: Field, theirs: Field) -> list[Value] | None:
    """Merge lists of scalars as sets; None where one is none."""
    old, mine, other = _members(base if isinstance(base, list) else []), _members(ours), _members(theirs)
    if old is None or mine is None or other is None:
        return None
    every = {**old, **mine, **other}
    names = _ordered(old, mine, other)
    return [every[name] for name in names if (name in mine and name in other) or name not in old]


def _members(value: Field) -> dict[Hashable, Value] | None:
    """Give the members of a list of scalars, each once, by what tells them apart; None for anything else."""
    if not isinstance(value, list) or any(isinstance(item, dict | list) for item in value):
        return None
    return {(type(item), item): item for item in value}


def _ordered(base: Mapping[_N, Value], ours: Mapping[_N, Value], theirs: Mapping[_N, Value]) -> list[_N]:
    """Give the names of both sides in Git's order; in the database's where only that moved something."""
    shared = base.keys() & ours.keys() & theirs.keys()
    old, mine, other = ([name for name in side if name in shared] for side in (base, ours, theirs))
    first, second = (ours, theirs) if other == old != mine else (theirs, ours)
    return [*first, *(name for name in second if name not in first)]
