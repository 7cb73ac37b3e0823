import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth import names
from services.core.errors import InvalidInputError

GOOD = ["main", "release/1.2", "feature/ä-ö", "a", "x@y", "wip.1", "lock/x.locked"]
BAD = ["", "-x", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "/a", "a/", "a//b", "a.", ".a"]
BAD += ["a/.b", "a.lock", "a.lock/b", "@", "a@{b", "a\x7f", "a\nb", "HEAD", "x" * 300]


def git_takes(name: str) -> bool:
    """Ask git itself."""
    command = ["git", "check-ref-format", "--branch", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", GOOD)
def test_a_good_branch_is_taken(name: str) -> None:
    """What git takes and people use."""
    assert names.branch(name) == name
    assert git_takes(name)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_branch_is_refused(name: str) -> None:
    """The error names the branch's field."""
    with pytest.raises(InvalidInputError) as refused:
        names.branch(name)
    assert refused.value.violations[0].field == "branch"


@given(st.text("a-./@{~^ :l\\*ock", min_size=1, max_size=8).filter(lambda text: not text.startswith("@{")))
def test_no_branch_is_taken_that_git_refuses(name: str) -> None:
    """Our rule is never wider than git's."""
    try:
        names.branch(name)
    except InvalidInputError:
        return
    assert git_takes(name)


@given(st.text(max_size=40))
def test_names_of_people_and_labels_are_one_line(text: str) -> None:
    """Whatever is taken can stand in a commit's author line."""
    for check in (names.full_name, names.email, names.label):
        try:
            taken = check(text)
        except InvalidInputError:
            continue
        assert taken == taken.strip()
        assert not any(sign in taken for sign in "\n\r\0")
