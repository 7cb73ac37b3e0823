"""``lockstep up`` that kills itself at a named moment: ``python -m tests.e2e.crashing MOMENT up``.

The product has no switch for this. The moment is put into the parts from outside, in this process only.
"""

import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.cli.main import main
from protos.sync.v1 import sync_pb2
from services.pr import server as pr_server
from services.sync import convert, importer, journal, landing, store

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLICATION = (
    "reserve:before",
    "reserve:after",
    "commit:before",
    "commit:after",
    "push:before",
    "push:after",
    "open:before",
    "open:after",
)
MERGE = ("merge:before", "merge:after", "settle:before")
CLOSE = ("close:before", "close:after", "release:before", "release:after")
IMPORT = ("fetched", "parsing", "planned", "written", "committed")
UNDO = ("undo begun", "undo written", "undone")


def die(*_: object) -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Make this process die at a moment of a publication or an import."""
    if ":" in moment:
        pr_server.wire = partial(pr_server.wire, checkpoint=lambda name: die() if name == moment else None)
        return
    {
        "fetched": lambda: _before(importer, "list_changes"),
        "parsing": lambda: _before(importer, "parse_files"),
        "planned": lambda: _before(landing, "apply_plan"),
        "written": lambda: _before(store, "set_imported"),
        "committed": lambda: _before(convert, "result_message"),
        "undo begun": lambda: _before(journal, "pages"),
        "undo written": lambda: _before(journal, "forget"),
        "undone": lambda: _before(convert, "undo_event", sync_pb2.Run),
    }[moment]()


def _before(module: Any, name: str, kind: type = object) -> None:
    """Die before a function is called, the first time with a last argument of a kind."""
    original: Callable[..., Any] = getattr(module, name)

    def dying(*arguments: Any, **named: Any) -> Any:
        if isinstance(arguments[-1], kind):
            die()
        return original(*arguments, **named)

    setattr(module, name, dying)


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
