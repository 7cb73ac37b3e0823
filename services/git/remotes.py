"""Which remotes may be spoken to, and how: protocol, address, credentials.

A remote's URL comes from a user, so it is judged before git sees it: only the protocols the operator
allows, no credentials in it, no address inside the operator's network unless the operator says so. The
address that was judged is the one git connects to (``http.curloptResolve``), so a second answer of the
name server changes nothing.
"""

import base64
import os
import re
import socket
import urllib.request
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from services.core.errors import InvalidInputError, StateError, UnavailableError
from services.git import addresses, ssh_address
from services.git.failures import SSH_KEY_REMEDY
from services.git.ports import RemoteAddress, Token
from services.git.ssh import Ssh

DEFAULT_SSH_USER: Final = "git"
DEFAULT_USERNAME: Final = "x-access-token"
_PORTS: Final = {"https": 443, "http": 80}
_PROXIES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_MAX_URL: Final = 2048
# Control characters, spaces at the ends, backslashes, and git's "helper::address".
_ODD: Final = re.compile(r"[\x00-\x1f\x7f\\]|\A\s|\s\Z|\A[A-Za-z0-9+.-]+::")


@dataclass(frozen=True)
class Policy:
    """What the operator allows.

    ``allowed_protocols`` of "https", "ssh", "http", "file"; plain http reaches loopback hosts, and others only
    without credentials and with ``allow_private_addresses``. ``timeout_seconds`` is the longest a git
    process may run; ``lock_seconds`` the longest a writer waits for another one on the same workspace;
    ``quota_bytes`` what the mirrors of one tenant may take, 0 for any number; ``remote_memory_bytes`` the most that
    git may hold of what a remote lists.
    """

    allowed_protocols: frozenset[str] = frozenset({"https"})
    allow_private_addresses: bool = False
    timeout_seconds: float = 600.0
    lock_seconds: float = 30.0
    max_file_bytes: int = 10 * 1024 * 1024
    quota_bytes: int = 0
    remote_memory_bytes: int = 1024 * 1024 * 1024

    @classmethod
    def standalone(cls) -> "Policy":
        """Give what one person on one machine may do: everything that machine reaches."""
        return cls(allowed_protocols=frozenset({"https", "ssh", "http", "file"}), allow_private_addresses=True)


@dataclass(frozen=True)
class Remote:
    """A remote that was judged. ``config`` goes to git's environment and may hold the token: never print it."""

    url: str
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    ssh: Ssh | None = field(default=None, repr=False)


def target_of(address: RemoteAddress, policy: Policy) -> Remote:
    """Give the remote that is imported from and proposed to."""
    return _of(address.target_url, address, policy)


def push_of(address: RemoteAddress, policy: Policy) -> Remote:
    """Give the remote that is pushed to."""
    return _of(address.push_url, address, policy)


def judge(url: str, username: str, token: Token, policy: Policy) -> Remote:
    """Give the remote at a URL.

    Raises InvalidInputError for a URL that may not be used, StateError (reason REMOTE_AUTH) where a token
    would travel unencrypted, UnavailableError (reason NO_NETWORK) where the host has no address.
    """
    if not url or url.startswith("-") or len(url) > _MAX_URL or _ODD.search(url):
        raise _bad("the repository's address is empty or malformed", "set it with `lockstep git-config --repo URL`")
    parts = _split(url)
    scheme = parts.scheme.lower()
    if scheme not in policy.allowed_protocols or scheme not in {"https", "http", "file"}:
        raise _not_allowed(scheme or "ssh", policy)
    if scheme == "file":
        return Remote(url)
    return _over_http(url, parts, username, token, policy)


def _of(url: str, address: RemoteAddress, policy: Policy) -> Remote:
    if ssh_address.is_ssh(url):
        return _over_ssh(url, Ssh(address.ssh_key, address.known_hosts), policy)
    return judge(url, address.username, address.token, policy)


def _split(url: str) -> SplitResult:
    if url.startswith("/"):
        return SplitResult("file", "", url, "", "")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _bad("the repository's address is malformed", "give it as https://host/path") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise _bad(
            "the repository's address holds credentials",
            "remove them and store a token with `lockstep workspace set NAME --token-stdin`",
        )
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        raise _bad("a file address names a host", "give it as file:///path")
    return parts


