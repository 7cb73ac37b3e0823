"""Which internet addresses lie outside every private network. Pure.

``ipaddress`` alone does not do: it calls multicast, site-local and all of the forms in which IPv6 carries an
IPv4 address "global" (RFC 4291, 6052, 3056, 4380, 5214). Those are judged by the address they carry.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_SEGMENTS: Final = tuple(map(ipaddress.IPv6Network, ("3fff::/20", "2620:4f:8000::/48")))
_RELAYS: Final = ipaddress.IPv4Network("192.88.99.0/24")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE, 0x01005EFE, 0x03005EFE})
_LOW: Final = 0xFFFFFFFF

# A name that every resolver reads alike: no dot at the end, no percent signs, nothing beyond ASCII.
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\Z")


def is_host(host: str) -> bool:
    """Say whether a lower-case host is a literal address, or a name that all resolvers read alike."""
    return is_literal(host) or bool(_NAME.match(host))


def is_literal(host: str) -> bool:
    """Say whether a host is an address and not a name; one with a zone (``fe80::1%eth0``) is neither."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, written plainly: ``localhost`` or a literal."""
    return host == "localhost" or (is_literal(host) and ipaddress.ip_address(host).is_loopback)


def is_public(address: str) -> bool:
    """Say whether a literal address, and every IPv4 address inside it, is one of the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, _IPv4):
        return _is_public_v4(parsed)
    carried = list(_carried(parsed))
    if not all(map(_is_public_v4, carried)):
        return False
    if parsed.ipv4_mapped or parsed in _NAT64:
        return True
    return parsed in _GLOBAL_UNICAST and parsed.is_global and not any(parsed in net for net in _SEGMENTS)


def _is_public_v4(address: _IPv4) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _RELAYS


def _carried(address: _IPv6) -> Iterator[_IPv4]:
    """Give the IPv4 addresses that a packet to an IPv6 address may end up at."""
    low = _IPv4(int(address) & _LOW)
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        yield low
    if (int(address) >> 32) & _LOW in _ISATAP:
        yield low
