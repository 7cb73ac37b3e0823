import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from services.core.errors import InvalidInputError, NotFoundError
from services.core.formats import FORMATS
from services.core.values import ParseError, Value, dumps, equal, escape, get, loads, read_plain, remove_at, set_at
from tests.unit.formats import strategies

RECORD: Value = {"a": [1, {"b/c": "x"}], "~": None, "": {"n": 1}}


def test_numbers_keep_every_digit() -> None:
    """Integers of any size and decimals come through as written."""
    text = b'{"a":123456789012345678901234567890,"b":1.10,"c":1E+400,"d":-0.0,"e":-7}'
    value = loads(text)
    assert dumps(value) == text
    assert value == {"a": 123456789012345678901234567890, "b": Decimal("1.10"), "c": Decimal("1E+400"), "d": 0, "e": -7}


@pytest.mark.parametrize(
    ("form", "data", "expected"),
    [
        ("yaml", "{} no", '"no"'),
        ("yaml", "{} On", '"On"'),
        ("yaml", "{} 1e3", "1E+3"),
        ("yaml", "{} 0o17", "15"),
        ("yaml", "{} 017", "17"),
        ("yaml", "{} 0x1F", "31"),
        ("yaml", "{} 1_000", '"1_000"'),
        ("yaml", "{} 12:30", '"12:30"'),
        ("yaml", "{} 2024-01-02 10:00:00 +1", '"2024-01-02 10:00:00 +1"'),
        ("yaml", "{} 1.10", "1.10"),
        ("yaml", "{} 123456789012345678901234567890", "123456789012345678901234567890"),
        ("yaml", "{} True", "true"),
        ("yaml", "{} ~", "null"),
        ("toml", "{} 1e3", "1E+3"),
        ("toml", "{} 0o17", "15"),
        ("toml", "{} 1_000", "1000"),
        ("toml", "{} +1.10", "1.10"),
        ("toml", "{} 2024-01-02 10:00:00.1234567891", '"2024-01-02 10:00:00.1234567891"'),
        ("toml", "{} 10:00:00", '"10:00:00"'),
        ("json", '"n": 1e3', "1E+3"),
        ("json", '"n": 1.10', "1.10"),
        ("json", '"n": 123456789012345678901234567890', "123456789012345678901234567890"),
    ],
)
def test_what_is_written_means_what_its_format_says(form: str, data: str, expected: str) -> None:
    """Words, bases, dates and digits: by YAML 1.2 core, TOML and JSON, exactly; also in front matter."""
    text = data.format({"yaml": "n:", "toml": "n ="}[form]) if form != "json" else "{" + data + "}"
    record = f'{{"n":{expected}}}'.encode()
    assert FORMATS[form].parse_canonical(text.encode())[1] == record
    if form != "json":
        mark = {"yaml": "---", "toml": "+++"}[form]
        assert FORMATS["markdown"].parse_canonical(f"{mark}\n{text}\n{mark}\n".encode())[1] == record


def test_equality_counts_types_but_not_order() -> None:
    """``True`` is not 1, 1 is not 1.0, ``1.10`` is 1.1; key order is nothing, list order is all."""
    yes, no = True, False
    assert not equal(yes, 1)
    assert not equal(no, 0)
    assert not equal(1, Decimal("1.0"))
    assert not equal("1", 1)
    assert not equal(None, no)
    assert equal(Decimal("1.10"), Decimal("1.1"))
    assert equal({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1})
    assert not equal([1, 2], [2, 1])
    assert not equal({"a": None}, {"b": None})
    assert not equal([1], [True])


@given(strategies.values, strategies.values)
def test_equality_is_that_of_what_is_written(a: Value, b: Value) -> None:
    """Equal values are equal both ways, and a value equals itself read back."""
    assert equal(a, b) == equal(b, a)
    assert equal(a, loads(dumps(a)))


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), ["\ud800"], {"\udfff": 1}])
def test_what_no_text_can_hold_is_refused(value: Value) -> None:
    """NaN, infinities and lone surrogates are an error with a remedy."""
    with pytest.raises(InvalidInputError):
        dumps(value)


