"""Shows what a merge made of a record, field by field."""

from typing import Any

from gateway.cli import output
from gateway.cli.conflict_commands import made_by

_WORDS = {
    "ours": "only the database changed it",
    "theirs": "only Git changed it",
    "alike": "both did the same",
    "combined": "holds what both did",
    "conflict": "in conflict",
}


def show(record: str, merge: Any) -> None:
    """Print a merge."""
    output.fields(
        {
            "record": record,
            "merged": f"{output.when(merge['time'])}, commit {output.short(merge['commit'])}",
            "revision": merge["revision"],
            "file": _file(merge),
        },
    )
    for field in merge["fields"]:
        output.line(f"{field['field'] or '(whole record)'}: {_WORDS[field['verdict']]}")
        output.line(f"  base    {_value(field, 'base')}")
        output.line(f"  ours    {_value(field, 'ours')}{made_by(field['ours_change'])}")
        output.line(f"  theirs  {_value(field, 'theirs')}{made_by(field['theirs_change'])}")
        output.line(f"  result  {_value(field, 'result')}")


def _file(merge: Any) -> str:
    if not merge["path"]:
        return f"{merge['old_path']}, gone in Git"
    moved = merge["old_path"] and merge["old_path"] != merge["path"]
    return f"{merge['old_path']} → {merge['path']}" if moved else str(merge["path"])


def _value(field: Any, side: str) -> str:
    return output.dumps_shown(field[side]) if field[f"has_{side}"] else "(absent)"
