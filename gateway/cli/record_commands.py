"""records list, show, add, edit, restore, delete, validate, history."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import connect, merge_view, options, output, record_transfer_commands
from gateway.cli.client import Client, segment
from gateway.cli.editor import edited
from gateway.cli.field_edits import field_edit
from services.core.errors import InvalidInputError
from services.core.formats import FORMATS, format_of
from services.core.values import ParseError, set_at

SHOWN_CHANGES = 8
SHOWN_VALUE = 60
RecordId = Annotated[str, typer.Argument(metavar="ID")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field; may be repeated.")]
File = Annotated[Path | None, typer.Option("--file", "-f", help="The whole record, in its own format; - reads stdin.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    records = typer.Typer(help="The records of a workspace.", no_args_is_help=True)
    records.command("list")(records_list)
    records.command("show")(records_show)
    records.command("add")(records_add)
    records.command("edit")(records_edit)
    records.command("delete")(records_delete)
    records.command("validate")(records_validate)
    records.command("history")(records_history)
    records.command("restore")(records_restore)
    record_transfer_commands.register(records)
    app.add_typer(records, name="records")


def records_list(
    ctx: typer.Context,
    collection: options.InCollection = "",
    state: options.State = None,
    query: options.Query = "",
    where: options.Where = None,
    sort: options.Sort = "",
    limit: options.Limit = 50,
    content: Annotated[bool, typer.Option("--content", help="With --json: the content too.")] = False,
    reasons: Annotated[bool, typer.Option("--reasons", help="Say what keeps quality from being 10.")] = False,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List records; by collection and id unless sorted otherwise."""
    found: list[Any] = []
    total, page = 0, ""
    with connect.server(ctx) as client:
        path = f"{connect.place(client, workspace)}/records"
        while len(found) < limit:
            answer = client.get(
                path,
                collection=collection,
                state=state,
                query=query,
                where=where,
                sort=sort,
                content=content or None,
                reasons=reasons or None,
                total=None if page else True,
                page_size=min(limit - len(found), 1000),
                page=page,
            )
            found += answer["records"]
            total, page = total or answer["total"] or 0, answer["next_page"]
            if not page:
                break
    if as_json:
        output.json({"records": found, "total": total})
        return
    columns, rows = (
        ["id", "collection", "state", "title"],
        [[r["id"], r["collection"], _state(r), r["title"]] for r in found],
    )
    if any(r["quality"] is not None for r in found):
        columns.append("quality")
        rows = [[*row, quality(r)] for row, r in zip(rows, found, strict=True)]
    output.table(columns, rows, "There is no such record.")
    if total > len(found):
        output.note(f"{len(found)} of {total} shown; --limit {total} shows all")


