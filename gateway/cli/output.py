"""What commands print: JSON for programs, tables and sentences for people, progress on a terminal."""

import datetime as dt
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.cli.client import Event
from services.core.values import Value, dumps

SHORT_COMMIT = 12


def json(payload: Any) -> None:
    """Print a value as one line of JSON, every digit kept."""
    sys.stdout.write(dumps(payload).decode() + "\n")


def line(text: str) -> None:
    """Print one line; nothing in it is markup."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Say something beside the result, on standard error."""
    sys.stderr.write(text + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows under headings; ``empty`` where there are none. Tabs between cells when piped."""
    found = [[("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not found:
        line(empty)
    elif not sys.stdout.isatty():
        for row in found:
            line("\t".join(_one_line(cell) for cell in row))
    else:
        shown = Table(box=None, header_style="bold", pad_edge=False)
        for column in columns:
            shown.add_column(column, overflow="fold")
        for row in found:
            shown.add_row(*(escape(cell) for cell in row))
        Console().print(shown)


def fields(values: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        shown = value if isinstance(value, str) else dumps_shown(value)
        line(f"{name.replace('_', ' '):<{width}}  {shown}")


def dumps_shown(value: Any) -> str:
    """Give a value as JSON for people."""
    return dumps(value).decode()


def content(value: Value) -> str:
    """Give a record's content as JSON, one field a line."""
    if not isinstance(value, dict):
        return dumps(value).decode()
    rows = [f"  {dumps(key).decode()}: {dumps(item).decode()}" for key, item in value.items()]
    return "{\n" + ",\n".join(rows) + "\n}" if rows else "{}"


def when(seconds: Any) -> str:
    """Give a time for people; "never" for none."""
    if not seconds:
        return "never"
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short(commit: str) -> str:
    """Give the beginning of a commit's name."""
    return commit[:SHORT_COMMIT] or "-"


def count(number: int, noun: str) -> str:
    """Give "1 record" or "2 records"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def follow(events: Iterator[Event], result: str) -> Any:
    """Wait for the last event named ``result`` and give it; show progress on a terminal."""
    last: Any = None
    with _progress() as show:
        for event in events:
            if event.name == "progress":
                show(event.data)
            elif event.name == result:
                last = event.data
    return last


@contextmanager
def _progress() -> Iterator[Any]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def show(progress: Mapping[str, Any]) -> None:
        phase = str(progress["phase"])
        if phase not in tasks:
            tasks[phase] = bars.add_task(escape(phase), total=None)
        bars.update(tasks[phase], completed=progress["done"], total=progress["total"] or None)

    with bars:
        yield show


def _one_line(cell: str) -> str:
    return " ".join(cell.split())
