"""The nets under all other tests hold: the canary is found, the network is off."""

import base64
import os
import socket
from pathlib import Path

import pytest

from tests import canary as canaries
from tests.network import NetworkIsOffError


@pytest.mark.parametrize("user", ["", "a", "ab", "x-access-token", "öl"])
def test_the_canary_is_found_in_plain_text_and_in_basic_authentication(tmp_path: Path, user: str) -> None:
    """A token betrays itself in a URL and in a base64 header, whatever the user name before it."""
    token = canaries.make()
    (tmp_path / "url").write_text(f"https://{user}:{token}@forge.invalid/")
    header = base64.b64encode(f"{user}:{token}".encode()).decode()
    (tmp_path / "header").write_text(f"Authorization: Basic {header}\n")
    (tmp_path / "innocent").write_text(canaries.make())
    assert {path.name for path in canaries.files_with(token, tmp_path)} == {"url", "header"}


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "example.org")],
)
def test_no_test_reaches_another_machine(family: socket.AddressFamily, host: str) -> None:
    """A connection outwards fails loudly, by address and by name."""
    with socket.socket(family) as client, pytest.raises(NetworkIsOffError):
        client.connect((host, 443))


def test_no_test_asks_for_a_name_outside() -> None:
    """Looking a name up is already a message to another machine."""
    with pytest.raises(NetworkIsOffError):
        socket.getaddrinfo("example.org", 443)


def test_a_name_that_cannot_exist_is_unknown() -> None:
    """Tests of "no network" get the real fault from a name under .invalid."""
    with pytest.raises(socket.gaierror):
        socket.create_connection(("nowhere.invalid", 443), timeout=1)


def test_this_machine_answers() -> None:
    """Loopback works, by address and by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        socket.create_connection(("localhost", port)).close()


def test_git_reads_no_settings_of_the_developer() -> None:
    """Git in tests has one configuration, the same for everyone."""
    assert Path(os.environ["GIT_CONFIG_GLOBAL"]).parent.name == "tests"
    assert "LOCKSTEP_DATA" not in os.environ
