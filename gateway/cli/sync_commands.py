"""git-pull, git-status, quarantine and runs."""

from typing import Annotated, Any

import typer

from gateway.cli import connect, options, output
from gateway.cli.client import segment

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
    app.add_typer(quarantine, name="quarantine")
    runs = typer.Typer(help="Imports that were made.", no_args_is_help=True)
    runs.command("list")(runs_list)
    runs.command("show")(runs_show)
    app.add_typer(runs, name="runs")


def git_pull(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[WORKSPACE]")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm-deletes", help="Go on past the brake on deletions.")] = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Bring what changed in Git into the database.

    Exit code 3 when the run found conflicts or put files in quarantine.
    """
    with connect.server(ctx) as client:
        place = connect.place(client, name or workspace)
        run = output.follow(
            client.events("POST", f"{place}/imports", {"plan": plan, "confirm_deletes": confirm}), "run"
        )
    counts = run["counts"]
    if as_json:
        output.json({**{key: counts[key] for key in COUNTS}, "commit": run["commit"]})
    else:
        output.line(_sentence(run, plan=plan))
    if run["state"] == "failed":
        output.note(f"lockstep: the import failed: {run['error']}")
        raise typer.Exit(1)
    if counts["conflicts"] and not as_json:
        output.line("Settle what changed on both sides: lockstep conflicts list")
    if counts["quarantined"] and not as_json:
        output.line("See what cannot be a record, and why: lockstep quarantine list")
    if counts["conflicts"] or counts["quarantined"]:
        raise typer.Exit(NEEDS_PERSON)


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
            "open pull requests": shown["open_pull_requests"],
        },
    )


def quarantine_list(
    ctx: typer.Context,
    workspace: options.Workspace = None,
    limit: options.Limit = 1000,
    as_json: options.Json = False,
) -> None:
    """List files that could not become records, with path, line and rule."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        files = _first(client.pages(f"{place}/quarantine", "files", page_size=min(limit, 1000)), limit)
    if as_json:
        output.json({"files": files, "total": len(files)})
        return
    rows = [
        (f"{item['path']}:{item['line']}" if item["line"] else item["path"], item["rule"], item["message"])
        for item in files
    ]
    output.table(("file", "rule", "what to do"), rows, "No file is in quarantine.")


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
    output.fields({**{k: v for k, v in found.items() if k != "counts"}, **times, **found["counts"]})


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
