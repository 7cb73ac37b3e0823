"""Keeps tests off the network: only this machine answers."""

import ipaddress
import socket
from typing import Any

import pytest


class NetworkIsOffError(RuntimeError):
    """A test tried to reach another machine. Not an OSError, so that no product code takes it for a fault."""


def switch_off(patch: pytest.MonkeyPatch) -> None:
    """Refuse connections and name look-ups that leave this machine, for as long as ``patch`` lasts.

    Names under ``.invalid`` answer as unknown, as they do everywhere (RFC 2606).
    """
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(self, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and name.rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name and not _is_address(name) and name != "localhost" and not name.endswith(".localhost"):
            raise NetworkIsOffError(f"a test asked for the address of {name}")
        return getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


def _check(sock: socket.socket, address: Any) -> None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = address[0]
    if host != "localhost" and not (_is_address(host) and ipaddress.ip_address(host).is_loopback):
        raise NetworkIsOffError(f"a test tried to reach {host}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
