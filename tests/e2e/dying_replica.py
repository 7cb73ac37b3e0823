"""A replica of pr that may kill itself: python -m tests.e2e.dying_replica MOMENT MARKER.

Of several replicas with one marker, the first that comes to the moment leaves the marker and dies; the others
go on. Leases are short, so that nobody has to wait a minute for the one that takes over.
"""

import sys
from functools import partial
from pathlib import Path

from services.pr import server
from services.runtime import launch
from tests.e2e.crashing import die

LEASE_SECONDS = 3.0


def arm(moment: str, marker: Path) -> None:
    """Make this process die at a moment of a publication, unless another one has."""

    def checkpoint(name: str) -> None:
        if name != moment:
            return
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return
        die()

    server.wire = partial(server.wire, checkpoint=checkpoint)
    server.Timing = partial(server.Timing, lease=LEASE_SECONDS)  # type: ignore[misc, assignment]


if __name__ == "__main__":
    arm(sys.argv[1], Path(sys.argv[2]))
    # It takes what it wires from the module that has just been changed.
    from services.pr.__main__ import service

    sys.exit(launch.main("pr", service))
