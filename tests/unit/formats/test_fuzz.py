import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.core.formats import FORMATS, ParseError
from services.core.values import Value, equal, loads
from tests.unit.formats import documents, strategies

SOME = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = list(FORMATS)


def holdable(form: str, data: bytes, record: Value) -> dict[str, Value]:
    """Make a record one that the file can hold: TOML has no null, a body is text."""
    found = record if isinstance(record, dict) else {}
    if form == "markdown":
        found = strategies.markdown(found)
    return strategies.toml(found) if form == "toml" or b"+++" in data[:8] else found


@pytest.mark.parametrize("form", NAMES)
@SOME
@given(st.data())
def test_any_bytes_are_a_record_or_a_parse_error(form: str, data: st.DataObject) -> None:
    """Nothing else is ever raised; and what is a record is one to JSON too, and stays as it is."""
    source = data.draw(documents.broken(form))
    record = parsed(form, source)
    if record is None:
        with pytest.raises(ParseError) as caught:
            FORMATS[form].edit(source, {})
        error = caught.value
        assert min(error.line, error.column) >= 1
        assert "\n" not in error.message
    else:
        assert equal(loads(FORMATS[form].parse_canonical(source)[1]), record)
        assert FORMATS[form].edit(source, record) == source


@pytest.mark.parametrize("form", NAMES)
@SOME
@given(st.data())
def test_any_file_becomes_any_record(form: str, data: st.DataObject) -> None:
    """``parse(edit(data, v)) == v`` for files as people write them: anchors, comments, tables in any order."""
    source = data.draw(documents.documents(form))
    before = parsed(form, source)
    assume(before is not None)
    after = data.draw(st.one_of(strategies.changes(before), strategies.records))
    new = holdable(form, source, after)
    result = FORMATS[form].edit(source, new)
    assert equal(FORMATS[form].parse(result), new)
    assert FORMATS[form].edit(result, new) == result


@pytest.mark.parametrize("form", NAMES)
@SOME
@given(st.data())
def test_a_changed_text_changes_its_own_lines_only(form: str, data: st.DataObject) -> None:
    """In a file of any shape: all lines but those that hold the text stay, byte for byte, and in order."""
    mark, new = "mark-0815", data.draw(st.sampled_from(["short", 'it\'s "so": #1', "x" * 30, "no", "1"]))
    record = holdable(form, b"", data.draw(strategies.records))
    record = {key: value for key, value in record.items() if key != "body"}
    source = FORMATS[form].new({"first": "a", "list": ["b", mark, {"deep": mark}], **record, "field": mark, "end": "c"})
    before = FORMATS[form].parse(source)
    after = replaced(before, mark, new)
    assert isinstance(after, dict)
    result = FORMATS[form].edit(source, after)
    old_lines, new_lines = source.split(b"\n"), result.split(b"\n")
    assert len(old_lines) == len(new_lines)
    for old, line in zip(old_lines, new_lines, strict=True):
        assert old == line or mark.encode() in old


def parsed(form: str, source: bytes) -> dict[str, Value] | None:
    """Give the record in a file; None where there is none."""
    try:
        return FORMATS[form].parse(source)
    except ParseError:
        return None


def replaced(value: Value, old: str, new: str) -> Value:
    """Put another text in the place of one, wherever it is."""
    if isinstance(value, dict):
        return {key: replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, old, new) for item in value]
    return new if value == old else value
