"""Which remotes may be spoken to; no name server is asked here."""

import pytest

from services.core.errors import InvalidInputError
from services.git.ports import Token
from services.git.remotes import Policy, judge
from services.git.runner import scrubbed

SECRET = "s3cret-value"


def test_a_token_shows_itself_only_when_asked() -> None:
    """Neither repr, str, format nor a dataclass around it says it."""
    token = Token(SECRET)
    remote = judge("http://127.0.0.1:1/x.git", "u", token, Policy.standalone())
    for text in (repr(token), str(token), f"{token}", repr(remote), f"{[token]!r}"):
        assert SECRET not in text
    assert token.reveal() == SECRET
    assert token
    assert not Token("")


def test_the_token_is_for_the_one_host() -> None:
    """The header is bound to scheme, host and port of the repository."""
    remote = judge("http://127.0.0.1:81/a/b.git", "", Token(SECRET), Policy.standalone())
    ((key, value),) = remote.config
    assert key == "http.http://127.0.0.1:81/.extraHeader"
    assert value.startswith("Authorization: Basic ")
    assert SECRET not in remote.url


@pytest.mark.parametrize("url", ["/srv/x.git", "file:///srv/x.git"])
def test_folders_are_remotes_where_the_operator_allows(url: str) -> None:
    """On one's own machine a folder is fine, without credentials; on a server it is not."""
    assert judge(url, "u", Token(SECRET), Policy.standalone()).config == ()
    with pytest.raises(InvalidInputError):
        judge(url, "", Token(""), Policy())


def test_nothing_git_says_gives_a_token_away() -> None:
    """A process's own secrets, userinfo in addresses and anything shaped like a token are blacked out."""
    said = f"fatal: https://me:pw@example.invalid/x {SECRET} ghp_{'a' * 36} Authorization: Basic abcdefghij=="
    shown = scrubbed(said, [SECRET])
    for secret in (SECRET, "me:pw", "a" * 36, "abcdefghij"):
        assert secret not in shown
    assert "example.invalid/x" in shown
