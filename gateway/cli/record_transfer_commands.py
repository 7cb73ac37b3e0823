"""records export and records import."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

import typer

from gateway.cli import connect, options, output
from services.core.errors import InvalidInputError

INVALID: Final = 2
SHOWN: Final = 20
_CHUNK: Final = 512 * 1024


def register(records: typer.Typer) -> None:
    """Add the commands to those of records."""
    records.command("export")(records_export)
    records.command("import")(records_import)


def records_export(
    ctx: typer.Context,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output when left out.")] = None,
    kind: Annotated[Literal["jsonl", "csv"], typer.Option("--format", help="JSON lines or CSV.")] = "jsonl",
    columns: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Fields, and @id @state @updated_at and so on of the record.")
    ] = "",
    collection: options.InCollection = "",
    state: options.State = None,
    query: options.Query = "",
    where: options.Where = None,
    sort: options.Sort = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Write the records that filters let through as JSON lines or CSV, as they are at one moment.

    `records import` takes the JSON lines. In CSV a text that begins like a formula gets an apostrophe before it.
    """
    if as_json and to is None:
        raise InvalidInputError("--json would get among the records", remedy="give --output FILE too")
    filters = {"collection": collection, "state": state, "query": query, "where": where, "sort": sort}
    with connect.server(ctx) as client, _target(to) as file:
        path = f"{connect.place(client, workspace)}/record-export"
        size = 0
        for part in client.download(path, format=kind, columns=columns, **filters):
            file.write(part)
            size += len(part)
    if as_json:
        output.json({"file": str(to), "bytes": size})
    elif to:
        output.line(f"{to} written")


def records_import(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines, as `records export` writes; - reads stdin.")
    ],
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done.")] = False,
    revision: Annotated[
        int, typer.Option(min=0, help="Of the database, as an earlier plan named it: refused when it moved.")
    ] = 0,
    collection: Annotated[str, typer.Option("--collection", "-c", help="Collection of lines that name none.")] = "",
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Add and change records by the lines of a file, all of them or none; planned first.

    They are edits like any other and go with the next create-pr. Exit code 2 when a line cannot be a record.
    """
    with connect.server(ctx) as client, _source(file) as data:
        path = f"{connect.place(client, workspace)}/record-loads"
        found = client.upload(path, _chunks(data), collection=collection, plan=True)
        if not plan and not found["invalid"]:
            about = {"collection": collection, "revision": revision or found["revision"]}
            found = client.upload(path, _chunks(data), **about)
    if as_json:
        output.json(found)
    else:
        _show(found)
    if found["invalid"]:
        raise typer.Exit(INVALID)


def _show(found: Any) -> None:
    changing = [line for line in found["lines"] if line["action"] != "invalid"]
    for line in changing[:SHOWN] if not found["applied"] else ():
        output.line(f"line {line['line']}: {line['action']} {line['record']} ({', '.join(line['changed'])})")
    if len(changing) > SHOWN and not found["applied"]:
        output.line(f"and {found['created'] + found['updated'] - SHOWN} more")
    for line in found["lines"]:
        if line["action"] == "invalid":
            output.note(f"line {line['line']}: {line['message']}")
    counts = f"{found['created']} created, {found['updated']} updated, {found['unchanged']} unchanged"
    if found["applied"]:
        output.line(counts)
    elif found["invalid"]:
        output.note(f"{found['invalid']} lines cannot be records; nothing was changed ({counts} otherwise)")
    else:
        output.line(f"plan for revision {found['revision']} of the database: {counts}")


@contextmanager
def _source(file: Path) -> Iterator[IO[bytes]]:
    """Give a file that can be read twice."""
    if str(file) != "-":
        with file.open("rb") as data:
            yield data
        return
    with tempfile.SpooledTemporaryFile() as data:
        shutil.copyfileobj(sys.stdin.buffer, data)
        yield data


def _chunks(data: IO[bytes]) -> Iterator[bytes]:
    data.seek(0)
    while chunk := data.read(_CHUNK):
        yield chunk


@contextmanager
def _target(to: Path | None) -> Iterator[IO[bytes]]:
    """Give where to write. A file gets its name when it is whole."""
    if to is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with tempfile.NamedTemporaryFile(dir=to.absolute().parent, prefix=f".{to.name}.", delete=False) as file:
        part = Path(file.name)
        try:
            yield file
            file.close()
            part.chmod(0o644)
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)
