"""Names that come from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import InvalidInputError
from services.git import names

BAD_PATHS = [
    b"",
    b"/",
    b"/a",
    b"a/",
    b"a//b",
    b".",
    b"..",
    b"a/../b",
    b"a/./b",
    b".git",
    b"a/.git/b",
    b".GIT/x",
    b".Git",
    b".git ",
    b".git.",
    b".git...  ",
    b".git::$INDEX_ALLOCATION",
    b"GIT~1/config",
    b".g\xe2\x80\x8cit/config",
    b"\xef\xbb\xbf.git",
    b"a\nb",
    b"a\x7f",
    b"a\0b",
    b"a" * 256,
    b"a/" * 200 + b"a",
    b"abc/" * 1100 + b"a",
]
BAD_BRANCHES = [
    "",
    "-a",
    "a..b",
    "a b",
    "a.lock",
    "a.lock/b",
    "a//b",
    "/a",
    "a/",
    "a.",
    ".a",
    "a/.b",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[b",
    "a\\b",
    "a@{1}",
    "@",
    "HEAD",
    "refs/heads/a",
    "a\x01",
    "a\x7f",
    "a\n",
    "a" * 256,
    "a/-b",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_could_do_harm_is_refused(path: bytes) -> None:
    """Absolute, climbing, ``.git`` as any file system reads it, control bytes, too long, too deep."""
    with pytest.raises(InvalidInputError) as refused:
        names.path(path)
    assert refused.value.reason == "BAD_NAME"
    assert refused.value.violations[0].field == "path"


@pytest.mark.parametrize(
    "path", [b"a", b"a/b.json", b".gitignore", b".github/x.yml", b"a.git", b"$HOME", b"\xff", b"a b", b'"', b"a/-b"]
)
def test_a_plain_path_is_taken_as_it_is(path: bytes) -> None:
    """Names that only look odd are fine."""
    assert names.path(path) == path


@pytest.mark.parametrize("branch", BAD_BRANCHES)
def test_a_branch_that_git_would_refuse_is_refused(branch: str) -> None:
    """The rules of ``git check-ref-format``, and no leading dash."""
    with pytest.raises(InvalidInputError):
        names.branch(branch)


@pytest.mark.parametrize("branch", ["main", "a/b", "lockstep/p-01", "feature_1.2", "ümläut", "a@b"])
def test_a_plain_branch_is_taken_as_it_is(branch: str) -> None:
    """Whatever git takes without second thoughts."""
    assert names.branch(branch) == branch


@pytest.mark.parametrize("value", ["", "A", "a/b", "..", "a.b", "a" * 65, "a\n"])
def test_an_id_is_a_folder_name_and_nothing_more(value: str) -> None:
    """Ids become folders: 1 to 64 of a-z, 0-9 and -."""
    with pytest.raises(InvalidInputError):
        names.identifier(value, "workspace_id")


@pytest.mark.parametrize("value", ["", "1" * 39, "1" * 41, "A" * 40, "g" * 40, "1" * 40 + "\n", "--all"])
def test_an_object_name_is_forty_hex_digits(value: str) -> None:
    """No abbreviation, no expression, no option."""
    with pytest.raises(InvalidInputError):
        names.oid(value, "oid")


@given(st.binary(max_size=40))
def test_whatever_is_taken_stays_below_the_root(path: bytes) -> None:
    """No accepted path has an empty, ``.`` or ``..`` part, or a control byte."""
    try:
        names.path(path)
    except InvalidInputError:
        return
    assert not {b"", b".", b".."} & set(path.split(b"/"))
    assert min(path) >= 0x20
