"""conflicts list, show, resolve, undo."""

import difflib
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gateway.cli import connect, options, output
from gateway.cli.client import Client, segment
from gateway.cli.field_edits import pointer_of, typed_value
from services.core.errors import InvalidInputError

NEEDS_PERSON = 3
LONGEST = 60
TAKES = ("ours", "theirs", "both")
Collection = Annotated[str, typer.Option("--collection", "-c", help="Only this collection.")]
Record = Annotated[str, typer.Option("--record", metavar="ID", help="Only this record.")]
FieldName = Annotated[str, typer.Option("--field", metavar="FIELD", help="Only this field, and what lies in it.")]
Whole = Annotated[bool, typer.Option("--whole-record", help="Only records that one side deleted.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    conflicts = typer.Typer(help="Fields that changed differently in the database and in Git.", no_args_is_help=True)
    conflicts.command("list")(conflicts_list)
    conflicts.command("show")(conflicts_show)
    conflicts.command("resolve")(conflicts_resolve)
    conflicts.command("undo")(conflicts_undo)
    app.add_typer(conflicts, name="conflicts")


def conflicts_list(
    ctx: typer.Context,
    collection: Collection = "",
    record: Record = "",
    field: FieldName = "",
    whole_record: Whole = False,
    state: Annotated[
        str | None, typer.Option(help="open, ours, theirs, both, value, settled (by itself) or any.")
    ] = None,
    settled: Annotated[bool, typer.Option("--settled", help="Settled ones too.")] = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List conflicts, oldest first."""
    only = _filter(collection, record, field, whole_record=whole_record)
    only = {**only, "whole_record": whole_record or None, "state": state, "settled": settled or None}
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        found = list(client.pages(f"{place}/conflicts", "conflicts", **only, page_size=200))
    if as_json:
        output.json({"conflicts": found})
        return
    rows = [
        (c["id"], c["record"], c["field"] or "(whole record)", _brief(c, "ours"), _brief(c, "theirs")) for c in found
    ]
    output.table(("id", "record", "field", "ours", "theirs"), rows, "There is no conflict.")


def conflicts_show(
    ctx: typer.Context,
    conflict: Annotated[str, typer.Argument()],
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Show one conflict: the value at the base, in the database (ours) and in Git (theirs), and who changed them."""
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
            "ours": f"{_side(found, 'ours')}{made_by(found['ours_change'])}",
            "theirs": f"{_side(found, 'theirs')}{made_by(found['theirs_change'])}",
        },
    )
    for line in _differences(found):
        output.line(line)
    if found["state"] == "open":
        output.line(f"Settle it: lockstep conflicts resolve {found['id']} --take ours|theirs|both, or --value V")
    elif found["resolved_by"]:
        output.line(f"Take that back: lockstep conflicts undo {found['id']}")


def conflicts_resolve(
    ctx: typer.Context,
    conflicts: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    take: Annotated[
        str | None,
        typer.Option("--take", help="ours (the database's), theirs (Git's), or both (lists, and text of lines)."),
    ] = None,
    value: Annotated[str | None, typer.Option("--value", help="Another value, as JSON or plain text.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All open ones, or those that the other options name.")] = False,
    collection: Collection = "",
    record: Record = "",
    field: FieldName = "",
    whole_record: Whole = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --all: settle them without asking.")] = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Settle conflicts: by their ids, or many alike with --all.

    Where text merges by line, ours and theirs say whose lines stand where both changed them; the other lines have
    what both sides did. With --all the number is shown first. Exit code 3 when some could not be settled so.
    """
    only = _filter(collection, record, field, whole_record=whole_record)
    _check_choice(take, value)
    if every == bool(conflicts):
        raise InvalidInputError("conflicts are named by their ids or by --all", remedy="give one of the two")
    if only and not every:
        raise InvalidInputError("ids say which conflicts are meant", remedy="leave the other options out, or use --all")
    body: dict[str, Any] = {"filter": only} if every else {"conflicts": conflicts}
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        body |= {"take": take} if value is None else {"value": _typed(client, place, value, conflicts, only)}
        if conflicts and len(conflicts) == 1:
            choice = {key: body[key] for key in ("take", "value") if key in body}
            _one(client.post(f"{place}/conflicts/{segment(conflicts[0])}/resolve", choice), as_json=as_json)
            return
        if every:
            body["expected"] = _confirmed(client, place, only, yes=yes)
        done = client.post(f"{place}/conflict-resolutions", body) if not every or body["expected"] else _NOTHING
    if as_json:
        output.json(done)
    else:
        output.line(f"{done['settled']} of {output.count(done['matched'], 'conflict')} settled")
        for left in done["unresolved"]:
            output.line(f"{left['id']} {left['record']} {left['field'] or '(whole record)'}: {left['message']}")
    if done["settled"] < done["matched"]:
        raise typer.Exit(NEEDS_PERSON)


def conflicts_undo(
    ctx: typer.Context,
    conflict: Annotated[str, typer.Argument()],
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Take a resolution back: the conflict is open again. Refused once the record was edited or published."""
    with connect.server(ctx) as client:
        opened = client.post(f"{connect.place(client, workspace)}/conflicts/{segment(conflict)}/undo")
    if as_json:
        output.json(opened)
    else:
        output.line(f"Open again: {opened['conflict']['record']} {opened['conflict']['field'] or '(whole record)'}")


def made_by(change: Any) -> str:
    """Give who changed a side and when, in brackets; nothing where that is not known."""
    if not change:
        return ""
    commit = f", commit {output.short(change['commit'])}" if change["commit"] else ""
    return f"  ({change['author']}, {output.when(change['time'])}{commit})"


_NOTHING: dict[str, Any] = {"matched": 0, "settled": 0, "unresolved": []}


def _filter(collection: str, record: str, field: str, *, whole_record: bool) -> dict[str, Any]:
    named = {"collection": collection, "record": record, "field": pointer_of(field, {}) if field else ""}
    found: dict[str, Any] = {key: text for key, text in named.items() if text}
    return {**found, "whole_record": True} if whole_record else found


def _check_choice(take: str | None, value: str | None) -> None:
    if (take is None) == (value is None):
        raise InvalidInputError("a conflict is settled by a side or by a value", remedy="give --take or --value")
    if take not in (None, *TAKES):
        raise InvalidInputError(f"--take '{take}' is no side", remedy=f"give {', '.join(TAKES)}")


def _typed(client: Client, place: str, value: str, conflicts: list[str] | None, only: dict[str, Any]) -> Any:
    """Give a value of the type that the (first) conflict's field has."""
    if conflicts:
        found = [client.get(f"{place}/conflicts/{segment(conflicts[0])}")]
    else:
        shown = {key: item for key, item in only.items() if item is not True}
        found = client.get(f"{place}/conflicts", **shown, whole_record=only.get("whole_record"), page_size=1)[
            "conflicts"
        ]
    return typed_value(value, (found[0]["ours"] if found[0]["has_ours"] else found[0]["theirs"]) if found else None)


def _confirmed(client: Client, place: str, only: dict[str, Any], *, yes: bool) -> int:
    """Give how many conflicts are meant, once a person has agreed to settle that many."""
    matched = int(client.post(f"{place}/conflict-resolutions", {"filter": only, "count_only": True})["matched"])
    if yes or not matched:
        return matched
    what = f"{output.count(matched, 'conflict')} would be settled alike"
    if not sys.stdin.isatty():
        raise InvalidInputError(what, remedy="look at them with `lockstep conflicts list`, then repeat with --yes")
    if not typer.confirm(f"{what}. Settle them?", err=True):
        raise typer.Exit(1)
    return matched


def _one(settled: Any, *, as_json: bool) -> None:
    if as_json:
        output.json(settled)
        return
    left = "" if settled["record"]["state"] != "conflict" else "; the record has other conflicts"
    output.line(f"Settled: {settled['conflict']['record']} {settled['conflict']['field']}{left}")


def _differences(conflict: Any) -> Iterator[str]:
    """Give what each side did to a text of several lines."""
    base = conflict["base"]
    for side in ("ours", "theirs"):
        if isinstance(base, str) and isinstance(conflict[side], str) and "\n" in base + conflict[side]:
            old, new = base.split("\n"), conflict[side].split("\n")
            yield from difflib.unified_diff(old, new, "base", side, lineterm="")


def _brief(conflict: Any, side: str) -> str:
    text = _side(conflict, side)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _side(conflict: Any, side: str) -> str:
    return output.dumps_shown(conflict[side]) if conflict[f"has_{side}"] else "(absent)"
