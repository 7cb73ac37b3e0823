import subprocess
from pathlib import Path

import pytest

from services.auth import remotes
from services.core.errors import InvalidInputError


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/team/records.git",
        "https://git.example.org:8443/group/sub/records",
        "ssh://git@git.example.org:2222/team/records.git",
        "git@github.com:team/records.git",
        "http://127.0.0.1:3000/team/records.git",
        "http://localhost/team/records",
        "http://[::1]:80/team/records",
        "file:///srv/git/records.git",
    ],
)
def test_a_good_address_is_kept_as_it_is(url: str) -> None:
    """Blanks around it do no harm."""
    assert remotes.checked(f" {url}\n") == url


def test_a_path_becomes_an_address_that_git_takes(tmp_path: Path) -> None:
    """Also with blanks, umlauts and percent signs in it."""
    folder = tmp_path / "mit Umläuten 100%"
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    url = remotes.checked(str(folder))
    assert url.startswith("file:///")
    assert subprocess.run(["git", "ls-remote", url], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "empty"),
        ("records", "neither an address nor"),
        ("./records.git", "neither an address nor"),
        ("-upload-pack=x", "leading dash"),
        ("--x:y/z", "leading dash"),
        ("https://", "no host"),
        ("https://github.com", "no repository"),
        ("https://github.com/", "no repository"),
        ("https://github.com/a b", "blanks"),
        ("https://github.com/a\nb", "blanks"),
        ("https://github.com/a?x=1", "? or #"),
        ("http://git.example.org/a/b", "in the clear"),
        ("http://127.0.0.1.example.org/a/b", "in the clear"),
        ("git://github.com/a/b", "not a way"),
        ("ext::sh -c true", "blanks"),
        ("ext::x", "neither"),
        ("ext://x/y", "not a way"),
        ("file://server/share", "absolute path"),
        ("file://", "absolute path"),
        ("ssh://-oProxyCommand=x/y", "no host"),
        ("https://[::1/x", "cannot be read"),
        ("https://h:99999999/x", "cannot be read"),
        ("a@b:-x", "neither"),
    ],
)
def test_a_bad_address_is_refused_with_the_reason(url: str, said: str) -> None:
    """Each says what is wrong and what would be right."""
    with pytest.raises(InvalidInputError, match=said.replace("?", r"\?")) as refused:
        remotes.checked(url, "upstream_url")
    assert refused.value.violations[0].field == "upstream_url"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "url",
    [
        "https://hunter22@github.com/a/b",
        "https://user:hunter22@github.com/a/b",
        "https://:hunter22@github.com/a/b",
        "ssh://git:hunter22@github.com/a/b",
        "http://u:hunter22@127.0.0.1/a/b",
        "ext://u:hunter22@host/a",
        "https://u:hunter22@host/a b",
        "https://u:hunter22@host/a?b",
        "u:hunter22@host",
        "file://u:hunter22@host/a",
    ],
)
def test_a_credential_in_an_address_is_refused_and_never_repeated(url: str) -> None:
    """No error holds it, whatever else is wrong."""
    with pytest.raises(InvalidInputError) as refused:
        remotes.checked(url)
    assert "hunter22" not in str(refused.value) + repr(refused.value.violations)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://GitHub.com/a/b", "github.com"),
        ("https://github.com:8443/a", "github.com:8443"),
        ("ssh://git@github.com/a", "github.com"),
        ("git@github.com:a/b", "github.com"),
        ("file:///srv/a", ""),
    ],
)
def test_the_origin_is_what_a_credential_is_good_for(url: str, origin: str) -> None:
    """Host and port; the user, the path and the case do not count."""
    assert remotes.origin(url) == origin
