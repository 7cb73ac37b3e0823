"""What changed between two texts, line by line: a shortest edit script (Myers, "An O(ND) Difference Algorithm", 1986).

Where several scripts are equally short, lines are taken as kept from the beginning on, and a block that was only
added or only removed moves down as far as it reads the same, as git shows it.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

# Beyond this many lines added and removed what lies between the common ends counts as one change: time and memory
# grow with the square. Fewer common lines are found then, and more is in dispute; nothing is lost.
MAX_EDITS: Final = 500


@dataclass(frozen=True)
class Change:
    """Lines ``start`` to ``end`` of the old text became lines ``new_start`` to ``new_end`` of the new one."""

    start: int
    end: int
    new_start: int
    new_end: int


def changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Give the changes from ``old`` to ``new`` in order; between two there is at least one kept line."""
    return _settled(_gaps(_kept(old, new), len(old), len(new)), old, new)


def _kept(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Give the lines that both have, as pairs of places, in order."""
    limit = min(len(old), len(new))
    head = next((n for n in range(limit) if old[n] != new[n]), limit)
    tail = next((n for n in range(limit - head) if old[-1 - n] != new[-1 - n]), limit - head)
    yield from ((n, n) for n in range(head))
    # A line that the other text does not have at all is no use in the search.
    middle, other = old[head : len(old) - tail], new[head : len(new) - tail]
    here, there = set(middle), set(other)
    mine = [head + n for n, line in enumerate(middle) if line in there]
    its = [head + n for n, line in enumerate(other) if line in here]
    pairs = _common([old[n] for n in mine], [new[n] for n in its])
    yield from ((mine[a], its[b]) for a, b in pairs)
    yield from ((len(old) - n, len(new) - n) for n in range(tail, 0, -1))


def _common(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Give a longest common subsequence as pairs of places; nothing when it takes more than ``MAX_EDITS``."""
    furthest = {1: 0}
    rounds: list[dict[int, int]] = []
    for edits in range(min(len(old) + len(new), MAX_EDITS) + 1):
        rounds.append(furthest.copy())
        for diagonal in range(-edits, edits + 1, 2):
            down = _down(furthest, diagonal, edits)
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            while x < len(old) and x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            furthest[diagonal] = x
            if x >= len(old) and x - diagonal >= len(new):
                return _walk_back(rounds, len(old), len(new))
    return []


def _walk_back(rounds: Sequence[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for edits in range(len(rounds) - 1, -1, -1):
        furthest, diagonal = rounds[edits], x - y
        before = diagonal + 1 if _down(furthest, diagonal, edits) else diagonal - 1
        from_x = furthest[before] if edits else 0
        from_y = from_x - before if edits else 0
        while x > from_x and y > from_y:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = from_x, from_y
    return pairs[::-1]


def _down(furthest: dict[int, int], diagonal: int, edits: int) -> bool:
    """Say whether the best way to a diagonal adds a line, rather than removing one."""
    return diagonal == -edits or (diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1])


def _gaps(kept: Iterator[tuple[int, int]], old: int, new: int) -> list[Change]:
    found: list[Change] = []
    a = b = 0
    for x, y in [*kept, (old, new)]:
        if x > a or y > b:
            found.append(Change(a, x, b, y))
        a, b = x + 1, y + 1
    return found


def _settled(found: list[Change], old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Move blocks that were only added or only removed down, joining those that meet."""
    settled: list[Change] = []
    for change in reversed(found):
        below = settled[-1] if settled else Change(len(old) + 1, 0, len(new) + 1, 0)
        moved = change
        while (step := _lower(moved, old, new)) is not None and step.end <= below.start:
            moved = step
            if moved.end == below.start:
                settled.pop()
                moved = replace(moved, end=below.end, new_end=below.new_end)
                below = settled[-1] if settled else Change(len(old) + 1, 0, len(new) + 1, 0)
        settled.append(moved)
    return settled[::-1]


def _lower(change: Change, old: Sequence[str], new: Sequence[str]) -> Change | None:
    """Give the same change one line further down; None where it would be another."""
    added = change.start == change.end
    if added == (change.new_start == change.new_end) or change.end >= len(old) or change.new_end >= len(new):
        return None
    first, after = (new[change.new_start], new[change.new_end]) if added else (old[change.start], old[change.end])
    if first != after:
        return None
    return Change(change.start + 1, change.end + 1, change.new_start + 1, change.new_end + 1)
