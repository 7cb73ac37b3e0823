"""Each test writes a file as people write them, edits one thing, and shows the exact lines that differ."""

import datetime as dt
import re
import tomllib
from decimal import Decimal
from difflib import unified_diff
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.core.errors import InvalidInputError
from services.core.formats import FORMATS, ParseError
from services.core.values import Value, equal, remove_at, set_at
from tests.unit.formats import documents

TOML = FORMATS["toml"]

SAMPLE = '''\
# Catalogue of lighthouses, kept by hand
id = "north-point"
title = 'North Point: the "old" light'   # as on the chart
opened = 1872-05-01
lit = 1872-05-02 18:30:00.1234567891+01:00
height_m = 31.50
lamps = 0x1F
stones = 1_000_000
active = true
place.country = "Norway"
place.position = { lat = 58.1, lon = 7.25 }   # WGS 84
notes = """
First line.

  Indented line.
Last line.
"""
years = [
  1872, # built
  # burnt in between
  1880, # rebuilt
  1901  # raised
]

# who kept it
[keepers]
first = "Ada"

[keepers.pay.1872]
pounds = 40

[[links]]
url = "https://example.org/#top"
  [links.seen]
  by = "Bo"

[[links]]
url = "https://example.org/2"

[last]
end = true
'''


def edited(pointer: str, value: Value, source: str = SAMPLE) -> list[str]:
    """Set one field and give the lines that differ."""
    new = set_at(TOML.parse(source.encode()), pointer, value)
    assert isinstance(new, dict)
    return differing(source, new)


def removed(pointer: str, source: str = SAMPLE) -> list[str]:
    """Remove one field and give the lines that differ."""
    new = remove_at(TOML.parse(source.encode()), pointer)
    assert isinstance(new, dict)
    return differing(source, new)


