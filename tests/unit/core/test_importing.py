"""Import plans: a function of the new files and the pending edits, never of the way there."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.core.importing import (
    CollectionChange,
    ExistingRecord,
    ParsedFile,
    RejectedFile,
    plan_collection,
    separable,
    take_over,
)
from services.core.values import Value, dumps, equal

fields: st.SearchStrategy[dict[str, Value]] = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=3)
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
    return ParsedFile(path, raw.hex(), raw, record_id, rank=0 if path.endswith(b".md") else 1, content=raw)


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
    dirty = not equal(edited, before.value())
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
    value = after.value() if upsert.value is None else upsert.value
    for key in {*base, *ours}:
        if key in ours and ours.get(key) != base.get(key):
            assert value[key] == ours[key]
    assert upsert.dirty == (bool(upsert.conflicts) or not equal(value, after.value()))


PATHS = [b"d/1.json", b"d/2.json", b"d/3.md", b"d/4.json", b"d/5.md"]


@st.composite
def changes(draw: st.DrawFn) -> CollectionChange:
    """Give a collection as it stands, and what changed in Git: files come, go, move, break and ask for other ids."""
    records: list[ExistingRecord] = []
    for number, (path, record_id) in enumerate(zip(draw(st.permutations(PATHS)), "wxyz", strict=False)):
        kind = draw(st.sampled_from(["none", "clean", "edited", "gone", "new"]))
        content = dumps({"id": record_id, "a": number})
        blob = "" if kind in ("gone", "new") else f"b{number}"
        dirty = kind in ("edited", "new")
        whole = dumps({"id": record_id, "a": 9}) if dirty else content
        if kind != "none":
            gone = kind == "gone"
            raw = b"---\n%s\n---\n" % content if path.endswith(b".md") else content
            records.append(
                ExistingRecord(number, record_id, 1, whole, dirty, gone, path, blob, raw if blob else b"", gone)
            )
    placed = [record.path for record in records if record.base_blob]
    removed = frozenset(draw(st.sets(st.sampled_from(placed)))) if placed else frozenset()
    free = [path for path in PATHS if path not in removed]
    contents = st.dictionaries(st.sampled_from(free), st.tuples(st.sampled_from("vwxyz"), fields) | st.none())
    files = [file_of(path, content) for path, content in draw(contents).items()] if free else []
    added = [file.path for file in files if isinstance(file, ParsedFile) and file.path not in placed]
    renames = dict(zip(added, draw(st.permutations(sorted(removed))), strict=False)) if draw(st.booleans()) else {}
    held = frozenset(draw(st.sets(st.sampled_from([file.path for file in files])))) if files else frozenset()
    return CollectionChange(files, removed, renames, records, held)


@given(changes(), st.randoms(use_true_random=False))
def test_files_that_depend_on_no_other_may_be_planned_by_themselves(change: CollectionChange, random: Random) -> None:
    """In any groups, with the rest together at the end: the plan is that of all at once."""
    ranks = {record.path: 0 if record.path.endswith(b".md") else 1 for record in change.records}
    asked = Counter(file.id for file in change.files if isinstance(file, ParsedFile))
    alone, rest = separable(change.files, change.records, change.renames, lambda record_id: asked[record_id] > 1)
    parts = []
    random.shuffle(alone)
    while alone:
        size = random.randint(1, len(alone))
        part, alone = alone[:size], alone[size:]
        ids = {file.id for file in part if isinstance(file, ParsedFile)}
        known = [record for record in change.records if record.id in ids]
        parts.append(CollectionChange(part, records=known, held=change.held))
    paths, ids = {file.path for file in rest} | change.removed, {f.id for f in rest if isinstance(f, ParsedFile)}
    known = [record for record in change.records if record.path in paths or record.id in ids]
    parts.append(CollectionChange(rest, change.removed, change.renames, known, change.held))
    plans = [plan_collection(part, ranks) for part in parts]
    whole = plan_collection(change, ranks)
    for name in ("upserts", "removals", "orphans", "broken", "displaced"):
        together = [one for plan in plans for one in getattr(plan, name)]
        assert sorted(map(repr, together)) == sorted(map(repr, getattr(whole, name))), name
    assert {path: file for plan in plans for path, file in plan.quarantine.items()} == whole.quarantine
    assert {path for plan in plans for path in plan.cleared} == whole.cleared
