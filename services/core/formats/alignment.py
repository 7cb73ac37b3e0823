"""Which items of a list became which: so that only the items that changed are written."""

from collections.abc import Hashable
from difflib import SequenceMatcher
from typing import Final, TypeAlias

from services.core.values import Value

Pair: TypeAlias = tuple[int | None, int | None]

_LARGE: Final = 1_000
"""Beyond so many changed items, matching costs more than a smaller diff is worth."""


def align(old: list[Value], new: list[Value]) -> list[Pair]:
    """Pair the indexes of two lists, in order: (i, j) kept or changed, (i, None) gone, (None, j) new."""
    ours, theirs = [_token(item) for item in old], [_token(item) for item in new]
    start = 0
    while start < min(len(ours), len(theirs)) and ours[start] == theirs[start]:
        start += 1
    tail = 0
    while tail < min(len(ours), len(theirs)) - start and ours[-1 - tail] == theirs[-1 - tail]:
        tail += 1
    old_end, new_end = len(ours) - tail, len(theirs) - tail
    pairs: list[Pair] = [(i, i) for i in range(start)]
    if max(old_end, new_end) - start > _LARGE:
        pairs += _by_position(start, old_end, start, new_end)
    else:
        matcher = SequenceMatcher(None, ours[start:old_end], theirs[start:new_end], autojunk=False)
        for _, i1, i2, j1, j2 in matcher.get_opcodes():
            pairs += _by_position(start + i1, start + i2, start + j1, start + j2)
    return [*pairs, *zip(range(old_end, len(ours)), range(new_end, len(theirs)), strict=True)]


def _by_position(i1: int, i2: int, j1: int, j2: int) -> list[Pair]:
    both = min(i2 - i1, j2 - j1)
    return [
        *((i1 + k, j1 + k) for k in range(both)),
        *((i, None) for i in range(i1 + both, i2)),
        *((None, j) for j in range(j1 + both, j2)),
    ]


def _token(value: Value) -> Hashable:
    if isinstance(value, dict):
        return frozenset((key, _token(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(_token, value))
    return type(value), value
