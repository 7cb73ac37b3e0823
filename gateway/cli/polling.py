"""How a workspace's remote is looked at, in words."""

from typing import Any

from gateway.cli import output


def described(found: Any) -> str:
    """Give one line: how often, when last and next, and what went wrong."""
    every = found["every_seconds"]
    if every is None and not found["error"]:
        return "begins when Lockstep runs (`lockstep up`)"
    parts = ["off" if every == 0 else "on" if every is None else f"every {every} s"]
    if found["last_poll"]:
        parts.append(f"last {output.when(found['last_poll'])}")
    if found["next_poll"]:
        parts.append(f"next {output.when(found['next_poll'])}")
    if found["needs_person"]:
        parts.append(f"waits for you: {found['error']}")
    elif found["error"]:
        times = f"failed {output.count(found['failures'], 'time')}" if found["failures"] else "failed"
        parts.append(f"{times}: {found['error']}")
    return ", ".join(parts)