def records_show(
    ctx: typer.Context,
    record: RecordId,
    collection: options.InCollection = "",
    merge: Annotated[bool, typer.Option("--merge", help="Explain its last merge with Git, field by field.")] = False,
    revision: Annotated[int, typer.Option(metavar="N", min=0, help="With --merge: the merge that made it.")] = 0,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Show one record."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        if merge:
            found = client.get(f"{place}/record-merges/{segment(record)}", collection=collection, revision=revision)
            output.json(found) if as_json else merge_view.show(record, found)
            return
        found = client.get(_path(place, record), collection=collection)
    if as_json:
        output.json(found)
        return
    output.fields(
        {
            "id": found["id"],
            "collection": found["collection"],
            "file": found["path"] or "(none yet)",
            "state": _state(found),
            "revision": found["revision"],
            "changed": f"{output.when(found['updated_at'])} by {found['updated_by']}",
            **({"quality": quality(found)} if found["quality"] is not None else {}),
            **({"review": review(found["review"])} if found["review"] else {}),
        },
    )
    output.line(output.content(found["content"]))


def records_add(
    ctx: typer.Context,
    sets: Sets = None,
    file: File = None,
    record: Annotated[str, typer.Option("--id", help="Id; the field id when left out.")] = "",
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Add a record from --file, --set, or both. The file comes with the next create-pr."""
    content: Any = _parsed(file) if file else {}
    for text in sets or ():
        edit = field_edit(text, content)
        content = set_at(content, edit["pointer"], edit["value"])
    if not content:
        raise InvalidInputError("a record needs fields", remedy="give --set field=value or --file FILE")
    with connect.server(ctx) as client:
        body = {"content": content, "collection": collection, "id": record}
        made = client.post(f"{connect.place(client, workspace)}/records", body)
    _changed(made, "added", as_json=as_json)


def records_edit(
    ctx: typer.Context,
    record: RecordId,
    sets: Sets = None,
    unsets: Annotated[list[str] | None, typer.Option("--unset", metavar="FIELD", help="Remove a field.")] = None,
    file: File = None,
    allow_new: Annotated[bool, typer.Option("--allow-new", help="Permit fields that are not known yet.")] = False,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Change a record: fields by --set, all of it by --file, or in $EDITOR."""
    if file and (sets or unsets):
        raise InvalidInputError("--file replaces the whole record", remedy="give either --file or --set")
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        path = _path(place, record)
        found = client.get(path, collection=collection)
        revision, collection = found["revision"], found["collection"]
        if file:
            file_path = f"{place}/record-files/{segment(record)}"
            now = client.put_file(file_path, _read(file), collection=collection, expected_revision=revision)
        elif sets or unsets:
            now = _edit_fields(client, path, found, sets or [], unsets or [], allow_new=allow_new)
        else:
            content = edited(found["content"], record)
            if content is None:
                output.note("nothing was changed")
                return
            body = {"content": content, "expected_revision": revision, "collection": collection}
            now = client.patch(path, body)
    _changed(now, "changed", as_json=as_json)


def records_restore(
    ctx: typer.Context,
    record: RecordId,
    to: Annotated[str, typer.Option("--to", metavar="COMMIT", help="Commit, branch or tag; see `files history`.")] = "",
    revision: Annotated[int, typer.Option("--revision", metavar="N", min=0, help="See `records history`.")] = 0,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Put a record back to an earlier revision, or to what its file held at a commit.

    It is an edit: it goes with the next create-pr. A deleted record comes back.
    """
    if bool(to) == bool(revision):
        raise InvalidInputError("a record is put back to one version", remedy="give --revision N or --to COMMIT")
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        body = {"commit": to, "revision": revision, "collection": collection}
        if to:
            found = client.get(_path(place, record), collection=collection)
            body |= {"collection": found["collection"], "expected_revision": found["revision"]}
        now = client.post(f"{place}/record-restorations/{segment(record)}", body)
    _changed(now, "restored", as_json=as_json)


def records_delete(
    ctx: typer.Context,
    record: RecordId,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Delete a record; its file goes with the next create-pr."""
    with connect.server(ctx) as client:
        client.delete(_path(connect.place(client, workspace), record), collection=collection)
    if as_json:
        output.json({"id": record, "deleted": True})
    else:
        output.line(f"{record} deleted")


def records_validate(
    ctx: typer.Context,
    records: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    collection: options.InCollection = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Say what schemas and rules find wrong; exit code 1 when a record breaks its schema."""
    with connect.server(ctx) as client:
        body = {"collection": collection, "records": list(records or ())}
        found = client.post(f"{connect.place(client, workspace)}/validations", body)
    if as_json:
        output.json(found)
    else:
        for finding in found["findings"]:
            kind = "error" if finding["error"] else "advice"
            output.line(f"{finding['record']} {finding['pointer'] or '/'}: {kind}: {finding['message']}")
        output.line(f"{found['passed']} of {output.count(found['checked'], 'record')} without a finding")
        if found["scores"]:
            output.line(_scored(found["scores"]))
    if any(finding["error"] for finding in found["findings"]):
        raise typer.Exit(1)


def records_history(
    ctx: typer.Context,
    record: RecordId,
    collection: options.InCollection = "",
    limit: options.Limit = 50,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List the versions of a record, newest first: who, when, why, and each field before and after."""
    with connect.server(ctx) as client:
        path = f"{connect.place(client, workspace)}/record-revisions/{segment(record)}"
        found = client.get(path, collection=collection, page_size=min(limit, 1000))["revisions"]
    if as_json:
        output.json({"revisions": found})
        return
    rows = [(r["revision"], output.when(r["time"]), r["reason"], r["author"], _changes(r["changes"])) for r in found]
    output.table(("revision", "when", "why", "who", "fields"), rows, "It has no history.")


def _changes(changes: Any) -> str:
    """Give what a version did in a line: the first of its fields, long values cut."""
    shown = []
    for change in changes[:SHOWN_CHANGES]:
        before = f"{_cut(change['before'])} → " if change["was_there"] else ""
        after = _cut(change["after"]) if change["is_there"] else "(removed)"
        shown.append(f"{change['field']}: {before}{after}")
    more = len(changes) - SHOWN_CHANGES
    return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def _cut(value: Any) -> str:
    text = output.dumps_shown(value)
    return text if len(text) <= SHOWN_VALUE else f"{text[: SHOWN_VALUE - 1]}…"


def _edit_fields(
    client: Client,
    path: str,
    found: Any,
    sets: list[str],
    unsets: list[str],
    *,
    allow_new: bool,
) -> Any:
    edits = [field_edit(text, found["content"]) for text in sets]
    removed = [field_edit(f"{name}=", found["content"])["pointer"] for name in unsets]
    edits += [{"pointer": pointer, "remove": True} for pointer in removed]
    body = {
        "edits": edits,
        "expected_revision": found["revision"],
        "known_fields_only": not allow_new,
        "collection": found["collection"],
    }
    return client.patch(path, body)


def _changed(record: Any, what: str, *, as_json: bool) -> None:
    if as_json:
        output.json(record)
    else:
        file = f", file {record['path']}" if what == "added" else ""
        output.line(f"{record['id']} {what}: revision {record['revision']}, {_state(record)}{file}")


def _state(record: Any) -> str:
    notes = (("deleted", "deleted"), ("file_quarantined", "file in quarantine"))
    reviewed = [record["review"]["state"]] if record["review"] else []
    return ", ".join([record["state"], *reviewed, *(text for key, text in notes if record[key])])


def quality(record: Any) -> str:
    """Give a record's score with what keeps it from being 10, where that was asked for."""
    if record["quality"] is None:
        return ""
    reasons = "; ".join(finding["message"] for finding in record["findings"])
    return f"{record['quality']:.1f} of 10" + (f": {reasons}" if reasons else "")


def review(found: Any) -> str:
    """Give how the review of a record stands, in words."""
    who = f" by {found['by']}" if found["by"] else ""
    until = f" until {output.when(found['until'])}" if found["until"] else ""
    given = f", {output.when(found['time'])}" if found["time"] else ""
    reason = f": {found['reason']}" if found["reason"] else ""
    return f"{found['state']}{who}{until}{given}{reason}"


def _scored(scores: Any) -> str:
    worst = min(scores, key=lambda score: score["quality"])
    mean = sum(score["quality"] for score in scores) / len(scores)
    return f"quality {mean:.1f} of 10 on average, lowest {worst['quality']:.1f} ({worst['record']})"


def _path(place: str, record: str) -> str:
    return f"{place}/records/{segment(record)}"


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _parsed(file: Path) -> Any:
    if str(file) == "-":
        return _parsed_stdin(_read(file))
    form = format_of(str(file).encode())
    if form is None:
        raise InvalidInputError(f"{file} has no known format", remedy="let its name end in .json, .yaml, .toml or .md")
    return form.parse(_read(file))


def _parsed_stdin(data: bytes) -> Any:
    """Read a record that has no file name: Markdown where it begins with front matter, else JSON, else YAML."""
    if data.startswith((b"---", b"+++")):
        return FORMATS["markdown"].parse(data)
    try:
        return FORMATS["json"].parse(data)
    except ParseError:
        return FORMATS["yaml"].parse(data)
