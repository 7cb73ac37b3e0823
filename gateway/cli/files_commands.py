"""files show, history, blame, diff, tags, restore."""

import base64
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import connect, options, output
from services.core.errors import InvalidInputError

PathArgument = Annotated[str, typer.Argument(metavar="[PATH]", help="Path from the repository's root.")]
Record = Annotated[str, typer.Option("--record", "-r", metavar="ID", help="The file of a record, instead of a path.")]
At = Annotated[
    str,
    typer.Option("--at", metavar="COMMIT", help="Commit, branch or tag; the target branch as last pulled if left out."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    files = typer.Typer(help="Files as they are and were in Git.", no_args_is_help=True)
    files.command("show")(files_show)
    files.command("history")(files_history)
    files.command("blame")(files_blame)
    files.command("diff")(files_diff)
    files.command("tags")(files_tags)
    files.command("restore")(files_restore)
    app.add_typer(files, name="files")


def files_show(
    ctx: typer.Context,
    path: PathArgument = "",
    record: Record = "",
    collection: options.InCollection = "",
    at: At = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Print a file as it was at a commit."""
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        found = client.get(f"{place}/files/content", path=path, record=record, collection=collection, commit=at)
    if as_json:
        output.json(found)
        return
    binary = found["encoding"] == "base64"
    sys.stdout.flush()
    sys.stdout.buffer.write(base64.b64decode(found["content"]) if binary else found["content"].encode())


def files_history(
    ctx: typer.Context,
    path: PathArgument = "",
    record: Record = "",
    collection: options.InCollection = "",
    at: At = "",
    limit: options.Limit = 50,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List the commits that changed a file, newest first, through its renames."""
    found: list[Any] = []
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        query = {"path": path, "record": record, "collection": collection, "commit": at}
        for version in client.pages(f"{place}/files/history", "versions", **query, page_size=min(limit, 1000)):
            found.append(version)
            if len(found) == limit:
                break
    if as_json:
        output.json({"versions": found})
        return
    rows = [
        (output.short(v["commit"]), output.when(v["time"]), v["author"], _what(v), v["message"].partition("\n")[0])
        for v in found
    ]
    output.table(("commit", "time", "author", "change", "message"), rows, "No commit has changed it.")


def files_blame(
    ctx: typer.Context,
    path: PathArgument = "",
    record: Record = "",
    collection: options.InCollection = "",
    at: At = "",
    lines: Annotated[str, typer.Option("--lines", metavar="FIRST,LAST", help="Only these lines.")] = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Say who last changed each line of a file, through its renames."""
    first, last = _range(lines)
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        query = {"path": path, "record": record, "collection": collection, "commit": at}
        found = client.get(f"{place}/files/blame", **query, first=first or None, last=last or None)
    if as_json:
        output.json(found)
        return
    for hunk in found["hunks"]:
        origin = f"{output.short(hunk['commit'])} {output.when(hunk['time'])[:10]} {hunk['author'][:20]:<20}"
        for number, text in enumerate(hunk["lines"], start=hunk["first_line"]):
            output.line(f"{origin} {number:>5}  {text}")


def files_diff(
    ctx: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Files and folders.")] = None,
    old: Annotated[str, typer.Option("--from", metavar="COMMIT", help="Older commit, branch or tag.")] = "",
    new: Annotated[str, typer.Option("--to", metavar="COMMIT", help="Newer one; the target branch if left out.")] = "",
    file: Annotated[
        Path | None,
        typer.Option("--with", metavar="FILE", help="Compare PATH at --from with this file; - reads stdin."),
    ] = None,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Compare two commits, or a file at a commit with one that is here, line by line."""
    if file and (new or len(paths or ()) != 1):
        raise InvalidInputError("--with compares one path with one file", remedy="give one PATH, and no --to")
    if not file and not old:
        raise InvalidInputError("it is not said what to compare", remedy="give --from COMMIT, or --with FILE")
    with connect.server(ctx) as client:
        place = f"{connect.place(client, workspace)}/files/diff"
        if file:
            found = client.post(place, {"path": (paths or [""])[0], "content": _text(file), "commit": old})
        else:
            found = client.get(place, old=old, new=new, path=list(paths or ()))
    if as_json:
        output.json(found)
        return
    sys.stdout.write(found["patch"])
    if found["truncated"]:
        output.note("the diff is longer; name paths to see the rest")


def files_tags(
    ctx: typer.Context,
    limit: options.Limit = 50,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """List the tags of the remote, as they are now."""
    found: list[Any] = []
    with connect.server(ctx) as client:
        place = connect.place(client, workspace)
        for tag in client.pages(f"{place}/tags", "tags", annotations=True, page_size=min(limit, 1000)):
            found.append(tag)
            if len(found) == limit:
                break
    if as_json:
        output.json({"tags": found})
        return
    rows = [
        (t["name"], output.short(t["commit"]), output.when(t["time"]) if t["time"] else "", t["tagger"], _first(t))
        for t in found
    ]
    output.table(("tag", "commit", "time", "tagger", "message"), rows, "There are no tags.")


def files_restore(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", help="File or folder.")],
    to: Annotated[str, typer.Option("--to", metavar="COMMIT", help="Commit, branch or tag to take it from.")],
    branch: Annotated[str, typer.Option("--branch", help="Where to commit; a new branch if left out.")] = "",
    message: Annotated[str, typer.Option("--message", "-m", help="Message of the commit.")] = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Commit a file or folder as it was at an earlier commit, on a branch. For records see `records restore`."""
    with connect.server(ctx) as client:
        body = {"path": path, "commit": to, "branch": branch, "message": message}
        done = client.post(f"{connect.place(client, workspace)}/files/restorations", body)
    if as_json:
        output.json(done)
    elif done["pushed"]:
        output.line(f"{path} restored in commit {output.short(done['commit'])} on branch {done['branch']}")
    else:
        output.line(f"{path} is as it was already")


def _what(version: Any) -> str:
    return f"renamed from {version['old_path']}" if version["old_path"] else str(version["change"])


def _first(tag: Any) -> str:
    return str(tag["message"]).partition("\n")[0]


def _range(lines: str) -> tuple[int, int]:
    if not lines:
        return 0, 0
    first, _, last = lines.partition(",")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise InvalidInputError(f"--lines '{lines}' is no FIRST,LAST", remedy="write it like 10,20")
    return int(first), int(last or first)


def _text(file: Path) -> str:
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{file} is no UTF-8 text", remedy="compare text files") from None
