"""Each test writes a file as people write them, edits one thing, and shows the exact lines that differ."""

from decimal import Decimal
from difflib import unified_diff

import pytest

from services.core.formats import FORMATS
from services.core.values import Value, equal, remove_at, set_at

YAML = FORMATS["yaml"]

SAMPLE = """\
# Catalogue of lighthouses, kept by hand
id: north-point
title: 'North Point: the old light'   # as on the chart
opened: 1872-05-01
height_m: 31.50
lamps: 0x1F
active: yes
summary: A square tower of brick, built after the storm of 1869 and
  raised by two floors in 1901. It has been
  automatic since 1984.
notes: |
  First line.

    Indented line.
  Last line.
story: >-
  Folded text that
  runs on.

  Second paragraph.

# where it stands
place:
    country: "Norway"
    position: {lat: 58.1, lon: 7.25}   # WGS 84

    keepers:
      - name: Ada
        years: [1872, 1880]
      - name: "Bo"   # the second one
        years: []
      # nobody since
tags:
- lighthouse
- 'on'
- brick
empty:
links: []
last: end
"""


LATER = (
    "A square tower of brick, built after the storm of 1869 and raised by two floors in 1901. "
    "It has been automatic since 1985."
)


def edited(pointer: str, value: Value, source: str = SAMPLE) -> list[str]:
    """Set one field and give the lines that differ."""
    data = source.encode()
    new = set_at(YAML.parse(data), pointer, value)
    assert isinstance(new, dict)
    return differing(source, new)


def removed(pointer: str, source: str = SAMPLE) -> list[str]:
    """Remove one field and give the lines that differ."""
    new = remove_at(YAML.parse(source.encode()), pointer)
    assert isinstance(new, dict)
    return differing(source, new)


