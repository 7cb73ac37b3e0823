"""Which addresses are of the public internet, and which hosts all programs read alike."""

import pytest

from services.git.addresses import is_host, is_public

PRIVATE = [
    "0.0.0.0",  # noqa: S104  refused, not bound
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::",
    "2002:7f00:1::",
    "2600::5efe:10.0.0.1",
    "2600::200:5efe:127.0.0.1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["1.1.1.1", "140.82.121.4", "2606:4700::1111", "2a04:4e42::81", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_found_in_any_disguise(address: str) -> None:
    """Private, link-local, multicast and reserved ones, as they are or carried by IPv6 in one of its ways."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Also behind the translators of networks that have no IPv4."""
    assert is_public(address)


@pytest.mark.parametrize("host", ["github.com", "a-b.c_d.e", "xn--bcher-kva.example", "10.0.0.1", "::1", "localhost"])
def test_a_plain_host_is_a_host(host: str) -> None:
    """Names in ASCII, and addresses."""
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    ["github.com.", "b\u00fccher.example", "a b", "%31%30.0.0.1", "a..b", "-a", "\uff11\uff10.0.0.1", "fe80::1%1"],
)
def test_a_host_that_git_may_read_otherwise_is_none(host: str) -> None:
    """What was judged has to be what git connects to, so nothing is taken that curl decodes, folds or trims."""
    assert not is_host(host)
