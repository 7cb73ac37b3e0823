"""Conditions and orders: what can be written, what it means, and what is said of what cannot be read."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import InvalidInputError
from services.core.filters import Condition, condition_of, conditions_of, matches, sort_of, sort_text
from services.core.values import Value

RECORD: Value = {
    "title": "Flood",
    "importance": 8,
    "size": Decimal("1.10"),
    "big": 12345678901234567890123,
    "date": "2024-01-31",
    "tags": ["water", "town", 7],
    "place": {"town": "Ayr", "a key": True},
    "nothing": None,
    "not": 1,
}


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("importance>=8", Condition(("importance",), ">=", 8)),
        (" place.town = Ayr ", Condition(("place", "town"), "=", "Ayr")),
        ("/place/town!=Ayr", Condition(("place", "town"), "!=", "Ayr")),
        ('"/place/a key" = true', Condition(("place", "a key"), "=", value=True)),
        ('code="8"', Condition(("code",), "=", "8")),
        ("tags contains a b", Condition(("tags",), "contains", "a b")),
        ("not sources exists", Condition(("sources",), "exists", negated=True)),
        ("not exists", Condition(("not",), "exists")),
        ("not=1", Condition(("not",), "=", 1)),
        ("sources/0", None),
        ("a~1b>-1.5e3", Condition(("a~1b",), ">", Decimal("-1.5e3"))),
        ("/a~1b>2", Condition(("a/b",), ">", 2)),
    ],
)
def test_a_condition_reads_as_documented(text: str, condition: Condition | None) -> None:
    """Field, operator and value are told apart; dots and pointers name the same field; quotes keep text text."""
    if condition is None:
        with pytest.raises(InvalidInputError):
            condition_of(text)
    else:
        assert condition_of(text) == condition


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("importance", 11),
        ("importance ~ 8", 11),
        ("", 1),
        ("=8", 1),
        ("a=", 3),
        ("a>>8", 3),
        ("a = =8", 5),
        ('a="x', 3),
        ('a="x" y', 3),
        ("a < true", 5),
        ("not a", 6),
        ("list.-1 = 3", 1),
        ("a..b=1", 1),
        ('a = "\\u0000"', 5),
        ('a = "\\ud800"', 5),
        ('a = "\\x"', 5),
        ('"a\\u0000" exists', 1),
    ],
)
def test_a_bad_condition_is_refused_with_its_column_and_the_remedy(text: str, column: int) -> None:
    """One line names the condition, the column and how conditions are written."""
    with pytest.raises(InvalidInputError) as refused:
        condition_of(text)
    assert f"at column {column}:" in str(refused.value)
    assert "importance>=8" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.reason == "BAD_CONDITION"


@pytest.mark.parametrize(
    "text",
    [
        "importance>=8",
        "importance=8.0",
        "size=1.1",
        "size<1.2",
        "big=12345678901234567890123",
        "big>12345678901234567890122",
        "date>=2024-01-31",
        "date<2024-02-01",
        "title!=Ant",
        "title contains loo",
        "tags contains water",
        "tags contains 7",
        "tags.0=water",
        "place.town=Ayr",
        "nothing exists",
        "nothing=null",
        "missing!=3",
        "not missing exists",
        "not missing>3",
        'not importance="8"',
        "not title contains LOO",
        "not tags contains wat",
        "not tags.7 exists",
        "not title>3",
        "not importance>x",
    ],
)
def test_conditions_hold_by_kind_and_value(text: str) -> None:
    """Numbers compare exactly and by value, text by code points, and values of two kinds never."""
    assert matches(RECORD, [condition_of(text)])
    turned = text.removeprefix("not ") if text.startswith("not ") else f"not {text}"
    assert not matches(RECORD, [condition_of(turned)])


def test_all_conditions_have_to_hold_and_there_is_a_limit() -> None:
    """Conditions are joined by and."""
    assert not matches(RECORD, conditions_of(["importance>=8", "importance<8"]))
    with pytest.raises(InvalidInputError, match="33 conditions"):
        conditions_of(["a=1"] * 33)


@pytest.mark.parametrize(
    ("text", "column", "path", "descending"),
    [
        ("", "id", (), False),
        ("-updated_at", "updated_at", (), True),
        ("quality", "quality", (), False),
        ("importance", None, ("importance",), False),
        ("-place.town", None, ("place", "town"), True),
        ("/title", None, ("title",), False),
    ],
)
def test_an_order_is_a_column_or_a_field(
    text: str, column: str | None, path: tuple[str, ...], *, descending: bool
) -> None:
    """A name is a column of the record where there is one; a pointer is always a field."""
    found = sort_of(text)
    assert (found.column, found.path, found.descending) == (column, path, descending)


@pytest.mark.parametrize("text", ["-", "a..b", "a.-1"])
def test_a_bad_order_is_refused(text: str) -> None:
    """What names no field is no order."""
    with pytest.raises(InvalidInputError):
        sort_of(text)


@given(st.lists(st.floats(allow_nan=False).map(lambda number: Decimal(str(number)) if abs(number) < 1e300 else 5)))
def test_numbers_sort_as_numbers(numbers: list[Decimal | int]) -> None:
    """The text that stands for a number sorts as the number does."""
    ordered = sorted(numbers, key=lambda number: sort_text({"n": number}, ("n",)))
    assert [float(number) for number in ordered] == sorted(float(number) for number in numbers)


def test_kinds_sort_one_after_the_other() -> None:
    """Without a value, numbers, texts, false, true, lists and objects; numbers out of range at the ends."""
    values: list[Value] = [None, Decimal("-1E+400"), -5, 0, Decimal("1E+400"), "", "a", "b", False, True, [], {}]
    texts = [sort_text({"f": value}, ("f",)) for value in values]
    assert texts == sorted(texts)
    assert sort_text({}, ("f",)) == sort_text({"f": None}, ("f",))
