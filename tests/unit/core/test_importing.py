"""Import plans: a function of the new files and the pending edits, never of the way there."""

from hypothesis import given
from hypothesis import strategies as st

from services.core.importing import (
    CollectionChange,
    ExistingRecord,
    ParsedFile,
    RejectedFile,
    plan_collection,
    take_over,
)
from services.core.values import Value, dumps, equal

fields = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=3)
trees = st.dictionaries(
    st.sampled_from([b"d/1.json", b"d/2.json", b"d/3.md", b"d/4.json"]),
    st.tuples(st.sampled_from("xyz"), fields) | st.none(),
    max_size=4,
)


def file_of(path: bytes, content: tuple[str, dict[str, Value]] | None) -> ParsedFile | RejectedFile:
    """Give a file as the parser would: None is one that cannot be read."""
    if content is None:
        return RejectedFile(path, "bad", "syntax", "broken")
    record_id, value = content
    whole = {"id": record_id, **value}
    raw = dumps(whole)
    return ParsedFile(path, raw.hex(), raw, record_id, whole, rank=0 if path.endswith(b".md") else 1, content=raw)


@given(trees)
def test_every_file_is_a_record_or_in_quarantine(tree: dict[bytes, tuple[str, dict[str, Value]] | None]) -> None:
    """None is counted twice, none is forgotten, and each id has one owner: the best rank, then the smallest path."""
    files = [file_of(path, content) for path, content in tree.items()]
    plan = plan_collection(CollectionChange(files), {})
    owners = {upsert.file.path for upsert in plan.upserts}
    assert owners | plan.quarantine.keys() == tree.keys()
    assert not owners & plan.quarantine.keys()
    for record_id in {file.id for file in files if isinstance(file, ParsedFile)}:
        same = [file for file in files if isinstance(file, ParsedFile) and file.id == record_id]
        best = min(same, key=lambda file: (file.rank, file.path))
        assert [u.file for u in plan.upserts if u.file.id == record_id] == [best]
        for other in same:
            if other is not best:
                assert best.path in plan.quarantine[other.path].other_paths


@given(st.permutations(sorted([b"d/1.json", b"d/2.json", b"d/3.md"])))
def test_the_order_of_files_does_not_matter(order: list[bytes]) -> None:
    """Listing order is git's business, ownership is ours."""
    files = [file_of(path, ("x", {"a": number})) for number, path in enumerate(sorted(order))]
    by_path = {file.path: file for file in files}
    plan = plan_collection(CollectionChange([by_path[path] for path in order]), {})
    assert [upsert.file.path for upsert in plan.upserts] == [b"d/3.md"]


@given(fields, fields, fields)
def test_pending_edits_survive_any_import(
    base: dict[str, Value], ours: dict[str, Value], theirs: dict[str, Value]
) -> None:
    """What the database changed is in the merged record, or in a conflict that keeps it."""
    before = file_of(b"d/1.json", ("x", base))
    after = file_of(b"d/1.json", ("x", theirs))
    assert isinstance(before, ParsedFile)
    assert isinstance(after, ParsedFile)
    edited: dict[str, Value] = {"id": "x", **ours}
    dirty = not equal(edited, before.value)
    record = ExistingRecord(
        key=1,
        id="x",
        revision=2,
        content=dumps(edited),
        dirty=dirty,
        deleted=False,
        path=before.path,
        base_blob=before.blob,
        base_raw=before.raw,
    )
    upsert = take_over(record, after)
    for key in {*base, *ours}:
        if key in ours and ours.get(key) != base.get(key):
            assert upsert.value[key] == ours[key]
    assert upsert.dirty == (bool(upsert.conflicts) or not equal(upsert.value, after.value))
