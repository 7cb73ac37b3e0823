"""Unified diffs are those of git."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.core.unified_diff import unified

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "é", "\r", "x\r", " "]), max_size=14)


def _file(lines: list[str], *, ended: bool) -> bytes:
    return ("\n".join(lines) + ("\n" if ended and lines else "")).encode()


@given(old=LINES, new=LINES, one=st.booleans(), two=st.booleans())
def test_a_diff_turns_the_old_file_into_the_new_one(old: list[str], new: list[str], *, one: bool, two: bool) -> None:
    """Read as a patch program reads it, every hunk fits where it says, and the result is the new file."""
    before, after = _file(old, ended=one), _file(new, ended=two)
    assert _patched(before, unified(before, after, b"f", b"f")) == after


def test_git_applies_it(tmp_path: Path) -> None:
    """Git itself takes the diff, with a line end missing on either side, and of added and removed files."""
    files = {
        "a": (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n", b"1\n2\nx\n4\n5\n6\n7\n8\n9\n10\n11\ny\n13"),
        "b": (b"no end", b"no end\n"),
        "c": (None, b"new\n"),
        "d": (b"old\n", None),
    }
    patch = b"".join(unified(old, new, name.encode(), name.encode()) for name, (old, new) in files.items())
    for name, (old, _) in files.items():
        if old is not None:
            (tmp_path / name).write_bytes(old)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True)
    for name, (_, new) in files.items():
        assert ((tmp_path / name).read_bytes() if new is not None else None) == new
    assert not (tmp_path / "d").exists()


def test_no_change_is_no_diff_and_a_rename_alone_has_no_hunk() -> None:
    """What stays as it is has nothing to show but its names."""
    assert unified(b"a\n", b"a\n", b"f", b"f") == b""
    assert unified(b"a\n", b"a\n", b"f", b"g") == b"--- a/f\n+++ b/g\n"


def _patched(before: bytes, diff: bytes) -> bytes:
    """Apply a diff strictly."""
    source = _lines(before)
    result: list[bytes] = []
    at = 0
    rows = [row + b"\n" for row in diff.split(b"\n")[2:-1]]
    for number, row in enumerate(rows):
        last = number + 1 < len(rows) and rows[number + 1].startswith(b"\\")
        text = row[1:-1] if last else row[1:]
        if row.startswith(b"@@"):
            start, _, count = row.split()[1][1:].partition(b",")
            begin = int(start) - (count != b"0")
            result += source[at:begin]
            at = begin
        elif row[:1] in b" -":
            assert source[at] == text
            at += 1
            result += [text] if row[:1] == b" " else []
        elif row[:1] == b"+":
            result.append(text)
    return b"".join([*result, *source[at:]])


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [*(part + b"\n" for part in parts[:-1]), *([parts[-1]] if parts[-1] else [])]
