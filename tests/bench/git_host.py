"""A host of repositories over smart HTTP in a process of its own: ``python -m tests.bench.git_host FOLDER``.

It prints its address and serves until standard input ends.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.standins.git_http import GitHost


@contextmanager
def git_host(folder: Path) -> Iterator[str]:
    """Serve the repositories of a folder until the block ends; give the host's URL."""
    command = [sys.executable, "-m", "tests.bench.git_host", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def _main() -> None:
    host = GitHost(Path(sys.argv[1]), "").start()
    sys.stdout.write(host.url + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    host.stop()


if __name__ == "__main__":
    _main()
