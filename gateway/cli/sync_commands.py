"""git-pull, git-status, quarantine and runs."""

from typing import Annotated, Any

import typer

from gateway.cli import connect, import_plan, options, output, polling
from gateway.cli.client import Client, segment
from gateway.cli.undo_commands import runs_undo
from services.core.errors import InvalidInputError, StateError

NEEDS_PERSON = 3
COUNTS = ("files", "imported", "updated", "deleted", "renamed", "unchanged", "conflicts", "quarantined", "excluded")
STATUS = (
    "in_sync",
    "remote_commit",
    "imported_commit",
    "commits_behind",
    "pending",
    "conflicts",
    "quarantined",
    "last_sync",
    "open_pull_requests",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("git-pull")(git_pull)
    app.command("git-status")(git_status)
    quarantine = typer.Typer(help="Files that could not become records.", no_args_is_help=True)
    quarantine.command("list")(quarantine_list)
    quarantine.command("show")(quarantine_show)
    app.add_typer(quarantine, name="quarantine")
    runs = typer.Typer(help="Imports that were made.", no_args_is_help=True)
    runs.command("list")(runs_list)
    runs.command("show")(runs_show)
    runs.command("undo")(runs_undo)
    app.add_typer(runs, name="runs")


def git_pull(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[WORKSPACE]")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done, record by record.")] = False,
    apply: Annotated[
        str, typer.Option("--apply", metavar="COMMIT@REVISION", help="Import only while a plan of this name holds.")
    ] = "",
    confirm: Annotated[bool, typer.Option("--confirm-deletes", help="Go on past the brake on deletions.")] = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Bring what changed in Git into the database.

    Exit code 3 when the run found conflicts or put files in quarantine, and when --apply names a plan that does not
    hold any more; the new one is shown then.
    """
    if plan and apply:
        raise InvalidInputError("--plan and --apply exclude each other", remedy="give one of them")
    with connect.server(ctx) as client:
        place = connect.place(client, name or workspace)
        if plan:
            run = _plan(client, place, as_json=as_json)
        else:
            run = _import(client, place, {"confirm_deletes": confirm, "apply": apply}, as_json=as_json)
    counts = run["counts"]
    if run["state"] == "failed":
        output.note(f"lockstep: the import failed: {run['error']}")
        raise typer.Exit(1)
    for note in run["notes"]:
        output.note(f"note: {note}")
    if counts["conflicts"] and not (as_json or plan):
        output.line("Settle what changed on both sides: lockstep conflicts list")
    if counts["quarantined"] and not (as_json or plan):
        output.line("See what cannot be a record, and why: lockstep quarantine list")
    if counts["conflicts"] or counts["quarantined"]:
        raise typer.Exit(NEEDS_PERSON)


def _plan(client: Client, place: str, *, as_json: bool) -> Any:
    """Show what an import would do; give the planned run."""
    plan = import_plan.ask(client, place, everything=as_json)
    run = plan.run
    if as_json:
        named = {key: run[key] for key in ("commit", "plan", "revision")}
        output.json({**{key: run["counts"][key] for key in COUNTS}, **named, "changes": plan.changes})
    else:
        output.line(_sentence(run, plan=True))
        import_plan.show(plan)
    return run


def _import(client: Client, place: str, body: dict[str, Any], *, as_json: bool) -> Any:
    """Import; where a plan is named that does not hold any more, show the new one and end with exit code 3."""
    try:
        run = output.follow(client.events("POST", f"{place}/imports", body), "run")
    except StateError as error:
        if error.reason != "PLAN_MOVED":
            raise
        output.note(f"lockstep: {error.message}; nothing was imported. The plan is now:")
        _plan(client, place, as_json=as_json)
        raise typer.Exit(NEEDS_PERSON) from None
    if as_json:
        output.json({**{key: run["counts"][key] for key in COUNTS}, "commit": run["commit"]})
    else:
        output.line(_sentence(run, plan=False))
    return run


def git_status(ctx: typer.Context, workspace: options.Workspace = None, as_json: options.Json = False) -> None:
    """Say whether database and Git are in step, having just asked the remote."""
    with connect.server(ctx) as client:
        status = client.get(f"{connect.place(client, workspace)}/status")
    shown = {key: status[key] for key in STATUS}
    if as_json:
        output.json(shown)
        return
    behind = shown["commits_behind"]
    output.fields(
        {
            "in sync": "yes" if shown["in_sync"] else "no",
            "remote commit": output.short(shown["remote_commit"]),
            "imported commit": output.short(shown["imported_commit"]),
            "commits behind": "unknown until the next git-pull" if behind is None else str(behind),
            "pending": shown["pending"],
            "conflicts": shown["conflicts"],
            "quarantined": shown["quarantined"],
            "last sync": output.when(shown["last_sync"]),
            "polling": polling.described(status["polling"]),
            "open pull requests": shown["open_pull_requests"],
        },
    )


def quarantine_list(
    ctx: typer.Context,
    workspace: options.Workspace = None,
    collection: Annotated[str, typer.Option("--collection", "-c", help="Only this collection.")] = "",
    rule: Annotated[str, typer.Option("--rule", help="Only this rule, as syntax, schema or duplicate-id.")] = "",
    limit: options.Limit = 1000,
    as_json: options.Json = False,
) -> None:
    """List files that could not become records, with path, line and rule."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        query = {"collection": collection, "rule": rule, "page_size": min(limit, 1000)}
        files = _first(client.pages(f"{place}/quarantine", "files", **query), limit)
    if as_json:
        output.json({"files": files, "total": len(files)})
        return
    rows = [
        (f"{item['path']}:{item['line']}" if item["line"] else item["path"], item["rule"], item["message"])
        for item in files
    ]
    output.table(("file", "rule", "what to do"), rows, "No file is in quarantine.")


