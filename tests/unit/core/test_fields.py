"""Fields by name: through objects, and through lists by an item's key."""

from hypothesis import given
from hypothesis import strategies as st

from services.core.fields import MISSING, at, items_by_key, pointer_to, same, with_field
from services.core.values import Value

RECORD: dict[str, Value] = {
    "sources": [{"url": "https://a.org/x~y", "title": "A"}, {"url": "b", "title": "B"}],
    "steps": [{"n": 1, "do": "go"}],
    "a=b": {"c": 1},
}
ITEM = "/sources/url=https:~1~1a.org~1x~0y"
names = st.sampled_from(["a", "b/c", "d~e", "k=v", ""])


def test_an_item_is_named_by_its_key() -> None:
    """An address in the key, a number as key, an object whose own name looks like a key."""
    assert at(RECORD, f"{ITEM}/title") == "A"
    assert at(RECORD, "/steps/n=1/do") == "go"
    assert at(RECORD, "/a=b/c") == 1
    assert at(RECORD, "/sources/0") is MISSING
    assert at(RECORD, "/sources/url=c") is MISSING
    assert at(RECORD, "") == RECORD


def test_an_item_can_be_set_added_and_removed() -> None:
    """What is around it stays as it is, and the record given stays too."""
    new = with_field(RECORD, f"{ITEM}/title", "Z")
    assert (at(new, f"{ITEM}/title"), at(new, "/sources/url=b/title")) == ("Z", "B")
    assert at(RECORD, f"{ITEM}/title") == "A"
    assert at(with_field(RECORD, "/sources/url=c", {"url": "c"}), "/sources/url=c") == {"url": "c"}
    assert with_field({}, "/sources/url=c", {"url": "c"}) == {"sources": [{"url": "c"}]}
    assert at(with_field(RECORD, ITEM, MISSING), "/sources") == [{"url": "b", "title": "B"}]


def test_what_does_not_fit_changes_nothing() -> None:
    """A value that is another item, a field of an item that is not there, and a scalar in the way."""
    assert with_field(RECORD, "/sources/url=c", {"url": "d"}) == RECORD
    assert with_field(RECORD, "/sources/url=c/title", "C") == RECORD
    assert with_field({"a": 1}, "/a/b", 2) == {"a": 1}


def test_a_list_is_known_by_key_only_where_that_names_every_item() -> None:
    """No list, no object, no key, a key that is an object, a key twice: not by key."""
    bad_lists: list[Value] = [1, ["x"], [{"title": "x"}], [{"url": {}}], [{"url": None}], [{"url": "x"}, {"url": "x"}]]
    for bad in bad_lists:
        assert items_by_key(bad, "url") is None
    assert items_by_key([{"url": 5}, {"url": "x"}], "url") == {"url=5": {"url": 5}, "url=x": {"url": "x"}}
    # Text and number that read alike would have one name.
    assert items_by_key([{"url": 5}, {"url": "5"}], "url") is None


@given(st.lists(names, min_size=1, max_size=3), st.integers() | st.text(max_size=3))
def test_what_is_set_is_there_and_what_is_removed_is_not(path: list[str], value: Value) -> None:
    """For any names, also those that hold what pointers are written with."""
    pointer = ""
    for name in path:
        pointer = pointer_to(pointer, name)
    new = with_field({}, pointer, value)
    assert same(at(new, pointer), value)
    assert at(with_field(new, pointer, MISSING), pointer) is MISSING
