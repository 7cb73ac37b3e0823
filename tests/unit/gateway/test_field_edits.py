"""``--set field=value`` finds its field and keeps its type."""

from decimal import Decimal

import pytest

from gateway.cli.field_edits import field_edit
from services.core.errors import InvalidInputError
from services.core.values import Value

CONTENT: dict[str, Value] = {
    "title": "Ant",
    "size": 3,
    "place": {"town": "Ayr", "no": 4},
    "a.b": 1,
    "tags": ["x"],
}


@pytest.mark.parametrize(
    ("text", "pointer", "value"),
    [
        ("title=12", "/title", "12"),
        ("size=12", "/size", 12),
        ("size=1.50", "/size", Decimal("1.50")),
        ("size=big", "/size", "big"),
        ("size=", "/size", ""),
        ("place.town=5", "/place/town", "5"),
        ("/place/no=5", "/place/no", 5),
        ("a.b=2", "/a.b", 2),
        ('tags=["x", "y"]', "/tags", ["x", "y"]),
        ("title=a=b", "/title", "a=b"),
        ("new=true", "/new", True),
        ("a/b=x", "/a~1b", "x"),
    ],
)
def test_the_field_is_found_and_the_value_typed(text: str, pointer: str, value: Value) -> None:
    """Text stays text where text is; elsewhere JSON is JSON, digits and all."""
    edit = field_edit(text, CONTENT)
    assert edit == {"pointer": pointer, "value": value}
    assert type(edit["value"]) is type(value)


@pytest.mark.parametrize("text", ["title", "=x", ""])
def test_what_is_no_edit_is_refused(text: str) -> None:
    """An edit has a field and an equals sign."""
    with pytest.raises(InvalidInputError):
        field_edit(text, CONTENT)
