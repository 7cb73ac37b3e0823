"""One import in a process of its own, so that the memory is its own: both services, and git's processes beside it.

``python -m tests.bench.import_process FOLDER REPOSITORY`` prints the most memory the process held, in bytes.
"""

import subprocess
import sys
from pathlib import Path

from services.runtime.database import sqlite_url
from tests.integration.sync.world import sync_world


def peak_bytes(folder: Path, repository: Path) -> int:
    """Import a repository into an empty SQLite database; give the peak memory of the process that did it."""
    command = [sys.executable, "-m", "tests.bench.import_process", str(folder), str(repository)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _main(folder: Path, repository: Path) -> None:
    folder.mkdir()
    with sync_world(folder / "services", sqlite_url(folder / "sync.db")) as world:
        world.attach(str(repository))
        world.collection()
        assert world.pull().counts.imported
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    sys.stdout.write(str(kilobytes * 1024))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
