"""A host of bare repositories over ssh: Debian's own sshd on a free port of this machine."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

_START_SECONDS: Final = 10.0
_CONFIG: Final = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
"""


@dataclass
class SshHost:
    """A running host. ``known_hosts`` is what its users trust, ``key`` the private key that it lets in."""

    folder: Path
    port: int = 0
    known_hosts: str = ""
    key: str = field(default="", repr=False)

    def start(self) -> "SshHost":
        """Serve; skip the test where there is no sshd."""
        sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if not sshd or not shutil.which("ssh"):
            pytest.skip("needs sshd: scripts/system-packages.sh ssh sshd")
        self.folder.mkdir(parents=True)
        if os.getuid() == 0:
            # Where sshd of root wants to lock its unprivileged half in.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        host = make_key(self.folder / "host")[1]
        self.key, public = make_key(self.folder / "client")
        # The service must not find it lying about.
        (self.folder / "client").unlink()
        (self.folder / "authorized").write_text(public)
        self.known_hosts = f"[127.0.0.1]:{self.port} {' '.join(host.split()[:2])}\n"
        config = self.folder / "config"
        config.write_text(_CONFIG.format(port=self.port, folder=self.folder))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=log)
        self._await()
        return self

    def stop(self) -> None:
        """Stop serving."""
        self._process.terminate()
        self._process.wait()

    def url(self, path: Path) -> str:
        """Give the address of a repository."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def _await(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, "sshd did not start"
                time.sleep(0.05)
            else:
                return


def make_key(file: Path, kind: str = "ed25519") -> tuple[str, str]:
    """Make a key pair; give its private and public half as ssh-keygen writes them."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen: scripts/system-packages.sh ssh")
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(file)], check=True)
    return file.read_text(), file.with_name(f"{file.name}.pub").read_text()
