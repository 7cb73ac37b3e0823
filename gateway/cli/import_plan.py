"""Plans of imports: asked for, and shown to people and to programs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.cli import output
from gateway.cli.client import Client, Event

SHOWN: Final = 50
_VALUE: Final = 40
_FIELDS: Final = 4


@dataclass
class Plan:
    """What an import would do: the run, and its changes record by record, all of them or the first ones."""

    run: Any
    changes: list[Any] = field(default_factory=list)
    # Changes that leave nothing as it was, whether they are among those above or not.
    count: int = 0


def ask(client: Client, place: str, *, everything: bool) -> Plan:
    """Plan an import; keep all changes, or as many as people are shown."""
    found = Plan(None)

    def kept(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            for change in event.data if event.name == "changes" else ():
                found.count += change["kind"] != "unchanged"
                if everything or (change["kind"] != "unchanged" and len(found.changes) < SHOWN):
                    found.changes.append(change)
            yield event

    body = {"plan": True, "with_changes": True}
    found.run = output.follow(kept(client.events("POST", f"{place}/imports", body)), "run")
    return found


def show(plan: Plan) -> None:
    """Print what would happen, and the name to apply it by."""
    rows = [(change["kind"], _name(change), _what(change)) for change in plan.changes]
    output.table(("would", "record", "what"), rows, "Nothing would change.")
    if plan.count > len(rows):
        output.line(f"… and {output.count(plan.count - len(rows), 'change')} more; --json has them all")
    output.line(f"Apply exactly this: lockstep git-pull --apply {plan.run['plan']}")


def _name(change: Any) -> str:
    return str(change["record"] or change["path"])


def _what(change: Any) -> str:
    """Say in one line what happens to a record."""
    if change["message"]:
        return f"{change['path']}: {change['message']}"
    parts = [f"{change['old_path']} -> {change['path']}"] if change["kind"] == "rename" else []
    fields = change["fields"]
    parts += [_field(one) for one in fields[:_FIELDS]]
    hidden = len(fields) - _FIELDS + change["fields_left_out"] if len(fields) > _FIELDS else change["fields_left_out"]
    if hidden:
        parts.append(f"{output.count(hidden, 'field')} more")
    return "; ".join(parts) or str(change["title"] or change["path"])


def _field(one: Any) -> str:
    name = one["field"] or "the whole record"
    if one["conflict"]:
        return f"{name}: here {_value(one, 'before')}, in Git {_value(one, 'theirs')}"
    return f"{name}: {_value(one, 'before')} -> {_value(one, 'after')}"


def _value(one: Any, side: str) -> str:
    if side in one["absent"]:
        return "(none)"
    text = output.dumps_shown(one[side])
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"