@pytest.mark.parametrize("value", [1.5, (1,), {1: 2}, b"x", {"a": {1}}])
def test_what_is_no_value_is_a_mistake_of_the_program(value: Any) -> None:
    """Floats, tuples and foreign keys never reach a record."""
    with pytest.raises(TypeError):
        dumps(value)


def test_pointers_reach_every_place() -> None:
    """RFC 6901: ``~0`` and ``~1``, list indexes, empty keys, the whole."""
    assert get(RECORD, "") is RECORD
    assert get(RECORD, "/a/1/b~1c") == "x"
    assert get(RECORD, "/~0") is None
    assert get(RECORD, "//n") == 1
    assert escape("a/b~c") == "a~1b~0c"


def test_changes_by_pointer_leave_the_original() -> None:
    """``set_at`` and ``remove_at`` give new values."""
    assert get(set_at(RECORD, "/a/1/b~1c", "y"), "/a/1/b~1c") == "y"
    assert get(set_at(RECORD, "/a/-", 2), "/a/2") == 2
    assert get(set_at(RECORD, "/new", 2), "/new") == 2
    assert set_at(RECORD, "", 1) == 1
    assert remove_at(RECORD, "/a/0") == {"a": [{"b/c": "x"}], "~": None, "": {"n": 1}}
    assert remove_at(RECORD, "/a/1/b~1c") == {"a": [1, {}], "~": None, "": {"n": 1}}
    assert RECORD == {"a": [1, {"b/c": "x"}], "~": None, "": {"n": 1}}


@pytest.mark.parametrize("pointer", ["/x", "/a/2", "/a/-", "/a/01", "/a/x", "/a/0/x", "/~0/x"])
def test_a_pointer_to_nothing_says_so(pointer: str) -> None:
    """The error names the pointer."""
    with pytest.raises(NotFoundError, match=pointer):
        get(RECORD, pointer)
    with pytest.raises(NotFoundError):
        remove_at(RECORD, pointer)


@pytest.mark.parametrize("pointer", ["/x/y", "/a/3", "/a/01", "/a/0/x"])
def test_setting_needs_a_place(pointer: str) -> None:
    """Objects on the way are not made up."""
    with pytest.raises(NotFoundError):
        set_at(RECORD, pointer, 1)


def test_a_pointer_begins_with_a_slash() -> None:
    """And the whole record is no field to remove."""
    with pytest.raises(InvalidInputError):
        get(RECORD, "a")
    with pytest.raises(InvalidInputError):
        remove_at(RECORD, "")


@pytest.mark.parametrize("text", [b"", b"{", b"01", b"1.", b"'a'", b"NaN", b'{"a":1,"a":1}', b"\xff", b"\xef\xbb\xbf1"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """Nothing beyond RFC 8259 passes."""
    with pytest.raises(ParseError):
        loads(text)


@given(strategies.values)
def test_the_quick_reading_says_what_the_careful_one_says(value: Value) -> None:
    """Where it answers at all, value and canonical text are those of loads and dumps, in any spacing."""
    text = dumps(value)
    for data in (text, json.dumps(json.loads(text, parse_float=str), indent=2, ensure_ascii=False).encode()):
        found = read_plain(data)
        if found is not None:
            assert equal(found[0], loads(data))
            assert found[1] == dumps(loads(data))


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "a" : 2}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"x": {"a": "\\":", "a": 1}}',
        b'{"a": ":", "a": ":"}',
        b'{"a": "\\u003a", "a": 1}',
        b'{"a": NaN}',
        b'{"a": 1.0}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 1}}',
        b"[" * 200 + b"]" * 200,
        b'"\xff"',
    ],
)
def test_the_quick_reading_leaves_what_is_odd_to_the_careful_one(data: bytes) -> None:
    """Keys that are there twice above all, however they are written."""
    assert read_plain(data) is None
