"""Names and hosts that the gateway and the command line derive."""

import pytest

from gateway.cli.connect import name_from
from gateway.security import host_name


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("https://example.org/team/records.git", "records"),
        ("git@example.org:records.git", "records"),
        ("/srv/git/My Data/", "My-Data"),
        ("https://example.org/", "example.org"),
        ("file:///", "workspace"),
    ],
)
def test_a_workspace_made_on_the_fly_is_named_after_its_repository(repository: str, name: str) -> None:
    """The last part of the address, in characters that names may have."""
    assert name_from(repository) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [("localhost:7420", "localhost"), ("[::1]:7420", "[::1]"), ("EXAMPLE.org", "example.org"), ("", "")],
)
def test_a_host_header_gives_its_name(header: str, name: str) -> None:
    """Without the port, in lower case."""
    assert host_name(header) == name