def differing(source: str, new: dict[str, Value]) -> list[str]:
    """Edit the file and give the lines that differ, without context."""
    result = TOML.edit(source.encode(), new)
    assert equal(TOML.parse(result), new)
    lines = unified_diff(source.splitlines(), result.decode().splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_values_are_exact() -> None:
    """Numbers keep their digits, dates and times are text as written, also beyond a microsecond."""
    record = TOML.parse(SAMPLE.encode())
    assert (record["opened"], record["lit"]) == ("1872-05-01", "1872-05-02 18:30:00.1234567891+01:00")
    assert (str(record["height_m"]), record["lamps"], record["stones"]) == ("31.50", 31, 1_000_000)
    assert record["place"] == {"country": "Norway", "position": {"lat": Decimal("58.1"), "lon": Decimal("7.25")}}
    assert record["notes"] == "First line.\n\n  Indented line.\nLast line.\n"
    assert record["links"] == [
        {"url": "https://example.org/#top", "seen": {"by": "Bo"}},
        {"url": "https://example.org/2"},
    ]
    exact = b"a = 123456789012345678901234567890\nb = 0.1234567890123456789012345678901234567890\nc = 1e400\nd = 0o17\n"
    assert TOML.parse_canonical(exact)[1] == (
        b'{"a":123456789012345678901234567890,"b":0.1234567890123456789012345678901234567890,"c":1E+400,"d":15}'
    )


@pytest.mark.parametrize(
    ("pointer", "value", "expected"),
    [
        ("/id", "south-point", ['-id = "north-point"', '+id = "south-point"']),
        (
            "/title",
            'South "new"',
            [
                """-title = 'North Point: the "old" light'   # as on the chart""",
                """+title = 'South "new"'   # as on the chart""",
            ],
        ),
        ("/opened", "1873-06-02", ["-opened = 1872-05-01", "+opened = 1873-06-02"]),
        ("/opened", "unknown", ["-opened = 1872-05-01", '+opened = "unknown"']),
        ("/opened", "1873-02-30", ["-opened = 1872-05-01", '+opened = "1873-02-30"']),
        ("/id", "1873-06-02", ['-id = "north-point"', '+id = "1873-06-02"']),
        ("/height_m", Decimal("32.10"), ["-height_m = 31.50", "+height_m = 32.10"]),
        ("/height_m", Decimal("1E+30"), ["-height_m = 31.50", "+height_m = 1E+30"]),
        ("/lamps", 10**30, ["-lamps = 0x1F", f"+lamps = {10**30}"]),
        ("/place/country", "Sweden", ['-place.country = "Norway"', '+place.country = "Sweden"']),
        ("/place/area", "south", ['+place.area = "south"']),
        (
            "/place/position/alt",
            12,
            [
                "-place.position = { lat = 58.1, lon = 7.25 }   # WGS 84",
                "+place.position = { lat = 58.1, lon = 7.25, alt = 12 }   # WGS 84",
            ],
        ),
        ("/notes", "First line.\n\n  Indented line.\nNew \\ line.\n", ["-Last line.", "+New \\\\ line."]),
        ("/id", "two\nlines", ['-id = "north-point"', '+id = """', "+two", '+lines"""']),
        ("/years/-", 1910, ["-  1901  # raised", "+  1901,  # raised", "+  1910"]),
        ("/years/1", 1881, ["-  1880, # rebuilt", "+  1881, # rebuilt"]),
        ("/keepers/first", "Cy", ['-first = "Ada"', '+first = "Cy"']),
        ("/keepers/second", "Di", ['+second = "Di"']),
        ("/keepers/pay/1873", {"pounds": 41}, ["+[keepers.pay.1873]", "+pounds = 41", "+"]),
        ("/keepers/pay/note", "in gold", ["+[keepers.pay]", '+note = "in gold"', "+"]),
        ("/links/1/seen", {"by": "Cy"}, ["+[links.seen]", '+by = "Cy"', "+"]),
        ("/links/0/seen/by", "Cy", ['-  by = "Bo"', '+  by = "Cy"']),
        ("/links/0/seen/at", "1900-01-01", ["+  at = 1900-01-01"]),
        ("/links/-", {"url": "u", "n": {"x": 1}}, ["+[[links]]", '+url = "u"', "+", "+[links.n]", "+x = 1", "+"]),
        ("/added", "x", ['+added = "x"']),
        ("/added", "1900-01-01", ["+added = 1900-01-01"]),
        ("/added", {"a b": {"c": [1]}}, ["+", '+[added."a b"]', "+c = [1]"]),
        ("/last", "none", ['+last = "none"', "-", "-[last]", "-end = true"]),
    ],
)
def test_setting_a_field_touches_its_own_lines(pointer: str, value: Value, expected: list[str]) -> None:
    """Style, comments, alignment and neighbours stay."""
    assert edited(pointer, value) == expected


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/id", ['-id = "north-point"']),
        ("/notes", [f"-{line}" for line in SAMPLE.splitlines()[11:17]]),
        ("/years/1", ["-  # burnt in between", "-  1880, # rebuilt"]),
        ("/years/2", ["-  1901  # raised"]),
        ("/place/country", ['-place.country = "Norway"']),
        ("/keepers/pay", ["-[keepers.pay.1872]", "-pounds = 40", "-"]),
        ("/links/0", [f"-{line}" for line in SAMPLE.splitlines()[32:37]]),
        ("/links/0/seen", ["-  [links.seen]", '-  by = "Bo"', "-"]),
        ("/last/end", ["-end = true"]),
        ("/last", ["-", "-[last]", "-end = true"]),
    ],
)
def test_removing_a_field_removes_its_lines(pointer: str, expected: list[str]) -> None:
    """The comments around stay."""
    assert sorted(removed(pointer)) == sorted(expected)


def test_a_new_file_is_in_the_house_style() -> None:
    """Fields first, tables below headers, long lists a line an item, dates without quotes, times with."""
    record: dict[str, Value] = {
        "id": "a",
        "sources": [{"url": "u", "date": "2024-01-02"}, {"url": "v"}],
        "date": "2024-01-02",
        "at": "2024-01-02T10:00:00Z",
        "clock": "10:00:00",
        "text": "one\ntwo\n",
        "place": {"deep": {"x": 1}},
        "none": [],
        "mixed": [1, {"a": "b"}],
        "names": ["a long name that fills a line " + str(n) for n in range(4)],
    }
    data = TOML.new(record)
    assert equal(TOML.parse(data), record)
    names = "".join(f'  "a long name that fills a line {n}",\n' for n in range(4))
    assert data.decode() == (
        'id = "a"\ndate = 2024-01-02\nat = 2024-01-02T10:00:00Z\nclock = "10:00:00"\ntext = """\none\ntwo\n"""\n'
        f'none = []\nmixed = [1, {{ a = "b" }}]\nnames = [\n{names}]\n\n[[sources]]\nurl = "u"\ndate = 2024-01-02\n\n'
        '[[sources]]\nurl = "v"\n\n[place.deep]\nx = 1\n'
    )


