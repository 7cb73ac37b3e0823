"""Which repository an address names, and where its host's API is."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import InvalidInputError
from services.forges import address
from services.forges.models import Kind

_NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=20).filter(
    lambda name: name not in {".", ".."} and not name.endswith(".git")
)


@pytest.mark.parametrize(
    ("url", "api_url", "path"),
    [
        ("https://github.com/org/audit.git", "", "org/audit"),
        ("https://github.com/org/audit", "", "org/audit"),
        ("https://github.com/org/audit/", "", "org/audit"),
        ("https://github.com/org/audit.git/", "", "org/audit"),
        ("https://github.com/org/digit", "", "org/digit"),
        ("https://github.com/org/my.github.io", "", "org/my.github.io"),
        ("git@github.com:org/audit.git", "", "org/audit"),
        ("github.com:org/audit.git", "", "org/audit"),
        ("git@host.example:/group/sub/name.git", "", "group/sub/name"),
        ("ssh://git@ssh.github.com:443/org/audit.git", "", "org/audit"),
        ("https://git.example.org:8443/group/sub/team/name.git", "", "group/sub/team/name"),
        ("https://git.example.org/gitlab/group/name.git", "https://git.example.org/gitlab", "group/name"),
        (
            "https://git.example.org/gl/group/name.git",
            "https://git.example.org/gl/api/v4",
            "group/name",
        ),
        ("git@git.example.org:group/name.git", "https://git.example.org/gitlab", "group/name"),
        ("https://git.example.org/gitlab/name.git", "https://git.example.org/gitlab", "gitlab/name"),
        ("https://ghe.example.org/org/name", "https://ghe.example.org/api/v3", "org/name"),
        ("https://user:secret@github.com/org/name.git", "", "org/name"),
        ("https://[::1]:8080/org/name.git", "", "org/name"),
    ],
)
def test_a_repository_s_path_is_read_exactly(url: str, api_url: str, path: str) -> None:
    """Only the one ending ".git" goes, whatever the form of the address."""
    assert address.repository_path(url, api_url) == path


@given(
    owner=_NAMES,
    name=_NAMES,
    form=st.sampled_from(("https://h.example/{}", "https://h.example:8/{}/", "git@h.example:{}", "ssh://h.example/{}")),
    ending=st.sampled_from(("", ".git")),
)
def test_owner_and_name_survive_every_form(owner: str, name: str, form: str, ending: str) -> None:
    """No name loses letters to the ending."""
    assert address.repository_path(form.format(f"{owner}/{name}{ending}")) == f"{owner}/{name}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "records",
        "/srv/git/records.git",
        "file:///srv/git/records.git",
        "C:/git/records.git",
        "https://github.com",
        "https://github.com/org",
        "https://github.com/org/.git",
        "https://github.com/org/../name",
        "https://github.com/org//name",
        "https://github.com/o%2e%2e/%2e%2e/name",
        "https://github.com/org/na%2fme",
        "https://github.com/my%20org/name",
        "https://github.com:port/org/name",
        "https://[::1/org/name",
        "ext::sh -c evil",
    ],
)
def test_what_is_no_repository_on_a_forge_is_refused(url: str) -> None:
    """With a remedy, as the caller's input."""
    with pytest.raises(InvalidInputError) as refused:
        address.repository_path(url)
    assert refused.value.remedy


def test_no_error_repeats_a_password() -> None:
    """User information is left out of messages."""
    for url in ("https://me:s3cret@github.com/org", "https://s3cret@github.com/../x", "ftp://s3cret@h/o/n"):
        with pytest.raises(InvalidInputError) as refused:
            address.repository_path(url)
        assert "s3cret" not in str(refused.value)
    with pytest.raises(InvalidInputError) as refused:
        address.require_safe("https://me:s3cret@api.github.com", has_token=True)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://github.com/o/n", "github"),
        ("git@github.com:o/n.git", "github"),
        ("https://www.github.com/o/n", "github"),
        ("https://gitlab.com/g/s/n", "gitlab"),
        ("https://gitlab.example.org/g/n", "gitlab"),
        ("git@gitlab.example.org:g/n.git", "gitlab"),
        ("https://notgithub.com/o/n", "plain"),
        ("https://github.com.evil.example/o/n", "plain"),
        ("https://git.example.org/o/n", "plain"),
        ("/srv/git/gitlab.com/n.git", "plain"),
        ("file:///srv/github.com/n.git", "plain"),
    ],
)
def test_the_kind_is_guessed_from_the_host_alone(url: str, kind: Kind) -> None:
    """A look-alike host is not sent a token for another one."""
    assert address.guess_kind(url) == kind


@pytest.mark.parametrize(
    ("kind", "url", "api_url"),
    [
        ("github", "https://github.com/o/n.git", "https://api.github.com"),
        ("github", "git@github.com:o/n.git", "https://api.github.com"),
        ("github", "https://ghe.example.org:8443/o/n.git", "https://ghe.example.org:8443/api/v3"),
        ("github", "ssh://git@ghe.example.org:2222/o/n.git", "https://ghe.example.org/api/v3"),
        ("gitlab", "https://gitlab.com/g/n.git", "https://gitlab.com"),
        ("gitlab", "git@git.example.org:g/n.git", "https://git.example.org"),
        ("gitlab", "http://127.0.0.1:8080/g/n.git", "http://127.0.0.1:8080"),
        ("plain", "/srv/git/n.git", ""),
    ],
)
def test_the_api_s_address_follows_from_the_repository_s(kind: Kind, url: str, api_url: str) -> None:
    """Also for self-managed hosts."""
    assert address.api_url_for(kind, url) == api_url


@pytest.mark.parametrize(
    ("kind", "base_url", "api_url"),
    [
        ("github", "", "https://api.github.com"),
        ("github", "https://api.github.com/", "https://api.github.com"),
        ("github", "https://ghe.example.org", "https://ghe.example.org/api/v3"),
        ("github", "https://ghe.example.org/api/v3/", "https://ghe.example.org/api/v3"),
        ("gitlab", "", "https://gitlab.com"),
        ("gitlab", "https://git.example.org/gitlab/", "https://git.example.org/gitlab"),
        ("gitlab", "https://git.example.org/gitlab/api/v4", "https://git.example.org/gitlab"),
    ],
)
def test_the_api_s_address_follows_from_the_host_s(kind: Kind, base_url: str, api_url: str) -> None:
    """A path prefix of a self-managed host is kept."""
    assert address.api_url_at(kind, base_url) == api_url


@pytest.mark.parametrize(
    ("url", "has_token", "is_safe"),
    [
        ("https://git.example.org", True, True),
        ("http://git.example.org", True, False),
        ("http://git.example.org", False, True),
        ("http://127.0.0.1:8080", True, True),
        ("http://localhost:8080", True, True),
        ("http://[::1]:8080", True, True),
        ("http://127.0.0.1.evil.example", True, False),
        ("ftp://git.example.org", False, False),
    ],
)
def test_a_token_goes_out_over_tls_or_to_this_machine(url: str, *, has_token: bool, is_safe: bool) -> None:
    """Anything else is refused before it is sent."""
    if is_safe:
        address.require_safe(url, has_token=has_token)
    else:
        with pytest.raises(InvalidInputError):
            address.require_safe(url, has_token=has_token)
