"""Three-way merge: no change is dropped, and a conflict is exactly a field that both sides changed."""

from hypothesis import given
from hypothesis import strategies as st

from services.core.merge import MISSING, changed, holds, merge, same
from services.core.values import Value, equal

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
        if same(before, here):
            assert same(after, there)
        elif same(before, there) or same(here, there):
            assert same(after, here)
        else:
            assert disputed or nested


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
