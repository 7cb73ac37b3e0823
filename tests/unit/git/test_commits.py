"""Commits as bytes."""

import pytest

from services.core.errors import InvalidInputError
from services.git import commits
from services.git.commits import Person

ADA = Person("Ada", "ada@lockstep.invalid")


def test_what_is_written_is_read() -> None:
    """Tree, parents, both people, both times and message come back as they were."""
    bob, parents = Person("Bob", "b@x"), ["a" * 40, "b" * 40]
    data = commits.write("t" * 40, parents, ADA, bob, 1_700_000_000, "Naïve\n\nBody", author_time=1_600_000_000)
    found = commits.read("c" * 40, data)
    assert found == commits.Commit(
        oid="c" * 40,
        tree="t" * 40,
        parents=tuple(parents),
        author=ADA,
        time=1_600_000_000,
        message="Naïve\n\nBody",
        committer=bob,
        commit_time=1_700_000_000,
        signed=False,
    )


def test_a_signature_stands_in_the_header_and_is_of_everything_else() -> None:
    """What is signed is the commit without its signature, as git checks it; the message stays as it is."""
    plain = commits.write("t" * 40, [], ADA, ADA, 1, "message\n")
    signed: list[bytes] = []

    def sign(content: bytes) -> str:
        signed.append(content)
        return "first\nsecond\n"

    data = commits.write("t" * 40, [], ADA, ADA, 1, "message\n", sign=sign)
    assert signed == [plain]
    assert data.replace(b"gpgsig first\n second\n", b"") == plain
    assert commits.read("c" * 40, data).signed


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
