"""How git reaches ssh remotes: with a key that stays in memory, and only hosts whose keys are known.

ssh reads no configuration of the user or the system, asks nothing, forwards nothing and keeps no connection.
What it needs lies in a folder of its own while one git process runs: the socket of an agent that answers for
the workspace's key, the public half of that key, and the host keys that the workspace trusts. None of it is
secret.
"""

import contextlib
import shlex
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.git.ports import Token
from services.git.ssh_agent import serving
from services.git.ssh_keys import SshKey

_OPTIONS: Final = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
    "CanonicalizeHostname=no",
    "PreferredAuthentications=publickey",
    "PubkeyAuthentication=yes",
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "IdentitiesOnly=yes",
    "AddKeysToAgent=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ProxyCommand=none",
    "ControlMaster=no",
    "ControlPath=none",
    "RequestTTY=no",
    "LogLevel=ERROR",
    "ConnectTimeout=30",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
)
# How long one of several addresses may take before the next one is tried.
_ANSWER_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Ssh:
    """What it takes to reach one remote. ``options`` are the remote's own, in the words of ssh_config.

    ``addresses`` are the ones that ssh may connect to, in this order, at ``port``; none where it may ask for itself.
    """

    key: Token
    known_hosts: str
    options: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    port: int = 0


@contextlib.contextmanager
def environment(ssh: Ssh) -> Iterator[dict[str, str]]:
    """Give git's environment for a remote, good as long as the context lasts."""
    key = SshKey(ssh.key)
    with tempfile.TemporaryDirectory(prefix="lockstep-ssh-") as name:
        folder = Path(name)
        (folder / "key.pub").write_text(f"{key.public}\n", encoding="ascii")
        (folder / "known_hosts").write_text(ssh.known_hosts, encoding="utf-8")
        own = (
            f"UserKnownHostsFile={_quoted(folder / 'known_hosts')}",
            f"IdentityFile={_quoted(folder / 'key.pub')}",
            f"IdentityAgent={_quoted(folder / 'agent')}",
            *_pinned(ssh),
        )
        with serving(key, folder / "agent"):
            words = ["ssh", "-F", "/dev/null"]
            for option in (*_OPTIONS, *ssh.options, *own):
                words += ["-o", option]
            yield {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}


def _pinned(ssh: Ssh) -> list[str]:
    """Give the one address that ssh takes: the first that answers, or the first for ssh to say what is wrong."""
    first, *others = ssh.addresses or ("",)
    if not first:
        return []
    found = next((address for address in ssh.addresses if _answers(address, ssh.port)), first) if others else first
    return [f"HostName={found}"]


def _answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), _ANSWER_SECONDS):
        return True
    return False


def _quoted(path: Path) -> str:
    """Give a path as ssh_config takes it, where blanks end a value and % begins a name."""
    return '"{}"'.format(str(path).replace("%", "%%"))
