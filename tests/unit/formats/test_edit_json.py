"""Each test writes a file as people or programs write them, edits one thing, and shows the exact text."""

from decimal import Decimal
from typing import Any

import pytest

from services.core.formats import FORMATS
from services.core.values import Value, equal

JSON = FORMATS["json"]

SAMPLE = """\
{
  "id": "north-point",
  "height_m": 31.50,
  "count": 123456789012345678901234567890,
  "tags": ["lighthouse", "brick"],
  "keepers": [
    {
      "name": "Ada",
      "years": [1872, 1880]
    },
    {
      "name": "Bo"
    }
  ],
  "place": {"lat": 58.1, "lon": 7.250},
  "links": [],
  "last": null
}
"""


def edited(change: dict[str, Any], source: str = SAMPLE) -> str:
    """Set some top-level fields (``...`` removes one) and give the text."""
    merged: dict[str, Any] = {**JSON.parse(source.encode()), **change}
    new: dict[str, Value] = {key: value for key, value in merged.items() if value is not ...}
    result = JSON.edit(source.encode(), new)
    assert equal(JSON.parse(result), new)
    return result.decode()


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ({"id": "x"}, '"north-point"', '"x"'),
        ({"height_m": Decimal("31.60")}, "31.50", "31.60"),
        ({"count": 10**40}, "123456789012345678901234567890", str(10**40)),
        ({"tags": ["lighthouse", "brick", "é"]}, '"brick"]', '"brick", "é"]'),
        ({"tags": ["brick"]}, '"lighthouse", ', ""),
        ({"tags": ["new", "brick"]}, '"lighthouse"', '"new"'),
        ({"place": {"lat": 58.1, "lon": 7}}, None, None),
        ({"place": {"lat": Decimal("58.1")}}, ', "lon": 7.250', ""),
        (
            {"keepers": [{"name": "Ada", "years": [1872]}, {"name": "Bo", "born": 1850}]},
            '[1872, 1880]\n    },\n    {\n      "name": "Bo"\n',
            '[1872]\n    },\n    {\n      "name": "Bo",\n      "born": 1850\n',
        ),
        (
            {"keepers": [{"name": "Ada", "years": [1872, 1880]}]},
            ',\n    {\n      "name": "Bo"\n    }',
            "",
        ),
        ({"links": ["a", {"b": 1}]}, "[],", '[\n    "a",\n    {\n      "b": 1\n    }\n  ],'),
        ({"added": {"x": []}}, "null\n", 'null,\n  "added": {\n    "x": []\n  }\n'),
        ({"last": ...}, ',\n  "last": null', ""),
        ({"id": ...}, '"id": "north-point",\n  ', ""),
    ],
)
def test_an_edit_touches_what_changed(change: dict[str, Any], before: str | None, after: str | None) -> None:
    """All other characters stay: number spelling, one-line lists, order."""
    if before is None or after is None:
        change = {"place": {"lat": Decimal("58.1"), "lon": 7}}
        before, after = "7.250", "7"
    assert edited(change) == SAMPLE.replace(before, after, 1)


def test_the_manner_of_the_file_is_kept() -> None:
    """Tabs, tight separators, escaped non-ASCII text and an open end are the file's own."""
    assert edited({"b": [1]}, '{\n\t"a": 1\n}') == '{\n\t"a": 1,\n\t"b": [\n\t\t1\n\t]\n}'
    assert edited({"b": {"c": [1, 2]}}, '{"a":1,"z":[1,2]}') == '{"a":1,"z":[1,2],"b":{"c":[1,2]}}'
    assert edited({"b": 2}, '{"a": 1}\n') == '{"a": 1, "b": 2}\n'
    assert edited({"b": "ø"}, '{"a": "\\u00e9"}') == '{"a": "\\u00e9", "b": "\\u00f8"}'
    assert edited({"b": "ø"}, '{"a": "é"}') == '{"a": "é", "b": "ø"}'
    assert edited({"b": 2}, '{\r\n    "a": 1\r\n}\r\n') == '{\r\n    "a": 1,\r\n    "b": 2\r\n}\r\n'
    assert edited({"a": ...}, '{"a": 1}') == "{}"
    assert edited({"a": 1}, "{}") == '{"a": 1}'
    assert edited({"a": 1}, "\ufeff{ }\n") == '\ufeff{"a": 1}\n'


def test_equal_numbers_are_not_rewritten() -> None:
    """1.50 set to 1.5 is no change."""
    assert edited({"height_m": Decimal("31.5")}) == SAMPLE
