"""Three-way merge: no change is dropped, and a conflict is exactly a field that both sides changed."""

from hypothesis import example, given
from hypothesis import strategies as st

from services.core.merge import (
    MISSING,
    Field,
    Missing,
    agreed,
    at,
    changed,
    chosen,
    holds,
    merge,
    same,
    unsettled,
    with_field,
)
from services.core.merge_rules import USUAL, read_rules
from services.core.values import Value, dumps, equal

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
lists = st.lists(scalars, max_size=2)
keys = st.sampled_from(["a", "b", "c", "d/e", "f~g"])
records = st.dictionaries(keys, scalars | lists | st.dictionaries(keys, scalars, max_size=2), max_size=4)


def leaves(value: dict[str, Value], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Value]:
    """Give every field that is no object, by its path; an empty object counts as a field."""
    found: dict[tuple[str, ...], Value] = {}
    for key, item in value.items():
        if isinstance(item, dict) and item:
            found |= leaves(item, (*prefix, key))
        else:
            found[*prefix, key] = item
    return found


@given(records, records)
def test_one_sided_changes_are_taken_whole(base: dict[str, Value], new: dict[str, Value]) -> None:
    """If only one side changed, the result is that side, and nothing is in conflict."""
    for result in (merge(base, new, base), merge(base, base, new), merge(base, new, new)):
        assert equal(result.value, new)
        assert result.conflicts == ()


@given(records, records, records)
def test_conflicts_do_not_depend_on_the_side(
    base: dict[str, Value], one: dict[str, Value], two: dict[str, Value]
) -> None:
    """Swapping the sides gives the same conflicts with the sides swapped, and without any the same record."""
    here, there = merge(base, one, two), merge(base, two, one)
    assert {c.pointer for c in here.conflicts} == {c.pointer for c in there.conflicts}
    if not here.conflicts:
        assert equal(here.value, there.value)


@given(records, records, records)
def test_a_conflict_is_a_field_changed_differently_on_both_sides(
    base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value]
) -> None:
    """Every conflict names a field whose three values all differ, and keeps the database's value."""
    for conflict in merge(base, ours, theirs).conflicts:
        assert not same(conflict.base, conflict.ours)
        assert not same(conflict.base, conflict.theirs)
        assert not same(conflict.ours, conflict.theirs)


@given(records, records, records)
def test_no_change_is_ever_dropped(base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value]) -> None:
    """A top-level field that one side changed has that side's value, or is in conflict or inside one."""
    result = merge(base, ours, theirs)
    pointers = [conflict.pointer for conflict in result.conflicts]
    for key in {*base, *ours, *theirs}:
        before, here, there = (side.get(key, MISSING) for side in (base, ours, theirs))
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        disputed = any(p == pointer or p.startswith(pointer + "/") for p in pointers)
        after = result.value.get(key, MISSING)
        nested = isinstance(here, dict) and isinstance(there, dict)
        text = isinstance(before, str) and isinstance(here, str) and isinstance(there, str)
        if same(before, here):
            assert same(after, there)
        elif same(before, there) or same(here, there):
            assert same(after, here)
        else:
            # Text merges by line: test_line_merge.py says what of each side is in it.
            assert disputed or nested or text


@given(records, records)
def test_what_a_target_holds_is_recognised(base: dict[str, Value], new: dict[str, Value]) -> None:
    """The proposed record holds its own changes; the base does not, unless nothing changed."""
    assert holds(base, new, new)
    assert holds(base, new, base) == (changed(base, new) == [])


def test_a_partly_merged_target_does_not_hold_the_proposal() -> None:
    """Half of the fields is not the content."""
    base: dict[str, Value] = {"a": 1, "b": 1}
    new: dict[str, Value] = {"a": 2, "b": 2}
    assert not holds(base, new, {"a": 2, "b": 1})
    assert holds(base, new, {"a": 2, "b": 2, "c": "a reviewer's own"})


def test_nested_objects_merge_field_by_field() -> None:
    """Two people may edit different fields of one nested object."""
    result = merge({"x": {"a": 1, "b": 1}}, {"x": {"a": 2, "b": 1}}, {"x": {"a": 1, "b": 2}})
    assert result.value == {"x": {"a": 2, "b": 2}}
    assert result.conflicts == ()


# --- by line, as sets, by key

RULES = read_rules(b'{"tags": "set", "items": {"key": "k"}, "/items/*/tags": "set", "whole": "whole"}')
members = st.lists(st.sampled_from(["x", "y", "z", 1, None]), max_size=3, unique_by=str)
bodies = st.lists(st.sampled_from(["p", "q", "r", ""]), max_size=5).map("\n".join)
items = st.lists(
    st.fixed_dictionaries({"k": st.sampled_from(["i", "j", 3])}, optional={"t": scalars, "tags": members}),
    max_size=3,
    unique_by=lambda item: item["k"],
)
deep = st.fixed_dictionaries(
    {}, optional={"tags": members, "items": items | scalars, "body": bodies, "whole": bodies, "o": records}
)


