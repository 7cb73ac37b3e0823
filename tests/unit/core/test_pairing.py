"""Which file a record moved to is told by the record."""

from typing import Final

from services.core.pairing import MOST_COMPARED, likeness, pair, signature
from services.core.values import Value

CAT: Final[dict[str, Value]] = {"title": "Cat", "size": 1, "food": "fish"}


def test_equal_records_have_one_signature() -> None:
    """The order of fields is the format's, at any depth; the order of lists is the record's."""
    assert signature({"a": 1, "b": {"c": 1, "d": 2}}) == signature({"b": {"d": 2, "c": 1}, "a": 1})
    assert signature({"a": [1, 2]}) != signature({"a": [2, 1]})


def test_the_most_alike_are_paired_once_each() -> None:
    """More than half of the fields; an equal record goes before an alike one; a tie goes by path."""
    lost: dict[bytes, dict[str, Value]] = {b"a.json": CAT, b"b.json": {**CAT, "size": 2}}
    added: dict[bytes, dict[str, Value]] = {
        b"x.yaml": {**CAT, "size": 2},
        b"y.yaml": {**CAT, "size": 3},
        b"z.yaml": {"title": "Fire", "size": 1},
    }
    assert pair(lost, added) == {b"x.yaml": b"b.json", b"y.yaml": b"a.json"}
    assert pair(lost, {b"n": CAT, b"m": CAT})[b"m"] == b"a.json"
    assert likeness({}, {}) == 0
    assert pair({b"a": {"k": 1, "l": 2}}, {b"b": {"k": 1, "l": 3}}) == {}


def test_too_many_are_not_compared() -> None:
    """What would take the square of a large import is left alone."""
    many = {b"%d" % number: CAT for number in range(MOST_COMPARED)}
    assert pair(many, dict(list(many.items())[:2])) == {}
