"""runs undo."""

from typing import Annotated

import typer

from gateway.cli import connect, options, output
from gateway.cli.client import segment


def runs_undo(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The newest import that is not undone.")],
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Take an import back: records, conflicts and quarantine are as they were before it.

    Exit code 3 when records were edited, reserved or resolved since; they are named, and nothing changes. The commit
    is not imported again by itself; `git-pull` does.
    """
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        done = output.follow(client.events("POST", f"{place}/runs/{segment(run)}/undo", {}), "run")
    if as_json:
        output.json(done)
        return
    back, gone = (output.count(done["counts"][name], "record") for name in ("updated", "deleted"))
    output.line(f"{run} undone: {back} as before, {gone} that it had brought are gone")
    output.line(f"The database stands for {output.short(done['commit'])} again; `lockstep git-pull` imports anew")