def dumps_field(value: Field) -> bytes:
    """Give a field as text; empty for one that is not there."""
    return b"" if isinstance(value, Missing) else dumps(value)


def unordered(value: Value) -> Value:
    """Give a value whose sets and lists by key stand in an order of their own."""
    if isinstance(value, dict):
        return {key: unordered(item) for key, item in value.items()}
    return sorted(map(unordered, value), key=dumps) if isinstance(value, list) else value


@given(deep, deep)
def test_one_sided_changes_are_taken_whole_by_any_rule(base: dict[str, Value], new: dict[str, Value]) -> None:
    """Also order, duplicates and items are exactly the side's that changed something."""
    for result in (merge(base, new, base, RULES), merge(base, base, new, RULES), merge(base, new, new, RULES)):
        assert equal(result.value, new)
        assert result.conflicts == ()


@given(deep, deep, deep)
def test_the_sides_are_alike_to_any_rule(base: dict[str, Value], one: dict[str, Value], two: dict[str, Value]) -> None:
    """Swapped sides give the same conflicts, swapped, and without any the same record but for the order of items."""
    here, there = merge(base, one, two, RULES), merge(base, two, one, RULES)
    swapped = {(c.pointer, dumps_field(c.theirs), dumps_field(c.ours)) for c in there.conflicts}
    assert {(c.pointer, dumps_field(c.ours), dumps_field(c.theirs)) for c in here.conflicts} == swapped
    if not here.conflicts:
        assert equal(unordered(here.value), unordered(there.value))


@given(deep, deep, deep)
def test_a_conflict_is_where_both_changed_one_thing_differently(
    base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value]
) -> None:
    """Its three values all differ, stand where its pointer says, and the record keeps the database's."""
    result = merge(base, ours, theirs, RULES)
    for found in result.conflicts:
        assert not same(found.base, found.ours)
        assert not same(found.base, found.theirs)
        assert not same(found.ours, found.theirs)
        assert same(at(ours, found.pointer), found.ours)
        assert same(at(theirs, found.pointer), found.theirs)
        kept = at(result.value, found.pointer)
        assert same(kept, found.ours) or isinstance(kept, str)


@given(deep, deep, deep)
@example({"body": "p"}, {"body": "p\np"}, {"body": "q\np"})
def test_no_change_is_dropped_by_any_rule(
    base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value]
) -> None:
    """Without a conflict the result holds what both sides did; and bringing either in again brings nothing."""
    result = merge(base, ours, theirs, RULES)
    disputed = [found.pointer for found in result.conflicts]
    for side in (ours, theirs):
        for pointer in changed(base, side, RULES):
            if not any(f"{pointer}/".startswith(f"{p}/") or f"{p}/".startswith(f"{pointer}/") for p in disputed):
                after = with_field(base, pointer, at(side, pointer))
                assert holds(base, after, result.value, RULES) or same(at(result.value, pointer), at(side, pointer))


@given(deep, deep, deep)
def test_every_outcome_is_explained(base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value]) -> None:
    """Each field that a side changed has one outcome, with the values that stand on the sides and in the result."""
    result = merge(base, ours, theirs, RULES)
    named = [found.pointer for found in result.outcomes]
    assert len(set(named)) == len(named)
    for pointer in {*changed(base, ours, RULES), *changed(base, theirs, RULES)}:
        assert any(f"{pointer}/".startswith(f"{p}/") or f"{p}/".startswith(f"{pointer}/") for p in named), pointer
    for found in result.outcomes:
        assert same(at(result.value, found.pointer), found.result)
        assert same(at(theirs, found.pointer), found.theirs)
        assert same(at(ours, found.pointer), found.ours)
        assert (found.verdict == "theirs") == (same(found.base, found.ours) and not same(found.base, found.theirs))
        assert (found.verdict == "ours") == (same(found.base, found.theirs) and not same(found.base, found.ours))


@given(deep, deep, deep)
def test_a_merged_proposal_is_recognised_by_any_rule(
    base: dict[str, Value], proposed: dict[str, Value], others: dict[str, Value]
) -> None:
    """A target that merged a proposal with what others did holds it, unless the two were in dispute."""
    assert holds(base, proposed, proposed, RULES)
    merged = merge(base, proposed, others, RULES)
    if not merged.conflicts:
        assert holds(base, proposed, merged.value, RULES)


