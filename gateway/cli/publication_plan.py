"""Shows what a publication would be."""

from typing import Any, Final

from gateway.cli import output

MOST_FILES: Final = 50
MOST_LEFT_OUT: Final = 20


def show(plan: Any, *, as_json: bool) -> None:
    """Print a plan: what is published, each file's diff, what is left out, the checks, and how to apply it."""
    if as_json:
        output.json(plan)
        return
    output.fields(
        {
            "title": plan["title"],
            "branch": plan["branch"],
            "target": f"{output.short(plan['target'])}, database at revision {plan['revision']}",
            "records": output.count(plan["records_count"], "record"),
        },
    )
    for check in plan["checks"]:
        output.line(f"{'ok  ' if check['passed'] else 'NOTE'} {check['name']}: {check['message']}")
    output.line("")
    output.line(plan["body"].rstrip())
    for file in plan["files"][:MOST_FILES]:
        output.line("")
        output.line(f"{file['action']} {file['path']}")
        output.line(file["diff"].rstrip("\n") or "(no line changes)")
        if file["diff_cut"]:
            output.line("… the rest is too long to show")
    _more(plan["records_count"] - min(len(plan["files"]), MOST_FILES), "file")
    if plan["left_out"]:
        output.line("")
        output.line("Left out:")
        for one in plan["left_out"][:MOST_LEFT_OUT]:
            output.line(f"  {one['record']} ({one['why']}): {one['message']}")
        _more(plan["left_out_count"] - min(len(plan["left_out"]), MOST_LEFT_OUT), "record")
    output.line("")
    output.line(f"Publish exactly this, with the same options: --apply {plan['plan']}")


def _more(count: int, noun: str) -> None:
    if count:
        output.line(f"… and {output.count(count, noun)} more; --json has them")
