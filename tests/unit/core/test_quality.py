"""Quality rules beyond the simple ones, and the rule set that ships."""

import json

import pytest

from services.core.errors import InvalidInputError
from services.core.quality import assess, check_quality
from services.core.schema import check_schema, validate
from services.core.values import Value, dumps, loads

GOOD: dict[str, Value] = {
    "id": "2020-01-02--harbour-lease",
    "date": "2020-01-02",
    "end_date": "2020-03-01T10:00:00Z",
    "title": "Harbour lease is signed in private",
    "summary": "The port authority signs a lease of forty years with a company founded nine days before.",
    "importance": 7,
    "actors": ["Port authority", "Company"],
    "tags": ["port", "lease", "procurement"],
    "sources": [
        {"title": "One", "url": "https://a.example/x", "outlet": "A", "date": "2020-01-03"},
        {"title": "Two", "url": "http://b.example", "outlet": "B", "date": "2020-01-04"},
    ],
}


def broken(rules: Value, record: dict[str, Value]) -> list[tuple[str, str]]:
    """Give pointer and name of what breaks rules."""
    return [(f.pointer, f.rule) for f in assess(dumps(rules), record)[1]]


@pytest.mark.parametrize(
    ("rule", "record", "expected"),
    [
        ({"field": "tags", "max_items": 1}, {"tags": ["a", "b"]}, ("/tags", "max_items")),
        ({"field": "home", "url": True}, {"home": "ftp://x.example"}, ("/home", "url")),
        ({"field": "home", "url": True}, {"home": "https://user@x.example/"}, ("/home", "url")),
        ({"field": "links", "url": True}, {"links": ["https://x.example", "x"]}, ("/links", "url")),
        ({"field": "/s/*/u", "url": True}, {"s": [{"u": "https://x.example"}, {"u": " "}]}, ("/s/1/u", "url")),
        ({"field": "/s/*/u"}, {"s": [{"u": "x"}, {}]}, ("/s/1/u", "required")),
        ({"field": "day", "date": True}, {"day": "2024-02-30"}, ("/day", "date")),
        ({"field": "day", "date": True}, {"day": "2024-02-03x"}, ("/day", "date")),
        ({"field": "end", "not_before": "day"}, {"day": "2024-02-03", "end": "2024-02-02"}, ("/end", "not_before")),
        ({"field": "kinds", "allowed": ["a", "b"]}, {"kinds": ["a", "c"]}, ("/kinds", "allowed")),
        ({"field": "flag", "allowed": [1]}, {"flag": True}, ("/flag", "allowed")),
        ({"field": "s", "item_keys": ["n"]}, {"s": [{"n": 0}, {"n": ""}]}, ("/s", "item_keys")),
        ({"field": "a/b"}, {"a": {"b": 1}}, ("/a~1b", "required")),
    ],
)
def test_each_rule_names_the_first_field_that_breaks_it(
    rule: Value, record: dict[str, Value], expected: tuple[str, str]
) -> None:
    """One finding a rule, with the pointer of the very item."""
    assert broken([rule], record) == [expected]


@pytest.mark.parametrize(
    ("rule", "record"),
    [
        ({"field": "links", "url": True}, {"links": ["https://x.example/a?b#c", "HTTP://Y.example:80"]}),
        ({"field": "/s/*/u", "url": True}, {"s": []}),
        ({"field": "day", "date": True}, {"day": "2024-02-29T01:02:03Z"}),
        ({"field": "end", "not_before": "day"}, {"day": "2024-02-03", "end": "2024-02-03"}),
        ({"field": "end", "not_before": "day"}, {"day": "some day", "end": "2024-02-03"}),
        ({"field": "size", "allowed": [0.1, 2]}, loads(b'{"size": [0.10, 2]}')),
        ({"field": "s", "item_keys": ["n"]}, {"s": [{"n": 0}, {"n": False}]}),
        ({"field": "a/b"}, {"a/b": 1}),
    ],
)
def test_what_holds_gives_ten(rule: Value, record: dict[str, Value]) -> None:
    """A rule that holds has nothing to say."""
    assert assess(json.dumps([rule]).encode(), record) == (10.0, [])


def test_the_rule_set_for_a_research_timeline_rates_what_matters() -> None:
    """A well-sourced event has ten; each thing that is missing is named and costs its weight."""
    rules = b'"research-timeline"'
    assert assess(rules, GOOD) == (10.0, [])
    bad: dict[str, Value] = {
        **GOOD,
        "title": "Short",
        "sources": [{"title": "One", "url": "one"}],
        "end_date": "2019-12-31",
    }
    score, found = assess(rules, bad)
    assert score == 5.5
    assert [(f.pointer, f.rule) for f in found] == [
        ("/title", "min_length"),
        ("/end_date", "not_before"),
        ("/sources", "min_items"),
        ("/sources", "item_keys"),
        ("/sources/0/url", "url"),
    ]
    assert assess(rules, {})[0] == 1.0


def test_a_rule_set_can_be_added_to() -> None:
    """A name in a list of rules stands for the rules of the set."""
    _, found = assess(dumps(["research-timeline", {"field": "reviewer"}]), GOOD)
    assert [f.pointer for f in found] == ["/reviewer"]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (b'"no-such-set"', "research-timeline"),
        (b'[{"field": "a", "weight": -1}]', "weight"),
        (b'[{"field": ""}]', "field"),
        (b'[{"field": "a", "min_items": -2}]', "min_items"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(rules: bytes, words: str) -> None:
    """The message names the key, or what there is to choose from."""
    with pytest.raises(InvalidInputError, match=words):
        check_quality(rules)


def test_a_schema_reads_no_file_and_no_address(tmp_path: object) -> None:
    """It may come from a repository: what it refers to outside of itself is refused, what is inside works."""
    for reference in (f"file://{tmp_path}", "http://127.0.0.1:9/x.json"):
        with pytest.raises(InvalidInputError, match="schema"):
            check_schema(dumps({"$ref": reference}))
    inside = dumps({"$defs": {"word": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/word"}}})
    check_schema(inside)
    assert [f.pointer for f in validate(inside, {"a": 1})] == ["/a"]
