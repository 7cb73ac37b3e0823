"""The change of one file as a unified diff, as ``git diff`` prints it. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from services.core.line_diff import Change, changes

CONTEXT: Final = 3
_NOTHING: Final = b"/dev/null"


def unified(old: bytes | None, new: bytes | None, old_path: bytes, new_path: bytes) -> bytes:
    """Give the diff of a file; None where there is none before or after. Empty when nothing changes."""
    if old == new and old_path == new_path:
        return b""
    before, after = _lines(old), _lines(new)
    head = b"--- %s\n+++ %s\n" % (
        _NOTHING if old is None else b"a/" + old_path,
        _NOTHING if new is None else b"b/" + new_path,
    )
    groups = _groups(changes(before, after))
    return head + "".join(_hunk(group, before, after) for group in groups).encode("latin-1")


def _lines(data: bytes | None) -> list[str]:
    # Latin-1 gives every byte a character, whatever the file is written in. Only LF ends a line, as in git.
    *ended, rest = (data or b"").decode("latin-1").split("\n")
    lines = [f"{line}\n" for line in ended]
    return [*lines, rest] if rest else lines


def _groups(found: Sequence[Change]) -> Iterator[list[Change]]:
    """Give the changes that share a hunk: those with at most twice the context between them."""
    group: list[Change] = []
    for change in found:
        if group and change.start - group[-1].end > 2 * CONTEXT:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(group: Sequence[Change], before: Sequence[str], after: Sequence[str]) -> str:
    first, last = group[0], group[-1]
    lead = min(CONTEXT, first.start, first.new_start)
    start, new_start = first.start - lead, first.new_start - lead
    trail = min(CONTEXT, len(before) - last.end)
    end, new_end = last.end + trail, last.new_end + trail
    lines = []
    at = start
    for change in group:
        lines += [_line(" ", text) for text in before[at : change.start]]
        lines += [_line("-", text) for text in before[change.start : change.end]]
        lines += [_line("+", text) for text in after[change.new_start : change.new_end]]
        at = change.end
    lines += [_line(" ", text) for text in before[at:end]]
    return f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@\n" + "".join(lines)


def _range(start: int, end: int) -> str:
    count = end - start
    first = start + 1 if count else start
    return str(first) if count == 1 else f"{first},{count}"


def _line(sign: str, text: str) -> str:
    return f"{sign}{text}" if text.endswith("\n") else f"{sign}{text}\n\\ No newline at end of file\n"
