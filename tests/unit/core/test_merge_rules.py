"""The setting ``merge`` of a collection."""

import pytest

from services.core.errors import InvalidInputError
from services.core.merge_rules import USUAL, read_rules


def test_fields_are_named_or_pointed_at() -> None:
    """A name, a pointer into an object, and a star for any item of a list by key."""
    rules = read_rules(b'{"tags": "set", "/meta/notes": "whole", "sources": {"key": "url"}, "/sources/*/tags": "set"}')
    assert rules.at("/tags").way == "set"
    assert rules.at("/meta/notes").way == "whole"
    assert rules.at("/meta").way is None
    assert (rules.at("/sources").way, rules.at("/sources").key) == ("key", "url")
    assert rules.at("/sources/url=x/tags").way == "set"
    assert rules.at("/other/thing") is USUAL
    assert read_rules(b"") == USUAL


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"{", "no JSON"),
        (b"[]", "no mapping"),
        (b'{"tags": "sets"}', "field 'tags'"),
        (b'{"sources": {"key": ""}}', "field 'sources'"),
        (b'{"sources": {"key": "a=b"}}', "field 'sources'"),
        (b'{"sources": {"by": "url"}}', "field 'sources'"),
        (b'{"sources": "key"}', "field 'sources'"),
    ],
)
def test_a_bad_setting_names_the_field(text: bytes, named: str) -> None:
    """One line that says which field, what is wrong and what to write."""
    with pytest.raises(InvalidInputError, match=named):
        read_rules(text)
