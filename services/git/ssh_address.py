"""Addresses of ssh remotes, in the two forms that git takes: ``ssh://user@host:22/path``, ``user@host:path``.

Read more strictly than git does, so that no part of one can be an option or a command of ssh.
"""

import re
from dataclasses import dataclass
from typing import Final

PORT: Final = 22

_HOST: Final = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_USER: Final = r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?"
_URL: Final = re.compile(rf"ssh://{_USER}{_HOST}(?::(?P<port>[0-9]{{1,5}}))?/(?P<path>[^\s?#]+)\Z", re.IGNORECASE)
_SCP_LIKE: Final = re.compile(rf"{_USER}{_HOST}:(?P<path>(?![/:-]{{2}}|[:-])[^\s]+)\Z")


@dataclass(frozen=True)
class SshAddress:
    """Where an ssh remote is. ``user`` is empty where the address names none."""

    user: str
    host: str
    port: int

    @property
    def known_as(self) -> str:
        """The name under which a known_hosts file has the host's keys."""
        return self.host if self.port == PORT else f"[{self.host}]:{self.port}"


def parse(url: str) -> SshAddress | None:
    """Give the address in a URL; None when it is no ssh address, or not one that is safe."""
    found = _URL.match(url) if "://" in url else _SCP_LIKE.match(url)
    if not found:
        return None
    port = int(found.groupdict().get("port") or PORT)
    if not 0 < port < 1 << 16:
        return None
    return SshAddress(found["user"] or "", found["host"].strip("[]").lower(), port)


def is_ssh(url: str) -> bool:
    """Say whether git would reach a URL over ssh, safe or not."""
    return url.lower().startswith("ssh://") or ("://" not in url and ":" in url.partition("/")[0])