def quarantine_show(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(help="Path from the root of the repository.")],
    workspace: options.Workspace = None,
    collection: options.InCollection = "",
    as_json: options.Json = False,
) -> None:
    """Show why a file is in quarantine, with the text around the place that is wrong."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        found = client.get(f"{place}/quarantine/file", path=path, collection=collection)
    if as_json:
        output.json(found)
        return
    named = ("path", "collection", "rule", "line", "column", "pointer", "message")
    shown = {name: found[name] for name in named if found[name]}
    if found["other_paths"]:
        shown["other files"] = ", ".join(found["other_paths"])
    output.fields(shown)
    if found["excerpt"]:
        output.line("")
    width = len(str(found["excerpt_line"] + len(found["excerpt"])))
    for number, text in enumerate(found["excerpt"], start=found["excerpt_line"]):
        output.line(f"{number:>{width}} | {text}")
        if number == found["line"] and found["excerpt_column"]:
            before = text[: found["excerpt_column"] - 1]
            output.line(f"{'':>{width}} | " + "".join("\t" if char == "\t" else " " for char in before) + "^")


def runs_list(
    ctx: typer.Context,
    workspace: options.Workspace = None,
    limit: options.Limit = 20,
    as_json: options.Json = False,
) -> None:
    """List runs, newest first."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        runs = _first(client.pages(f"{place}/runs", "runs", page_size=min(limit, 200)), limit)
    if as_json:
        output.json({"runs": runs})
        return
    rows = [
        (
            item["id"],
            output.when(item["started_at"]),
            item["state"],
            output.short(item["commit"]),
            _counted(item["counts"]),
        )
        for item in runs
    ]
    output.table(("id", "started", "state", "commit", "what it did"), rows, "There was no run yet.")


def runs_show(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument()],
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Show one run."""
    with connect.server(ctx) as client:
        found = client.get(f"{connect.place(client, workspace)}/runs/{segment(run)}")
    if as_json:
        output.json(found)
        return
    times = {key: output.when(found[key]) for key in ("started_at", "finished_at")}
    shown = {k: "; ".join(v) if k == "notes" else v for k, v in found.items() if k != "counts"}
    output.fields({**shown, **times, **found["counts"]})


def _sentence(run: Any, *, plan: bool) -> str:
    does = "would bring" if plan else "brought"
    return f"{output.short(run['commit'])} {does}: {_counted(run['counts'])}"


def _counted(counts: Any) -> str:
    return ", ".join(f"{counts[key]} {key}" for key in COUNTS if counts[key] or key == "files")


def _first(items: Any, limit: int) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if len(found) == limit:
            break
        found.append(item)
    return found