def differing(source: str, new: dict[str, Value]) -> list[str]:
    """Edit the file and give the lines that differ, without context."""
    result = YAML.edit(source.encode(), new)
    assert equal(YAML.parse(result), new)
    lines = unified_diff(source.splitlines(), result.decode().splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_values_follow_the_core_schema() -> None:
    """``yes`` and dates are text, numbers keep their digits, comments are no content."""
    record = YAML.parse(SAMPLE.encode())
    assert (record["active"], record["opened"], record["lamps"]) == ("yes", "1872-05-01", 31)
    assert str(record["height_m"]) == "31.50"
    assert record["notes"] == "First line.\n\n  Indented line.\nLast line.\n"
    assert record["story"] == "Folded text that runs on.\nSecond paragraph."
    assert record["empty"] is None


@pytest.mark.parametrize(
    ("pointer", "value", "expected"),
    [
        ("/id", "south-point", ["-id: north-point", "+id: south-point"]),
        (
            "/title",
            "It's new",
            [
                "-title: 'North Point: the old light'   # as on the chart",
                "+title: 'It''s new'   # as on the chart",
            ],
        ),
        ("/opened", "1873-06-02", ["-opened: 1872-05-01", "+opened: 1873-06-02"]),
        ("/opened", "unknown", ["-opened: 1872-05-01", "+opened: unknown"]),
        ("/id", "1873-06-02", ["-id: north-point", "+id: '1873-06-02'"]),
        ("/id", "no", ["-id: north-point", "+id: 'no'"]),
        ("/active", "no", ["-active: yes", "+active: no"]),
        ("/height_m", Decimal("32.10"), ["-height_m: 31.50", "+height_m: 32.10"]),
        ("/height_m", "32.10", ["-height_m: 31.50", "+height_m: '32.10'"]),
        ("/lamps", 10**30, ["-lamps: 0x1F", f"+lamps: {10**30}"]),
        (
            "/summary",
            LATER,
            ["-  automatic since 1984.", "+  automatic since 1985."],
        ),
        (
            "/notes",
            "First line.\n\n  Indented line.\nNew last line.\n",
            ["-  Last line.", "+  New last line."],
        ),
        (
            "/notes",
            "Only",
            ["-notes: |", "-  First line.", "-", "-    Indented line.", "-  Last line.", "+notes: |-", "+  Only"],
        ),
        (
            "/story",
            "Folded text that runs on.\nAnother paragraph.",
            ["-  Second paragraph.", "+  Another paragraph."],
        ),
        ("/place/country", "Sweden", ['-    country: "Norway"', '+    country: "Sweden"']),
        (
            "/place/position/lat",
            Decimal("58.2"),
            [
                "-    position: {lat: 58.1, lon: 7.25}   # WGS 84",
                "+    position: {lat: 58.2, lon: 7.25}   # WGS 84",
            ],
        ),
        (
            "/place/position/alt",
            12,
            [
                "-    position: {lat: 58.1, lon: 7.25}   # WGS 84",
                "+    position: {lat: 58.1, lon: 7.25, alt: 12}   # WGS 84",
            ],
        ),
        (
            "/place/keepers/1/name",
            "Cy",
            ['-      - name: "Bo"   # the second one', '+      - name: "Cy"   # the second one'],
        ),
        (
            "/place/keepers/0/years/-",
            1881,
            ["-        years: [1872, 1880]", "+        years: [1872, 1880, 1881]"],
        ),
        ("/place/keepers/-", {"name": "Di", "years": []}, ["+      - name: Di", "+        years: []"]),
        ("/place/keepers/0/born", 1840, ["+        born: 1840"]),
        ("/place/area", {"code": "X"}, ["+    area:", "+        code: X"]),
        ("/tags/-", "off", ["+- 'off'"]),
        ("/tags/1", "off", ["-- 'on'", "+- 'off'"]),
        ("/empty", "full", ["-empty:", "+empty: full"]),
        ("/empty", ["a", {"b": 1, "c": "d"}], ["+- a", "+- b: 1", "+  c: d"]),
        ("/links", ["https://example.org/#top"], ["-links: []", "+links:", "+- https://example.org/#top"]),
        ("/last", "one\ntwo\n", ["-last: end", "+last: |", "+    one", "+    two"]),
        ("/added", "x: y", ["+added: 'x: y'"]),
        ("/added", {"a": {"b": ["c"]}}, ["+added:", "+    a:", "+        b:", "+        - c"]),
        ("/tags", "none", ["-tags:", "-- lighthouse", "-- 'on'", "-- brick", "+tags: none"]),
        ("/tags", [], ["-tags:", "-- lighthouse", "-- 'on'", "-- brick", "+tags: []"]),
    ],
)
def test_setting_a_field_touches_its_own_lines(pointer: str, value: Value, expected: list[str]) -> None:
    """Style, comments, alignment and neighbours stay."""
    assert edited(pointer, value) == expected


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/id", ["-id: north-point"]),
        ("/summary", [f"-{line}" for line in SAMPLE.splitlines()[7:10]]),
        ("/notes", [f"-{line}" for line in SAMPLE.splitlines()[10:15]]),
        ("/last", ["-last: end"]),
        ("/tags/0", ["-- lighthouse"]),
        ("/tags/2", ["-- brick"]),
        ("/place/keepers/0", ["-      - name: Ada", "-        years: [1872, 1880]"]),
        (
            "/place/keepers/1/name",
            ['-      - name: "Bo"   # the second one', "-        years: []", "+      - years: []"],
        ),
        (
            "/place/position/lon",
            [
                "-    position: {lat: 58.1, lon: 7.25}   # WGS 84",
                "+    position: {lat: 58.1}   # WGS 84",
            ],
        ),
    ],
)
def test_removing_a_field_removes_its_lines(pointer: str, expected: list[str]) -> None:
    """The comments around stay."""
    assert removed(pointer) == expected


def test_list_items_come_and_go_by_their_own_lines() -> None:
    """One item gone, one changed, one new in the middle: the other lines stay."""
    record = YAML.parse(b"tags:\n  - a  # first\n  - b\n  - c\n  - d\n")
    assert record == {"tags": ["a", "b", "c", "d"]}
    result = YAML.edit(b"tags:\n  - a  # first\n  - b\n  - c\n  - d\n", {"tags": ["a", "new", "c", "d", "e"]})
    assert result == b"tags:\n  - a  # first\n  - new\n  - c\n  - d\n  - e\n"
    assert YAML.edit(result, {"tags": ["zero", "a", "c", "e"]}) == b"tags:\n  - zero\n  - a  # first\n  - c\n  - e\n"


def test_line_ends_mark_and_open_end_stay() -> None:
    """CRLF, BOM and a missing final newline are the file's own."""
    source = b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\nc:\r\n- 1"
    result = YAML.edit(source, {"a": 2, "b": "x\nz\n", "c": [1, 2], "d": "e\nf\n"})
    assert result == (b"\xef\xbb\xbfa: 2\r\nb: |\r\n  x\r\n  z\r\nc:\r\n- 1\r\n- 2\r\nd: |\r\n  e\r\n  f\r\n")
    assert YAML.edit(b"a: 1\nb: 2", {"a": 1}) == b"a: 1"
    assert YAML.edit(b"a: 1\nb: 2", {"a": 1, "b": 2, "c": 3}) == b"a: 1\nb: 2\nc: 3"


