"""Text merges by line as ``git merge-file`` merges files, and no change of a side is lost."""

import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.line_diff import MAX_EDITS, changes
from services.core.line_merge import merge_lines

lines = st.lists(st.sampled_from(["a", "b", "c", "", "d"]), max_size=8)
texts = lines.map("\n".join)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str, str]:
    """Give a text of lines that are each there once, and what two people made of it with lines of their own."""
    base = [f"line {number}" for number in range(draw(st.integers(0, 10)))]
    sides: list[str] = []
    for person in ("one", "two"):
        side = list(base)
        for number in range(draw(st.integers(0, 3))):
            place = draw(st.integers(0, len(side)))
            way = draw(st.sampled_from(["add", "change", "remove"]))
            # Both may have the same idea.
            text = f"idea {place}" if draw(st.booleans()) else f"{person} {number}"
            side[place : place + (way != "add")] = [] if way == "remove" else [text]
        if len(set(side)) == len(side):
            sides.append("\n".join(side))
        else:
            sides.append("\n".join(base))
    return "\n".join(base), sides[0], sides[1]


def git_merge(base: str, ours: str, theirs: str, *flags: str) -> tuple[str, bool]:
    """Give what git makes of three files, and whether it found no conflict."""
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder) / name) for name in ("ours", "base", "theirs")]
        for name, text in zip(names, (ours, base, theirs), strict=True):
            Path(name).write_text(text + "\n", encoding="utf-8")
        done = subprocess.run(
            ["git", "merge-file", "-p", "--quiet", *flags, *names], capture_output=True, text=True, check=False
        )
    return done.stdout.removesuffix("\n"), done.returncode == 0


@settings(max_examples=150, deadline=None)
@given(edited())
def test_the_result_is_that_of_git(sides: tuple[str, str, str]) -> None:
    """Same text and same verdict as git; where there is a conflict, the same text for either side favoured."""
    merged = merge_lines(*sides)
    text, clean = git_merge(*sides)
    assert merged.clean == clean
    if clean:
        assert merged.text == text
    else:
        assert merged.text == git_merge(*sides, "--ours")[0]
        assert merge_lines(*sides, "theirs").text == git_merge(*sides, "--theirs")[0]


@given(texts, texts)
def test_one_sided_changes_are_taken_whole(base: str, new: str) -> None:
    """Whatever one side made of a text is the result when the other made nothing, or the same, of it."""
    for sides in ((new, base), (base, new), (new, new)):
        merged = merge_lines(base, *sides)
        assert (merged.text, merged.clean) == (new, True)


@given(texts, texts, texts)
def test_the_sides_may_be_swapped(base: str, one: str, two: str) -> None:
    """Who is who decides nothing but whose lines stand in a dispute."""
    here, there = merge_lines(base, one, two), merge_lines(base, two, one)
    assert here.clean == there.clean
    if here.clean:
        assert here.text == there.text
    assert here.text == merge_lines(base, two, one, "theirs").text


@given(texts, texts, texts)
def test_no_added_line_is_lost(base: str, one: str, two: str) -> None:
    """Every line that a side added is in the result where there is no dispute, or in one that takes both."""
    merged = merge_lines(base, one, two, "both").text.split("\n")
    for side in (one, two):
        added = set(side.split("\n")) - set(base.split("\n"))
        assert added <= set(merged)


@given(lines, lines)
def test_changes_lead_from_one_text_to_the_other(old: list[str], new: list[str]) -> None:
    """What lies between the changes is the same on both sides, and at least one line."""
    made, a, b = changes(old, new), 0, 0
    for number, change in enumerate(made):
        assert old[a : change.start] == new[b : change.new_start]
        assert number == 0 or change.start > a
        assert change.end > change.start or change.new_end > change.new_start
        a, b = change.end, change.new_end
    assert old[a:] == new[b:]


def test_paragraphs_merge() -> None:
    """Two people may edit, add and remove different paragraphs of one text."""
    base = "First.\n\nSecond.\n\nThird."
    ours = "First, edited.\n\nSecond.\n\nThird."
    theirs = "First.\n\nSecond.\n\nNew.\n\nThird!"
    assert merge_lines(base, ours, theirs).text == "First, edited.\n\nSecond.\n\nNew.\n\nThird!"
    assert merge_lines(base, ours, theirs).clean
    assert not merge_lines(base, ours, base.replace("First.", "Erst.")).clean


def test_neighbouring_lines_are_in_dispute() -> None:
    """As with git, one unchanged line between two changes keeps them apart, and none does not."""
    assert not merge_lines("a\nb\nc", "x\nb\nc", "a\ny\nc").clean
    assert merge_lines("a\nb\nc", "x\nb\nc", "a\nb\nz").text == "x\nb\nz"


def test_text_that_is_wholly_other_takes_no_time() -> None:
    """Beyond the limit of edits the middle counts as one change: quickly, and nothing is lost."""
    base = "\n".join(str(number % 7) for number in range(4 * MAX_EDITS))
    ours = "\n".join(str(number % 5) for number in range(4 * MAX_EDITS))
    merged = merge_lines(base, ours, base + "\nmore")
    assert "more" in merged.text or not merged.clean
    assert merge_lines(base, ours, base).text == ours
