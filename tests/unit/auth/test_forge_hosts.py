import pytest

from services.auth.forge_hosts import ForgeHosts
from services.core.errors import InvalidInputError, StateError
from services.forges.models import Kind

PUBLIC = ForgeHosts("https://github.com", "https://gitlab.com")
OWN = ForgeHosts("https://code.example.org", "https://host.example.org/gitlab")
OFF = ForgeHosts("", "")


@pytest.mark.parametrize(
    ("hosts", "url", "kind"),
    [
        (PUBLIC, "https://github.com/a/b", "github"),
        (PUBLIC, "git@gitlab.com:a/b.git", "gitlab"),
        (PUBLIC, "https://gitlab.example.org/a/b", "gitlab"),
        (PUBLIC, "https://git.example.org/a/b", "plain"),
        (PUBLIC, "file:///srv/a", "plain"),
        (OWN, "https://code.example.org/a/b", "github"),
        (OWN, "ssh://git@code.example.org:22/a/b", "github"),
        (OWN, "https://host.example.org/gitlab/a/b", "gitlab"),
        (OWN, "https://host.example.org/other/a/b", "plain"),
        (OFF, "https://github.com/a/b", "plain"),
    ],
)
def test_an_address_tells_its_forge(hosts: ForgeHosts, url: str, kind: Kind) -> None:
    """The configured hosts come first, then what is known of public ones; a forge that is off is none."""
    assert hosts.chosen(None, url) == kind


def test_a_forge_that_is_off_is_refused_by_name() -> None:
    """The remedy names the setting."""
    with pytest.raises(StateError, match="GitHub is off") as refused:
        OFF.chosen("github", "https://github.com/a/b")
    assert (refused.value.reason, "LOCKSTEP_GITHUB__URL" in refused.value.remedy) == ("FORGE_OFF", True)
    assert OFF.chosen("plain", "https://github.com/a/b") == "plain"


def test_a_forge_is_not_in_a_folder() -> None:
    """An address without a host cannot be on GitHub."""
    with pytest.raises(InvalidInputError):
        PUBLIC.chosen("github", "file:///srv/a")


@pytest.mark.parametrize(
    ("hosts", "kind", "url", "api"),
    [
        (PUBLIC, "github", "git@github.com:a/b", "https://api.github.com"),
        (PUBLIC, "github", "https://ghe.example.org/a/b", "https://ghe.example.org/api/v3"),
        (PUBLIC, "gitlab", "https://gitlab.com/a/b", "https://gitlab.com"),
        (OWN, "gitlab", "https://host.example.org/gitlab/a/b", "https://host.example.org/gitlab"),
        (OWN, "github", "ssh://git@code.example.org/a/b", "https://code.example.org/api/v3"),
        (PUBLIC, "plain", "https://github.com/a/b", ""),
    ],
)
def test_the_api_is_found_from_the_address(hosts: ForgeHosts, kind: Kind, url: str, api: str) -> None:
    """Also below a path prefix, which only the configuration knows."""
    assert hosts.api_url(kind, url) == api
