"""What a schema refuses, what rules note, and the score."""

import pytest

from services.core.errors import InvalidInputError
from services.core.quality import NO_SCORE, assess, check_quality
from services.core.schema import check_schema, properties, validate
from services.core.values import Value, loads

SCHEMA = (
    b'{"type": "object", "required": ["title"], "properties": {"size": {"type": "integer"}, "a/b": {"minimum": 1}}}'
)
RULES = b"""[
  {"field": "title", "min_length": 5, "max_length": 10, "weight": 2},
  {"field": "sources", "min_items": 2, "item_keys": ["url"]},
  {"field": "kind", "allowed": ["x", "y"], "required": false},
  {"field": "importance", "minimum": 1, "maximum": 10}
]"""


def value(text: str) -> dict[str, Value]:
    """Give a record from JSON text."""
    found = loads(text.encode())
    assert isinstance(found, dict)
    return found


def test_findings_name_pointer_and_rule() -> None:
    """Big integers and decimals are checked exactly; keys with slashes are escaped in pointers."""
    assert validate(SCHEMA, value('{"title": "x", "size": 123456789012345678901234567890}')) == []
    assert validate(b"", value("{}")) == []
    found = validate(SCHEMA, value('{"size": 1.5, "a/b": 0}'))
    assert {(f.pointer, f.rule) for f in found} == {("", "required"), ("/size", "type"), ("/a~1b", "minimum")}
    assert properties(SCHEMA) == {"size", "a/b"}


def test_the_score_is_the_share_of_the_weights() -> None:
    """Ten when all rules hold; each broken one is explained."""
    good = value('{"title": "Beetle", "sources": [{"url": "u"}, {"url": "v"}], "importance": 3}')
    assert assess(RULES, good) == (10.0, [])
    score, notes = assess(RULES, {**good, "title": "Bee"})
    assert score == 6.0
    assert [(n.pointer, n.rule) for n in notes] == [("/title", "min_length")]
    assert assess(b"", good) == (NO_SCORE, [])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ('{"title": "much too long for it"}', "max_length"),
        ('{"sources": [{"url": "u"}]}', "min_items"),
        ('{"sources": [{"url": "u"}, {"url": ""}]}', "item_keys"),
        ('{"kind": "z"}', "allowed"),
        ('{"importance": 0}', "minimum"),
        ('{"importance": 11.5}', "maximum"),
        ('{"importance": "high"}', "minimum"),
        ('{"importance": null}', "required"),
    ],
)
def test_each_rule_is_noticed(change: str, rule: str) -> None:
    """A broken rule gives exactly one note with its name."""
    good = value('{"title": "Beetle", "sources": [{"url": "u"}, {"url": "v"}], "kind": "x", "importance": 3}')
    _, notes = assess(RULES, {**good, **value(change)})
    assert [note.rule for note in notes] == [rule]


@pytest.mark.parametrize("schema", [b'{"type": 7}', b"[1]", b'{"$ref": "#/nowhere"}'])
def test_a_schema_that_is_none_is_refused(schema: bytes) -> None:
    """Before anything is stored."""
    with pytest.raises(InvalidInputError, match="schema"):
        check_schema(schema)


@pytest.mark.parametrize("rules", [b"{}", b'[{"min_length": 1}]', b'[{"field": "a", "colour": 1}]', b"nonsense"])
def test_rules_that_are_none_are_refused(rules: bytes) -> None:
    """The rule and the key are named."""
    with pytest.raises(InvalidInputError, match="quality rules"):
        check_quality(rules)