@given(deep, deep, deep)
@example(
    {"tags": [], "o": {}, "items": [{"k": "j"}]},
    {"items": [{"k": "i"}, {"k": "j"}]},
    {},
)
def test_edits_on_top_of_a_merged_proposal_are_no_dispute(
    base: dict[str, Value], proposed: dict[str, Value], more: dict[str, Value]
) -> None:
    """What the database says after its own proposal was merged stays, without a conflict."""
    known = agreed(base, more, base, proposed, proposed, RULES)
    result = merge(known, more, proposed, RULES)
    assert result.conflicts == ()
    assert equal(result.value, more)


def test_sets_take_what_both_added_and_drop_what_either_removed() -> None:
    """And stand in Git's order, the database's own at the end."""
    result = merge({"tags": ["a", "b", "c"]}, {"tags": ["b", "c", "d"]}, {"tags": ["a", "e", "c"]}, RULES)
    assert result.value == {"tags": ["e", "c", "d"]}
    assert [(found.pointer, found.verdict) for found in result.outcomes] == [("/tags", "combined")]
    assert merge({"tags": ["a"]}, {"tags": "a"}, {"tags": ["b"]}, RULES).conflicts


def test_items_by_key_merge_field_by_field() -> None:
    """Two people may edit different sources, add one each, and different fields of one source."""
    base: dict[str, Value] = {"items": [{"k": "a", "t": 1, "u": 1}, {"k": "b", "t": 1}]}
    ours: dict[str, Value] = {"items": [{"k": "new", "t": 0}, {"k": "a", "t": 2, "u": 1}, {"k": "b", "t": 1}]}
    theirs: dict[str, Value] = {"items": [{"k": "b", "t": 3}, {"k": "a", "t": 1, "u": 2}, {"k": "other"}]}
    result = merge(base, ours, theirs, RULES)
    assert result.value["items"] == [
        {"k": "b", "t": 3},
        {"k": "a", "t": 2, "u": 2},
        {"k": "other"},
        {"k": "new", "t": 0},
    ]
    assert result.conflicts == ()


def test_a_conflict_in_an_item_names_the_item() -> None:
    """By its key, which stays when items come and go; an item edited here and deleted there waits as a whole."""
    base: dict[str, Value] = {"items": [{"k": "a/1", "t": 1}, {"k": "b", "t": 1}]}
    ours: dict[str, Value] = {"items": [{"k": "a/1", "t": 2}, {"k": "b", "t": 2}]}
    theirs: dict[str, Value] = {"items": [{"k": "z"}, {"k": "a/1", "t": 3}]}
    result = merge(base, ours, theirs, RULES)
    assert [found.pointer for found in result.conflicts] == ["/items/k=a~11/t", "/items/k=b"]
    assert result.conflicts[1].theirs is MISSING
    assert result.value["items"] == [{"k": "z"}, {"k": "a/1", "t": 2}, {"k": "b", "t": 2}]


def test_text_in_dispute_keeps_the_lines_that_are_not() -> None:
    """The database's side stands in the disputed lines alone; what Git did elsewhere in the text is there."""
    base, ours, theirs = "one\n\ntwo\n\nthree", "ONE\n\ntwo\n\nthree", "eins\n\ntwo\n\nthree!"
    result = merge({"body": base}, {"body": ours}, {"body": theirs})
    assert result.value == {"body": "ONE\n\ntwo\n\nthree!"}
    [found] = result.conflicts
    assert (found.pointer, found.base, found.ours, found.theirs) == ("/body", base, ours, theirs)
    assert chosen(base, result.value["body"], theirs, USUAL, "theirs") == "eins\n\ntwo\n\nthree!"
    assert merge({"whole": base}, {"whole": ours}, {"whole": theirs}, RULES).value == {"whole": ours}


def test_both_sides_of_a_list_or_a_text_can_be_taken() -> None:
    """Lists give the items of either once, text the disputed lines of either; a number has no both."""
    assert chosen([1], [1, 2], [3, 1], USUAL, "both") == [1, 2, 3]
    assert chosen("a\nb", "a\nc", "a\nd", USUAL, "both") == "a\nc\nd"
    assert chosen(1, 2, 3, USUAL, "both") is MISSING


def test_types_that_change_are_in_dispute() -> None:
    """A list that became text on one side and grew on the other is one conflict, by any rule."""
    for field in ("tags", "items", "body", "o"):
        result = merge({field: [{"k": 1}]}, {field: "text\nof lines"}, {field: []}, RULES)
        assert [found.pointer for found in result.conflicts] == [f"/{field}"]


def test_a_conflict_ends_when_the_text_holds_what_both_did() -> None:
    """Then nobody has to settle it; while a line of Git's is not in it, somebody has."""
    base = "one\n\ntwo"
    assert unsettled(base, "ONE\n\ntwo", "one!\n\ntwo")
    assert unsettled(base, "ONE\n\ntwo", "one\n\ntwo!")
    assert not unsettled(base, "ONE\n\ntwo!", "one\n\ntwo!")
    assert not unsettled(base, "ONE\n\ntwo", base)
