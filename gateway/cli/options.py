"""Options that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Workspace = Annotated[
    str | None,
    typer.Option("--workspace", "-w", help="Name or id; LOCKSTEP_WORKSPACE or the only one when left out."),
]
InCollection = Annotated[str, typer.Option("--collection", "-c", help="Collection, where several have the id.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many.")]