def test_a_file_that_quotes_its_dates_goes_on_to_do_so() -> None:
    """A new date is written as the others are."""
    assert TOML.edit(b'a = "2024-01-01"\n', {"a": "2024-01-01", "b": "2024-01-02"}).endswith(b'b = "2024-01-02"\n')
    assert TOML.edit(b"a = 2024-01-01\n", {"a": "2024-01-01", "b": "2024-01-02"}).endswith(b"b = 2024-01-02\n")


def test_line_ends_mark_and_open_end_stay() -> None:
    """CRLF, BOM and a missing final newline are the file's own; text of several lines has LF in the record."""
    source = b'\xef\xbb\xbfa = 1\r\nb = """\r\nx\r\ny"""\r\n\r\n[c]\r\nd = 1'
    assert TOML.parse(source)["b"] == "x\ny"
    result = TOML.edit(source, {"a": 2, "b": "x\nz", "c": {"d": 1, "e": 2}})
    assert result == b'\xef\xbb\xbfa = 2\r\nb = """\r\nx\r\nz"""\r\n\r\n[c]\r\nd = 1\r\ne = 2'


def test_tables_in_any_order_stay_where_they_are() -> None:
    """Tables between those of an array, and sub-tables away from their table, are edited where they stand."""
    source = b"[a.x]\nn = 1\n[[l]]\nn = 1\n[b]\nn = 1\n[[l]]\nn = 2\n[a.y]\nn = 2\n"
    record = TOML.parse(source)
    new = set_at(set_at(record, "/l/1/n", 3), "/a/y/m", 4)
    assert isinstance(new, dict)
    assert TOML.edit(source, new) == source.replace(
        b"[[l]]\nn = 2\n[a.y]\nn = 2\n", b"[[l]]\nn = 3\n[a.y]\nn = 2\nm = 4\n"
    )


@pytest.mark.parametrize("value", [None, [1, None], {"x": None}])
def test_null_is_refused_by_name(value: Value) -> None:
    """TOML has no null: a changed value would be a lie, so the field is named."""
    with pytest.raises(InvalidInputError, match=r"/a.* is null, which TOML cannot hold"):
        TOML.new({"a": value})
    with pytest.raises(InvalidInputError, match=r"/a.* is null"):
        TOML.edit(SAMPLE.encode(), {"a": value})


def test_what_toml_1_1_adds_is_read() -> None:
    """Line breaks and a last comma in inline tables, times without seconds, two more escapes."""
    source = b'a = {\n  b = 1, # one\n  c = 07:30,\n}\nd = "\\x41\\e"\n'
    record = TOML.parse(source)
    assert record == {"a": {"b": 1, "c": "07:30"}, "d": "A\x1b"}
    assert TOML.edit(source, {**record, "a": {"b": 2, "c": "07:30"}}) == source.replace(b"b = 1", b"b = 2")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_reader_agrees_with_the_standard_library(data: st.DataObject) -> None:
    """It takes what tomllib takes, with the same value, and refuses the rest but for what TOML 1.1 adds."""
    source = data.draw(st.one_of(documents.documents("toml"), documents.broken("toml")))
    text = source.decode("utf-8", "replace").removeprefix("\ufeff")
    expected, found = standard(text), read(text.encode())
    if found is None:
        assert expected is None
    elif expected is not None:
        assert equal(found, as_written(found, expected))
    else:
        assert re.search(r"\{[^}]*[\n,]|\d\d:\d\d(?!:)|\\[ex]", text), "only TOML 1.1 has more"


def read(source: bytes) -> dict[str, Value] | None:
    """Give the record in a file; None where there is none."""
    try:
        return TOML.parse(source)
    except ParseError:
        return None


def standard(text: str) -> Any:
    """Give what tomllib reads; None where it refuses."""
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return None


def as_written(found: Value, expected: Any) -> Any:
    """Put the text of dates and times in the place of tomllib's objects where it says the same."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: as_written(found.get(key), item) for key, item in expected.items()}
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return [as_written(*pair) for pair in zip(found, expected, strict=True)]
    if isinstance(expected, dt.date | dt.time) and isinstance(found, str):
        return found if type(expected).fromisoformat(found) == expected else str(expected)
    return expected
