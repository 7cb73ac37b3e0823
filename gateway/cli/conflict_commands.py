"""conflicts list, show, resolve."""

from typing import Annotated, Any

import typer

from gateway.cli import connect, options, output
from gateway.cli.client import segment
from gateway.cli.field_edits import typed_value
from services.core.errors import InvalidInputError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    conflicts = typer.Typer(help="Fields that changed differently in the database and in Git.", no_args_is_help=True)
    conflicts.command("list")(conflicts_list)
    conflicts.command("show")(conflicts_show)
    conflicts.command("resolve")(conflicts_resolve)
    app.add_typer(conflicts, name="conflicts")


def conflicts_list(
    ctx: typer.Context,
    settled: Annotated[bool, typer.Option("--settled", help="Settled ones too.")] = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List conflicts, oldest first."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        found = list(client.pages(f"{place}/conflicts", "conflicts", settled=settled, page_size=200))
    if as_json:
        output.json({"conflicts": found})
        return
    rows = [(c["id"], c["record"], c["field"] or "(whole record)", _side(c, "ours"), _side(c, "theirs")) for c in found]
    output.table(("id", "record", "field", "ours", "theirs"), rows, "There is no conflict.")


def conflicts_show(
    ctx: typer.Context,
    conflict: Annotated[str, typer.Argument()],
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Show one conflict: the value at the base, in the database (ours) and in Git (theirs)."""
    with connect.server(ctx) as client:
        found = client.get(f"{connect.place(client, workspace)}/conflicts/{segment(conflict)}")
    if as_json:
        output.json(found)
        return
    output.fields(
        {
            "record": found["record"],
            "collection": found["collection"],
            "field": found["field"] or "(whole record)",
            "state": found["state"],
            "base": _side(found, "base"),
            "ours": _side(found, "ours"),
            "theirs": _side(found, "theirs"),
        },
    )
    if found["state"] == "open":
        output.line(f"Settle it: lockstep conflicts resolve {found['id']} --take ours|theirs, or --value V")


def conflicts_resolve(
    ctx: typer.Context,
    conflict: Annotated[str, typer.Argument()],
    take: Annotated[str | None, typer.Option("--take", help="ours (the database's) or theirs (Git's).")] = None,
    value: Annotated[str | None, typer.Option("--value", help="Another value, as JSON or plain text.")] = None,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Settle one conflict."""
    if (take is None) == (value is None):
        raise InvalidInputError("a conflict is settled by a side or by a value", remedy="give --take or --value")
    if take not in (None, "ours", "theirs"):
        raise InvalidInputError(f"--take '{take}' is no side", remedy="give ours or theirs")
    with connect.server(ctx) as client:
        path = f"{connect.place(client, workspace)}/conflicts/{segment(conflict)}"
        body: dict[str, Any] = {"take": take}
        if value is not None:
            found = client.get(path)
            body = {"value": typed_value(value, found["ours"] if found["has_ours"] else found["theirs"])}
        settled = client.post(f"{path}/resolve", body)
    if as_json:
        output.json(settled)
        return
    left = "" if settled["record"]["state"] != "conflict" else "; the record has other conflicts"
    output.line(f"Settled: {settled['conflict']['record']} {settled['conflict']['field']}{left}")


def _side(conflict: Any, side: str) -> str:
    return output.dumps_shown(conflict[side]) if conflict[f"has_{side}"] else "(absent)"
