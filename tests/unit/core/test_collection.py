"""Which files are records, what their ids are, and where new ones go."""

import pytest

from services.core.collection import BadIdError, Collection
from services.core.errors import InvalidInputError


def collection(**settings: object) -> Collection:
    """Give a collection in the folder data."""
    return Collection(id="c", name="things", **{"path": "data", **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "rank"),
    [
        (b"data/a.md", 0),
        (b"data/deep/er/a.json", 1),
        (b"data/a.yml", 3),
        (b"data/README.md", None),
        (b"data/readme.md", None),
        (b"data/.hidden/a.json", None),
        (b"data/_drafts/a.json", None),
        (b"data/a.txt", None),
        ("data/é$ '(1).json".encode(), 1),
        (b"data/\xff.json", 1),
    ],
)
def test_default_patterns_take_records_and_leave_the_rest(path: bytes, rank: int | None) -> None:
    """Records are taken wherever they lie; readmes, hidden and other files are not."""
    assert collection().rank(path) == rank


def test_patterns_with_a_slash_speak_of_the_whole_relative_path() -> None:
    """A star stops at a slash; two stars do not."""
    some = collection(include=("events/*.json", "**/cases/*.md"), exclude=("events/old-*",))
    assert some.rank(b"data/events/a.json") == 0
    assert some.rank(b"data/events/deep/a.json") is None
    assert some.rank(b"data/x/y/cases/a.md") == 1
    assert some.rank(b"data/events/old-1.json") is None


def test_ids_come_from_the_field_else_the_stem() -> None:
    """The default rule reads the field id where a file has one."""
    assert collection().id_of(b"data/a.json", {"id": "x"}) == "x"
    assert collection().id_of(b"data/a.json", {"id": 12}) == "12"
    assert collection().id_of(b"data/a.b.json", {}) == "a.b"
    assert collection(id_rule="stem").id_of(b"data/a.json", {"id": "x"}) == "a"
    assert collection(id_rule="path").id_of(b"data/x/a.json", {"id": "x"}) == "x/a.json"


@pytest.mark.parametrize("value", [{"id": ["x"]}, {"id": True}, {"id": " "}, {"id": "a\nb"}, {"id": "x" * 256}])
def test_ids_that_cannot_be_used_are_refused(value: dict[str, object]) -> None:
    """Lists, booleans, blanks, control characters and very long ids are no ids."""
    with pytest.raises(BadIdError):
        collection().id_of(b"data/a.json", value)  # type: ignore[arg-type]


def test_a_name_that_is_not_utf8_needs_an_id_field() -> None:
    """Bytes that are no text cannot be an id."""
    with pytest.raises(BadIdError, match="UTF-8"):
        collection().id_of(b"data/\xff.json", {})


def test_new_files_follow_the_template() -> None:
    """Fields and dates fill the path of a new file."""
    some = collection(new_path="{date:%Y/%m}/{id}.json".replace("/%m", "-%m"))
    assert some.path_for("x", {"date": "2024-05-06"}) == b"data/2024-05/x.json"
    assert collection().path_for("x", {}) == b"data/x.md"


@pytest.mark.parametrize("record_id", ["a/b", "..", ".git", "a\\b", "README"])
def test_ids_that_make_no_safe_path_are_refused(record_id: str) -> None:
    """A new record cannot escape its folder or hide in an excluded name."""
    with pytest.raises(InvalidInputError):
        collection().path_for(record_id, {})


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "a/b"},
        {"path": "../x"},
        {"path": ".git"},
        {"include": ("/abs",)},
        {"include": ("",)},
        {"new_path": "{name}.json"},
        {"new_path": "{id}.txt"},
    ],
)
def test_rules_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    """Each is named before anything is stored."""
    with pytest.raises(InvalidInputError):
        Collection(**{"id": "c", "name": "things", **settings}).check()  # type: ignore[arg-type]
