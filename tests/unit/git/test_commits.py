"""Commits as bytes."""

import pytest

from services.core.errors import InvalidInputError
from services.git import commits
from services.git.commits import Person

ADA = Person("Ada", "ada@lockstep.invalid")


def test_what_is_written_is_read() -> None:
    """Tree, parents, author, time and message come back as they were."""
    data = commits.write("t" * 40, ["a" * 40, "b" * 40], ADA, Person("Bob", "b@x"), 1_700_000_000, "Naïve\n\nBody")
    found = commits.read("c" * 40, data)
    assert found == commits.Commit("c" * 40, "t" * 40, ("a" * 40, "b" * 40), ADA, 1_700_000_000, "Naïve\n\nBody")


@pytest.mark.parametrize(
    ("name", "email", "clean"),
    [
        ("Ada\nparent 1", "a@x", Person("Adaparent 1", "a@x")),
        (" Ada <x> ", "<a@x>", Person("Ada x", "a@x")),
        ("Ada", "a b@x", Person("Ada", "ab@x")),
    ],
)
def test_a_name_cannot_end_its_line(name: str, email: str, clean: Person) -> None:
    """What would change the meaning of a commit is left out, as git does."""
    assert commits.person(name, email, "author") == clean


@pytest.mark.parametrize(("name", "email"), [("", "a@x"), ("Ada", ""), ("<>", "a@x"), ("...", "a@x")])
def test_somebody_without_name_or_address_makes_no_commit(name: str, email: str) -> None:
    """Git would refuse it later, with less to say."""
    with pytest.raises(InvalidInputError):
        commits.person(name, email, "author")


@pytest.mark.parametrize("time", [-1, 1 << 41])
def test_a_time_out_of_range_is_refused(time: int) -> None:
    """Git keeps neither."""
    with pytest.raises(InvalidInputError):
        commits.write("t" * 40, [], ADA, ADA, time, "x")


def test_other_encodings_and_bad_bytes_are_read() -> None:
    """Latin-1 where the commit says so; replacement characters where nothing fits; no crash."""
    head = b"tree " + b"t" * 40 + b"\nauthor \xc4da <a@x> 5 +0100\nencoding ISO-8859-1\n\n\xfcber"
    assert commits.read("c", head).author.name == "Äda"
    assert commits.read("c", head).message == "über"
    assert commits.read("c", head.replace(b"ISO-8859-1", b"nonsense")).message == "�ber"
    assert commits.read("c", b"").author == Person("", "")
