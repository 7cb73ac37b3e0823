"""Three-way merge of text by line, with what ``git merge-file`` calls a conflict.

Two people may change different places of one text. Changes that overlap or touch (no unchanged line lies between
them) are a conflict, unless both are the same. Lines end at a newline; the text's end counts as one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from services.core.line_diff import Change, changes

Favour: TypeAlias = Literal["ours", "theirs", "both"]


@dataclass(frozen=True)
class LineMerge:
    """The merged text; where it is not ``clean``, a side was favoured in the lines that are in dispute."""

    text: str
    clean: bool


def merge_lines(base: str, ours: str, theirs: str, favour: Favour = "ours") -> LineMerge:
    """Merge what two sides made of a text; ``favour`` says whose lines stand where they dispute them.

    "both" puts ours before theirs. Swapping the sides gives the same text where it is clean.
    """
    old, mine, other = base.split("\n"), ours.split("\n"), theirs.split("\n")
    merged: list[str] = []
    clean, done = True, 0
    for region in _regions(changes(old, mine), changes(old, other)):
        here = _side(region, region.ours, old, mine)
        there = _side(region, region.theirs, old, other)
        merged += old[done : region.start]
        done = region.end
        if not region.theirs or here == there:
            merged += here
        elif not region.ours:
            merged += there
        else:
            clean = False
            merged += _CHOICES[favour](here, there)
    merged += old[done:]
    return LineMerge("\n".join(merged), clean)


@dataclass
class _Region:
    """Lines of the base that changes of one or of both sides touch."""

    start: int
    end: int
    ours: list[Change]
    theirs: list[Change]


def _regions(ours: Sequence[Change], theirs: Sequence[Change]) -> Iterator[_Region]:
    """Join the changes that overlap or touch, in order."""
    mixed = sorted(
        [(change, True) for change in ours] + [(change, False) for change in theirs],
        key=lambda pair: (pair[0].start, pair[0].end),
    )
    region: _Region | None = None
    for change, is_ours in mixed:
        if region is not None and change.start > region.end:
            yield region
            region = None
        region = region or _Region(change.start, change.end, [], [])
        region.end = max(region.end, change.end)
        (region.ours if is_ours else region.theirs).append(change)
    if region is not None:
        yield region


def _side(region: _Region, made: Sequence[Change], old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Give what one side has in the place of a region."""
    if not made:
        return list(old[region.start : region.end])
    first, last = made[0], made[-1]
    return list(new[first.new_start - (first.start - region.start) : last.new_end + (region.end - last.end)])


def _both(here: list[str], there: list[str]) -> list[str]:
    """Give the lines of both sides, those that both have at the ends of the dispute once."""
    limit = min(len(here), len(there))
    head = next((n for n in range(limit) if here[n] != there[n]), limit)
    tail = next((n for n in range(limit - head) if here[-1 - n] != there[-1 - n]), limit - head)
    return [*here[: len(here) - tail], *there[head:]]


_CHOICES: Final[dict[Favour, Callable[[list[str], list[str]], list[str]]]] = {
    "ours": lambda here, _: here,
    "theirs": lambda _, there: there,
    "both": _both,
}