def test_a_block_scalar_at_an_open_end_keeps_its_value() -> None:
    """Adding a key below text without a final newline does not add one to the text."""
    result = YAML.edit(b"# top\na: |\n    x", {"a": "x", "b": 1})
    assert result == b"# top\na: |-\n    x\nb: 1"


def test_document_marks_stay() -> None:
    """A leading ``---`` and a closing ``...`` are kept, and new keys go between them."""
    assert YAML.edit(b"---\na: 1\n...\n", {"a": 1, "b": 2}) == b"---\na: 1\nb: 2\n...\n"


def test_a_document_in_brackets_stays_in_brackets() -> None:
    """Flow style at the top is edited as flow style."""
    assert YAML.edit(b"{a: 1, b: [x, y]}\n", {"a": 2, "b": ["x"], "c": "d,e"}) == b"{a: 2, b: [x], c: 'd,e'}\n"


ANCHORS = b"""\
defaults: &d
  lang: en
  rank: 1
first:
  <<: *d
  rank: 2
second: *d
name: plain
"""


def test_aliases_and_merge_keys_are_resolved_and_kept() -> None:
    """What stays equal keeps its alias; editing beside it touches nothing of it."""
    record = YAML.parse(ANCHORS)
    assert record["first"] == {"rank": 2, "lang": "en"}
    assert record["second"] == {"lang": "en", "rank": 1}
    assert YAML.edit(ANCHORS, {**record, "name": "other"}) == ANCHORS.replace(b"plain", b"other")
    changed = YAML.edit(ANCHORS, {**record, "second": {"lang": "de"}})
    assert changed == ANCHORS.replace(b"second: *d", b"second:\n  lang: de")


@pytest.mark.parametrize("name", ["defaults", "first", "second"])
def test_editing_beside_anchors_never_changes_another_field(name: str) -> None:
    """Where an anchor has to go, its aliases are written out."""
    record = YAML.parse(ANCHORS)
    values: list[Value] = [{"lang": "fr", "rank": 9}, "gone", None]
    for value in values:
        after: dict[str, Value] = {**record, name: value}
        assert equal(YAML.parse(YAML.edit(ANCHORS, after)), after)
    after = {key: value for key, value in record.items() if key != name}
    result = YAML.edit(ANCHORS, after)
    assert equal(YAML.parse(result), after)
    assert result.endswith(b"name: plain\n")


def test_new_dates_are_written_as_the_others_are() -> None:
    """Without quotes, in a new file as well; in quotes where the file's own have them."""
    dates: dict[str, Value] = {"a": "2024-01-01", "b": ["2024-01-02T10:00:00Z"], "c": "2024-1-2", "d": "10:00"}
    assert YAML.new(dates) == b"a: 2024-01-01\nb:\n- 2024-01-02T10:00:00Z\nc: '2024-1-2'\nd: '10:00'\n"
    assert equal(YAML.parse(YAML.new(dates)), dates)
    assert (
        YAML.edit(b"a: 2024-01-01\nb:\n", {"a": "2024-01-01", "b": "2024-01-02"}) == b"a: 2024-01-01\nb: 2024-01-02\n"
    )
    new: dict[str, Value] = {"a": "2024-01-01", "b": "2024-01-02"}
    assert YAML.edit(b'a: "2024-01-01"\n', new) == b'a: "2024-01-01"\nb: "2024-01-02"\n'


def test_comments_stay_beside_their_items_between_brackets() -> None:
    """An item goes with the comment behind it and those above it; a new one gets none."""
    source = b"a: [\n  1, # one\n  # about two\n  2, # two\n  3, # three\n  ]\n"
    assert YAML.edit(source, {"a": [1, 3]}) == b"a: [\n  1, # one\n  3, # three\n  ]\n"
    assert YAML.edit(source, {"a": [1, 2]}) == b"a: [\n  1, # one\n  # about two\n  2, # two\n  ]\n"
    assert YAML.edit(source, {"a": [1, 2, 3, 4]}) == source.replace(b"# three\n", b"# three\n  4,\n")
