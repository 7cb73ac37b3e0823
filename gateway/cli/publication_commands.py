"""create-pr and publications."""

from typing import Annotated, Any

import typer

from gateway.cli import connect, options, output, publication_plan
from gateway.cli.client import Client, segment
from services.core.errors import InvalidInputError, StateError

PublicationId = Annotated[str, typer.Argument(metavar="ID", help="Id of the publication, or number of its request.")]
SHOWN = 10
NEEDS_PERSON = 3
_ENDED_BADLY = ("failed", "closed")
_DONE = ("opened", "merged")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("create-pr")(create_pr)
    publications = typer.Typer(help="Records on their way to the target branch.", no_args_is_help=True)
    publications.command("list")(publications_list)
    publications.command("show")(publications_show)
    publications.command("watch")(publications_watch)
    publications.command("merge")(publications_merge)
    publications.command("close")(publications_close)
    app.add_typer(publications, name="publications")


def create_pr(
    ctx: typer.Context,
    events: Annotated[
        str, typer.Option("--events", metavar="ID,ID", help="Records; all pending ones if left out.")
    ] = "",
    title: Annotated[str, typer.Option("--title", help="Written from the records if left out.")] = "",
    description: Annotated[str, typer.Option("--description", help="Text above the generated part.")] = "",
    override: Annotated[
        str,
        typer.Option(
            "--override-review", metavar="REASON", help="Publish records that are not validated too, and why."
        ),
    ] = "",
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be published, with diffs; nothing is set aside.")
    ] = False,
    apply: Annotated[
        str,
        typer.Option("--apply", metavar="COMMIT@REVISION", help="Publish only while a plan of this name still holds."),
    ] = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Propose pending records as one pull request; where review is asked for, those that are validated.

    Exit code 3 when --apply names a plan that does not hold any more; the new one is shown.
    """
    if plan and apply:
        raise InvalidInputError("--plan and --apply exclude each other", remedy="give one of them")
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        body = {
            "records": [part.strip() for part in events.split(",") if part.strip()],
            "title": title,
            "description": description,
            "override_review": override,
        }
        if plan:
            publication_plan.show(client.post(f"{place}/publications/plan", body), as_json=as_json)
            return
        made = _publish(client, place, body, apply, as_json=as_json)
        found = _watch(client, place, made)
    if waiting := made["awaiting_review"]:
        named = ", ".join(waiting[:SHOWN]) + (" …" if len(waiting) > SHOWN else "")
        output.note(f"left out, since not validated: {named}; see `lockstep review list --pending`")
    if as_json:
        output.json(
            {
                "pr_url": found["pr_url"],
                "pr_number": found["pr_number"],
                "branch": found["branch"],
                "commit": found["commit"],
                "events_count": found["events_count"],
            },
        )
        return
    output.line(f"Pull request #{found['pr_number']}: {found['pr_url']}")
    records = output.count(found["events_count"], "record")
    output.line(f"{records} in commit {output.short(found['commit'])} on branch {found['branch']}")


def _publish(client: Client, place: str, body: dict[str, Any], plan: str, *, as_json: bool) -> Any:
    """Publish; where a plan is named that does not hold any more, show the new one and end with exit code 3."""
    try:
        return client.post(f"{place}/publications", {**body, "plan": plan})
    except StateError as error:
        if error.reason != "PLAN_MOVED":
            raise
        output.note(f"lockstep: {error.message}; nothing was published. The plan is now:")
        publication_plan.show(client.post(f"{place}/publications/plan", body), as_json=as_json)
        raise typer.Exit(NEEDS_PERSON) from None


def publications_list(
    ctx: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    limit: options.Limit = 50,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List publications, newest first."""
    with connect.server(ctx) as client:
        path = f"{connect.place(client, workspace)}/publications"
        found = client.get(path, open=open_only or None, page_size=min(limit, 200))["publications"]
    if as_json:
        output.json({"publications": found})
        return
    rows = [
        (p["id"], p["state"], f"#{p['pr_number']}" if p["pr_number"] else "", p["events_count"], p["title"], p["error"])
        for p in found
    ]
    output.table(("id", "state", "request", "records", "title", "error"), rows, "There is no publication.")


def publications_show(
    ctx: typer.Context,
    publication: PublicationId,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the forge and the target branch first.")] = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Show one publication with its records."""
    with connect.server(ctx) as client:
        path = _path(client, workspace, publication)
        if refresh:
            client.post(f"{path}/refresh")
        _show(client.get(path), as_json=as_json)


def publications_watch(
    ctx: typer.Context,
    publication: PublicationId,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Wait until a publication is open, settled or stuck."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        found = _watch(client, place, client.get(f"{place}/publications/{segment(publication)}"))
        _show(client.get(f"{place}/publications/{segment(found['id'])}"), as_json=as_json)


def publications_merge(
    ctx: typer.Context,
    publication: PublicationId,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Merge the pull request of a publication on the plain forge."""
    with connect.server(ctx) as client:
        merged = client.post(f"{_path(client, workspace, publication)}/merge")
    if as_json:
        output.json(merged)
        return
    found = merged["publication"]
    output.line(
        f"{found['id']} {found['state']}: {found['merged_count']} of "
        f"{output.count(found['events_count'], 'record')} on the target branch, "
        f"commit {output.short(merged['merge_commit'])}",
    )


def publications_close(
    ctx: typer.Context,
    publication: PublicationId,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Close a publication; its records become pending again."""
    with connect.server(ctx) as client:
        closed = client.post(f"{_path(client, workspace, publication)}/close")
    if as_json:
        output.json(closed)
    else:
        output.line(f"{closed['id']} {closed['state']}; records that are not merged are pending again")


def _watch(client: Client, place: str, publication: Any) -> Any:
    """Wait for a publication; raise StateError when it ended badly or needs somebody."""
    found = publication
    if found["state"] not in (*_DONE, *_ENDED_BADLY):
        events = client.events("GET", f"{place}/publications/{segment(found['id'])}/events")
        found = output.follow(events, "publication") or found
    if found["state"] in _ENDED_BADLY:
        raise StateError(
            f"publication {found['id']} is {found['state']}: {found['error']}".rstrip(": "),
            remedy="its records are pending again",
        )
    if found["state"] not in _DONE:
        raise StateError(
            f"publication {found['id']} waits ({found['state']}): {found['error'] or 'it is not open yet'}",
            remedy=f"it goes on by itself: `lockstep publications watch {found['id']}`",
        )
    return found


def _path(client: Client, workspace: str | None, publication: str) -> str:
    return f"{connect.place(client, workspace)}/publications/{segment(publication)}"


def _show(found: Any, *, as_json: bool) -> None:
    if as_json:
        output.json(found)
        return
    output.fields(
        {
            "id": found["id"],
            "title": found["title"],
            "state": found["state"],
            "request": f"#{found['pr_number']} {found['pr_url']}" if found["pr_number"] else "(none yet)",
            "branch": found["branch"],
            "commit": output.short(found["commit"]),
            "records": f"{found['events_count']}, {found['merged_count']} on the target branch",
            "by": f"{found['created_by']}, {output.when(found['created_at'])}",
            **({"review overridden": found["review_override"]} if found["review_override"] else {}),
            **({"error": found["error"]} if found["error"] else {}),
        },
    )
    for item in found["items"]:
        merged = "  merged" if item["merged_at"] else ""
        output.line(f"  {item['action']:<7} {item['path']}{merged}")
