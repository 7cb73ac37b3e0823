"""Finds files that moved where git does not see it: the record in them is the same, or mostly the same. Pure.

Git pairs files whose text is half alike, which a file in another format is not. Only records whose id follows
the path need this; others keep their id, which is how they are found.
"""

from collections.abc import Mapping
from typing import Final

from services.core.values import Value, dumps, equal

# Beyond this many pairs to compare only equal records are found: comparing all with all grows with the square.
MOST_COMPARED: Final = 10_000


def signature(record: Mapping[str, Value]) -> bytes:
    """Give a text that records have in common when they are equal, in whatever order their fields stand."""
    return dumps(_ordered(dict(record)))


def likeness(one: Mapping[str, Value], other: Mapping[str, Value]) -> float:
    """Give from 0 to 1 how much of two records is alike: fields that are equal in both, among all."""
    fields = one.keys() | other.keys()
    same = sum(name in one and name in other and equal(one[name], other[name]) for name in fields)
    return same / len(fields) if fields else 0.0


def pair(
    lost: Mapping[bytes, Mapping[str, Value]],
    added: Mapping[bytes, Mapping[str, Value]],
) -> dict[bytes, bytes]:
    """Give new paths with the old path of the record that is most alike: more than half, each path once."""
    if len(lost) * len(added) > MOST_COMPARED:
        return {}
    scores = ((likeness(old, new), path, source) for path, new in added.items() for source, old in lost.items())
    pairs: dict[bytes, bytes] = {}
    taken: set[bytes] = set()
    for score, path, source in sorted(scores, key=lambda found: (-found[0], found[1], found[2])):
        if score > 0.5 and path not in pairs and source not in taken:  # noqa: PLR2004  half
            pairs[path] = source
            taken.add(source)
    return pairs


def _ordered(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value
