"""Each test writes a file as people write them, edits one thing, and shows the exact text."""

import pytest

from services.core.errors import InvalidInputError
from services.core.formats import FORMATS
from services.core.values import Value, equal

MARKDOWN = FORMATS["markdown"]

SAMPLE = b"""\
---
id: a
tags:
- x   # first
date: 2025-01-01
---

# Heading

First paragraph.
---
Last paragraph.
"""


def edited(data: bytes, change: dict[str, Value]) -> bytes:
    """Set some fields and give the file."""
    new = {**MARKDOWN.parse(data), **change}
    result = MARKDOWN.edit(data, new)
    assert equal(MARKDOWN.parse(result), new)
    return result


def test_the_body_is_a_field_without_its_frame() -> None:
    """One blank line above and the final newline below are no part of the text; a later ``---`` is."""
    assert MARKDOWN.parse(SAMPLE) == {
        "id": "a",
        "tags": ["x"],
        "date": "2025-01-01",
        "body": "# Heading\n\nFirst paragraph.\n---\nLast paragraph.",
    }
    assert MARKDOWN.parse(b"---\na: b\n---\ntext")["body"] == "text"
    assert MARKDOWN.parse(b"---\na: b\n---\n\n\ntext\n\n")["body"] == "\ntext\n"
    assert MARKDOWN.parse(b"---\na: b\n---\n\n")["body"] == ""
    assert "body" not in MARKDOWN.parse(b"---\na: b\n---\n")
    assert "body" not in MARKDOWN.parse(b"---\na: b\n---")


def test_front_matter_and_body_are_edited_apart() -> None:
    """A field's edit leaves the body's bytes, a body's edit leaves the front matter's and its other lines."""
    assert edited(SAMPLE, {"id": "b"}) == SAMPLE.replace(b"id: a", b"id: b")
    assert edited(SAMPLE, {"new": 1}) == SAMPLE.replace(b"-01\n---", b"-01\nnew: 1\n---")
    body = "# Heading\n\nFirst paragraph.\n---\nNew."
    assert edited(SAMPLE, {"body": body}) == SAMPLE.replace(b"Last paragraph.", b"New.")


@pytest.mark.parametrize("body", ["", "x", "\nx", "x\n", "\n", "\n\n", "---\n", "a\n\nb"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\n\n", b"old", b"old\n", b"\nold", b"\nold\n", b"\n\nold\n\n"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_any_body_replaces_any_body(body: str, after: bytes, newline: bytes) -> None:
    """The result reads back as the body that was set, whatever frame the file had."""
    data = (b"---\na: b\n---\n" + after).replace(b"\n", newline)
    result = edited(data, {"body": body})
    assert result.count(b"\n") == result.count(newline)


def test_a_body_can_come_and_go() -> None:
    """Setting one where none was makes a sane file; removing it ends the file after the front matter."""
    assert edited(b"---\na: b\n---", {"body": "text"}) == b"---\na: b\n---\n\ntext\n"
    assert edited(b"---\na: b\n---\n", {"body": "text"}) == b"---\na: b\n---\n\ntext\n"
    assert MARKDOWN.edit(b"---\na: b\n---\n\ntext\n", {"a": "b"}) == b"---\na: b\n---\n"
    assert MARKDOWN.new({"a": "b", "body": "text"}) == b"---\na: b\n---\n\ntext\n"
    assert edited(b"---\n---\n\ntext\n", {"a": 1}) == b"---\na: 1\n---\n\ntext\n"


def test_crlf_is_lf_in_the_record_and_crlf_in_the_file() -> None:
    """The lines that stay keep their bytes, also where a file mixes line ends."""
    data = b"---\r\na: b\r\n---\r\n\r\none\r\ntwo\nthree\r\n"
    assert MARKDOWN.parse(data)["body"] == "one\ntwo\nthree"
    assert edited(data, {"body": "one\ntwo\nfour"}) == data.replace(b"three", b"four")


@pytest.mark.parametrize("body", [1, None, ["x"], "a\r\nb"])
def test_a_body_that_no_file_can_hold_is_refused(body: Value) -> None:
    """Something else than text, or CRLF line ends, is an error with its remedy, not a changed value."""
    with pytest.raises(InvalidInputError, match="body"):
        MARKDOWN.new({"body": body})
    with pytest.raises(InvalidInputError, match="body"):
        MARKDOWN.edit(SAMPLE, {"body": body})


TOML_SAMPLE = b"""\
+++
title = 'A post'   # as in the menu
date = 2024-01-02T10:00:00+01:00
tags = ["x"]

[params]
rank = 1
+++

# Heading
+++
Last paragraph.
"""


def test_toml_front_matter_stays_toml() -> None:
    """``+++`` as Hugo has it: read and edited as TOML; the body below it is as with ``---``."""
    record = MARKDOWN.parse(TOML_SAMPLE)
    assert record == {
        "title": "A post",
        "date": "2024-01-02T10:00:00+01:00",
        "tags": ["x"],
        "params": {"rank": 1},
        "body": "# Heading\n+++\nLast paragraph.",
    }
    assert edited(TOML_SAMPLE, {"title": "New"}) == TOML_SAMPLE.replace(b"A post", b"New")
    assert edited(TOML_SAMPLE, {"date": "2024-01-03"}) == TOML_SAMPLE.replace(b"2T10:00:00+01:00", b"3")
    assert edited(TOML_SAMPLE, {"draft": True}) == TOML_SAMPLE.replace(b'["x"]\n', b'["x"]\ndraft = true\n')
    assert edited(TOML_SAMPLE, {"body": "# Heading\n+++\nNew."}) == TOML_SAMPLE.replace(b"Last paragraph.", b"New.")
    assert edited(b"+++\n+++\n", {"a": 1}) == b"+++\na = 1\n+++\n"
    assert MARKDOWN.parse(b'+++\na = "+++"\n+++\n') == {"a": "+++"}


def test_text_with_the_closing_line_does_not_end_the_front_matter() -> None:
    """A text of several lines, one of which is ``+++``, is written on one line."""
    edited(TOML_SAMPLE, {"title": "one\n+++\ntwo"})
    edited(b'+++\na = """\nx\ny"""\n+++\n', {"a": "x\n+++\ny"})


def test_dates_in_new_front_matter_have_no_quotes() -> None:
    """As most files have them; what is no day of the calendar keeps its quotes."""
    record: dict[str, Value] = {"date": "2024-01-02", "none": "2024-02-30", "body": "x"}
    assert MARKDOWN.new(record) == b"---\ndate: 2024-01-02\nnone: '2024-02-30'\n---\n\nx\n"