def _over_http(url: str, parts: SplitResult, username: str, token: Token, policy: Policy) -> Remote:
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    if not host:
        raise _bad("the repository's address has no host", "give it as https://host/path")
    if not addresses.is_host(host):
        raise _bad("the repository's address has a host that programs read differently", "write it in plain ASCII")
    config = _pinned(host, port, policy)
    if parts.scheme == "http" and not addresses.is_loopback(host):
        if token:
            raise StateError(
                f"the token for {host} would travel unencrypted",
                remedy="use the https address of the repository",
                reason="REMOTE_AUTH",
            )
        if not policy.allow_private_addresses:
            raise _bad(f"plain http to {host} is not allowed", "use the https address of the repository")
    if not token:
        return Remote(url, tuple(config))
    basic = base64.b64encode(f"{username or DEFAULT_USERNAME}:{token.reveal()}".encode()).decode()
    origin = f"{parts.scheme}://{parts.netloc}/"
    config.append((f"http.{origin}.extraHeader", f"Authorization: Basic {basic}"))
    return Remote(url, tuple(config), (token.reveal(), basic))


def _pinned(host: str, port: int, policy: Policy) -> list[tuple[str, str]]:
    """Give the configuration that ties a name to the addresses that were judged here."""
    if addresses.is_loopback(host):
        if not policy.allow_private_addresses:
            raise _bad(f"the host {host} is this machine", "ask the operator to set git.allow_private_addresses")
        return []
    found = _lookup(host, port)
    if not policy.allow_private_addresses and not all(map(addresses.is_public, found)):
        raise _bad(
            f"the host {host} has an address inside a private network",
            "ask the operator to set git.allow_private_addresses",
        )
    if not found or addresses.is_literal(host):
        return []
    return [("http.curloptResolve", f"{host}:{port}:{','.join(_bracketed(a) for a in found)}")]


def _over_ssh(url: str, ssh: Ssh, policy: Policy) -> Remote:
    if "ssh" not in policy.allowed_protocols:
        raise _not_allowed("ssh", policy)
    address = ssh_address.parse(url)
    if address is None or len(url) > _MAX_URL or _ODD.search(url) or not addresses.is_host(address.host):
        raise _bad("the repository's ssh address is malformed", "give it as ssh://user@host/path or user@host:path")
    if not ssh.key or not ssh.known_hosts:
        raise StateError(
            f"{address.host} is reached over ssh, and the workspace has no SSH key for it",
            remedy=SSH_KEY_REMEDY,
            reason="REMOTE_AUTH",
        )
    options = [] if address.user else [f"User={DEFAULT_SSH_USER}"]
    found: list[str] = []
    if not policy.allow_private_addresses:
        found = _lookup(address.host, address.port)
        if not found or not all(map(addresses.is_public, found)):
            raise _bad(
                f"the host {address.host} has an address inside a private network, or none",
                "ask the operator to set git.allow_private_addresses",
            )
        # ssh looks for the host's keys under its name still, and connects to an address that was judged.
        options.append(f"HostKeyAlias={address.known_as}")
    return Remote(url, ssh=replace(ssh, options=tuple(options), addresses=tuple(found), port=address.port))


def _not_allowed(scheme: str, policy: Policy) -> InvalidInputError:
    allowed = ", ".join(sorted(policy.allowed_protocols))
    return _bad(f"the protocol {scheme!r} is not allowed for repositories", f"use one of: {allowed}")


def _lookup(host: str, port: int) -> list[str]:
    """Give the host's addresses; none where only the proxy that is to be used can find them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if _is_proxied(host):
            return []
        raise UnavailableError(
            f"the host {host} cannot be found",
            remedy="check the address and the network",
            reason="NO_NETWORK",
        ) from None
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _is_proxied(host: str) -> bool:
    return any(os.environ.get(name) for name in _PROXIES) and not urllib.request.proxy_bypass(host)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _bad(message: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(message, remedy=remedy, reason="BAD_REMOTE")
