from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.core.formats import FORMATS, Format, yaml_nodes, yaml_quick
from services.core.values import Value, dumps, equal, loads
from tests.unit.formats import documents, strategies

JSON, YAML, MARKDOWN, TOML = FORMATS["json"], FORMATS["yaml"], FORMATS["markdown"], FORMATS["toml"]
FAST = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
IN_ORDER = st.one_of(
    st.tuples(st.sampled_from([JSON, YAML]), strategies.records, strategies.records),
    st.tuples(st.just(MARKDOWN), strategies.markdown_records, strategies.markdown_records),
)
CASES = st.one_of(IN_ORDER, st.tuples(st.just(TOML), strategies.toml_records, strategies.toml_records))


@FAST
@given(CASES)
def test_a_new_file_reads_back_as_its_record(case: tuple[Format, dict[str, Value], Any]) -> None:
    """``parse(new(v)) == v``, exactly, for every record."""
    form, record, _ = case
    assert equal(form.parse(form.new(record)), record)


@FAST
@given(CASES)
def test_editing_nothing_changes_no_byte(case: tuple[Format, dict[str, Value], Any]) -> None:
    """``edit(data, parse(data)) == data``."""
    form, record, _ = case
    data = form.new(record)
    assert form.edit(data, form.parse(data)) == data


@FAST
@given(CASES)
def test_an_edited_file_reads_back_as_the_new_record(
    case: tuple[Format, dict[str, Value], dict[str, Value]],
) -> None:
    """``parse(edit(new(a), b)) == b``, whatever differs between a and b."""
    form, before, after = case
    assert equal(form.parse(form.edit(form.new(before), after)), after)


@FAST
@given(CASES, st.sampled_from(["crlf", "bom", "open end", "all"]))
def test_the_envelope_of_a_file_stays(case: tuple[Format, dict[str, Value], dict[str, Value]], kind: str) -> None:
    """CRLF, a byte order mark and a missing final newline survive any edit, and the record is exact."""
    form, before, after = case
    data = form.new(before)
    if kind in {"open end", "all"}:
        data = data.removesuffix(b"\n")
    if kind in {"crlf", "all"}:
        data = data.replace(b"\n", b"\r\n")
    if kind in {"bom", "all"}:
        data = b"\xef\xbb\xbf" + data
    result = form.edit(data, after)
    assert equal(form.parse(result), after)
    assert result.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf")
    assert form.edit(result, form.parse(result)) == result


@FAST
@given(IN_ORDER, st.data())
def test_one_changed_field_leaves_the_other_fields_bytes(
    case: tuple[Format, dict[str, Value], Any], data: st.DataObject
) -> None:
    """What stands before and after a changed field is the same, byte for byte."""
    form, record, _ = case
    fields = [key for key in record if key != "body"]
    if not fields:
        return
    name = data.draw(st.sampled_from(fields))
    position = fields.index(name)
    source = form.new(record)
    changed = {**record, name: data.draw(strategies.scalars)}
    result = form.edit(source, changed)
    before = form.new({key: record[key] for key in fields[:position]}) if position else b""
    shared = before.removesuffix(b"---\n").removesuffix(b"\n").removesuffix(b"\n}").removesuffix(b"{}")
    assert result.startswith(shared)
    if form is YAML and position + 1 < len(fields):
        assert result.endswith(form.new({key: record[key] for key in fields[position + 1 :]}))


@FAST
@given(strategies.values)
def test_canonical_text_is_exact(value: Value) -> None:
    """``loads(dumps(v)) == v``, with every digit."""
    assert equal(loads(dumps(value)), value)


@pytest.mark.parametrize("text", strategies.MISREAD)
@pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
def test_text_stays_text(form: Format, text: str) -> None:
    """A text that some reader takes for a number, a date or syntax comes back as the same text."""
    record: dict[str, Value] = {text: text, "list": [text, {"x": text}], "nested": {text: [text]}}
    assert equal(form.parse(form.new(record)), record)
    old = form.new({"a": "plain", "list": ["x", {"x": "y"}]})
    after: dict[str, Value] = {"a": text, "list": [text, {"x": text}]}
    assert equal(form.parse(form.edit(old, after)), after)


PIECES = [
    "a:",
    "b: ",
    "c",
    " ",
    "  ",
    "- ",
    "-",
    "\n",
    "\n  ",
    "\n- ",
    "x y",
    "'q",
    "'",
    "''",
    '"',
    "#",
    " #n",
    ": ",
    ":",
]
MORE_PIECES = [
    "no",
    "1.50",
    "-1",
    "~",
    "[]",
    "{}",
    "---\n",
    "d: e\n",
    "f:\n  - g\n",
    "\n\n",
    "\\",
    "é",
    "<<",
    "|",
    "&w",
]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from([*PIECES, *MORE_PIECES]), max_size=16).map("".join),
        documents.documents("yaml").map(lambda data: data.decode()),
        documents.dumped(),
        documents.dumped(),
    )
)
def test_the_quick_reading_of_yaml_says_what_the_careful_one_says(text: str) -> None:
    """Where it answers at all; what the careful one refuses it leaves alone."""
    found = yaml_quick.read(text)
    if found is not None:
        careful = yaml_nodes.values(text, yaml_nodes.compose(text))
        assert equal(found, careful)
        assert list(found) == list(careful)
        assert dumps(found) == dumps(careful)


def test_the_quick_reading_takes_what_most_records_are() -> None:
    """Mappings, lists of both indents, plain and quoted text over several lines, comments of their own lines."""
    text = (
        "---\n# top\nid: a\ntitle: 'It''s: so'\nn: -1.50\nurl: https://e.org/#x\nnone:\nempty: []\n\ntags:\n- x\n"
        "- long text\n  goes on\nplace:\n    town: \"Ayr\"\n    list:\n      - k: 1\n        l: 'q\n          r'\n"
        "      - k: no\nend: true\n"
    )
    found = yaml_quick.read(text)
    assert found is not None
    assert equal(found, yaml_nodes.values(text, yaml_nodes.compose(text)))
