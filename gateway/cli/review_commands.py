"""review next, list, reserve, release, validate, reject."""

from typing import Annotated, Any

import typer

from gateway.cli import connect, options, output
from gateway.cli.client import segment
from gateway.cli.record_commands import RecordId, quality, review

State = Annotated[
    str | None,
    typer.Option("--state", help="unreviewed, reserved, validated or rejected; the first two when left out."),
]
Pending = Annotated[bool, typer.Option("--pending", help="Only records with edits that are not in Git yet.")]
Revision = Annotated[
    int, typer.Option("--revision", help="Revision you looked at: refused when the record has changed since.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    reviews = typer.Typer(help="Review records before they are published.", no_args_is_help=True)
    reviews.command("next")(review_next)
    reviews.command("list")(review_list)
    reviews.command("reserve")(review_reserve)
    reviews.command("release")(review_release)
    reviews.command("validate")(review_validate)
    reviews.command("reject")(review_reject)
    app.add_typer(reviews, name="review")


def review_next(
    ctx: typer.Context,
    collection: options.InCollection = "",
    pending: Pending = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Reserve the most important record that nobody has taken, for an hour, and show it."""
    with connect.server(ctx) as client:
        body = {"collection": collection, "pending": pending}
        found = client.post(f"{connect.place(client, workspace)}/review-reservations", body)
    _show(found, as_json=as_json)


def review_list(
    ctx: typer.Context,
    collection: options.InCollection = "",
    state: State = None,
    pending: Pending = False,
    limit: options.Limit = 50,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List records to be reviewed by importance, then date."""
    found: list[Any] = []
    with connect.server(ctx) as client:
        path = f"{connect.place(client, workspace)}/reviews"
        filters = {"collection": collection, "state": state, "pending": pending or None}
        for record in client.pages(path, "records", page_size=min(limit, 1000), **filters):
            if len(found) == limit:
                break
            found.append(record)
    if as_json:
        output.json({"records": found})
        return
    rows = [(r["id"], r["collection"], review(r["review"]), quality(r), r["title"]) for r in found]
    output.table(("id", "collection", "review", "quality", "title"), rows, "Nothing is to be reviewed.")


def review_reserve(
    ctx: typer.Context,
    record: RecordId,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Reserve a record for an hour, and show it."""
    with connect.server(ctx) as client:
        path = f"{connect.place(client, workspace)}/review-reservations/{segment(record)}"
        found = client.post(path, {"collection": collection})
    _show(found, as_json=as_json)


def review_release(
    ctx: typer.Context,
    record: RecordId,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Give a reservation back; an administrator may give back anybody's."""
    with connect.server(ctx) as client:
        path = f"{connect.place(client, workspace)}/review-reservations/{segment(record)}"
        found = client.delete(path, collection=collection)
    _changed(found, as_json=as_json)


def review_validate(
    ctx: typer.Context,
    record: RecordId,
    note: Annotated[str, typer.Option("--note", help="What was checked; may be left out.")] = "",
    revision: Revision = 0,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Say that a record may be published as it is; the next edit makes it unreviewed again."""
    body = {"verdict": "validated", "reason": note, "expected_revision": revision, "collection": collection}
    _give(ctx, workspace, record, body, as_json=as_json)


def review_reject(
    ctx: typer.Context,
    record: RecordId,
    reason: Annotated[str, typer.Option("--reason", help="What is to be changed.")],
    revision: Revision = 0,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Say that a record may not be published as it is, and why."""
    body = {"verdict": "rejected", "reason": reason, "expected_revision": revision, "collection": collection}
    _give(ctx, workspace, record, body, as_json=as_json)


def _give(ctx: typer.Context, workspace: str | None, record: str, body: dict[str, Any], *, as_json: bool) -> None:
    with connect.server(ctx) as client:
        found = client.post(f"{connect.place(client, workspace)}/reviews/{segment(record)}", body)
    _changed(found, as_json=as_json)


def _show(found: Any, *, as_json: bool) -> None:
    if as_json:
        output.json(found)
        return
    output.fields(
        {
            "id": found["id"],
            "collection": found["collection"],
            "revision": found["revision"],
            "state": found["state"],
            "review": review(found["review"]),
            **({"quality": quality(found)} if found["quality"] is not None else {}),
        },
    )
    output.line(output.content(found["content"]))
    seen = f"{found['id']} --revision {found['revision']}"
    output.line(f"Then: lockstep review validate {seen}, or lockstep review reject {seen} --reason R")


def _changed(found: Any, *, as_json: bool) -> None:
    if as_json:
        output.json(found)
    else:
        output.line(f"{found['id']}: {review(found['review'])}")
