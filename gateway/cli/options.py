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
State = Annotated[str | None, typer.Option(help="synced, pending, proposed or conflict.")]
Query = Annotated[
    str, typer.Option("--query", "-q", help="Words that have to be in the record, in any case; word* is a beginning.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="As 'importance>=8', 'place.town=Ayr', 'tags contains flood', 'not sources exists'; may be repeated.",
    ),
]
Sort = Annotated[
    str, typer.Option(metavar="FIELD", help="id, title, updated_at, quality or a field; -FIELD turns the order.")
]
