"""What a plan of a publication was looked at for: each check passes, or says what was found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.core.publication.content import PublishedRecord

# Why a pending record stays pending, by the name of the check that finds it.
_LEFT: Final = {
    "conflicts": ("conflict", "are in conflict"),
    "files": ("quarantine", "have a file in Git that cannot be read"),
    "schema": ("schema", "break the schema of their collection"),
    "places": ("no-place", "have no place in their collection"),
    "contents": ("invalid", "cannot be written"),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what was found, in a sentence."""

    name: str
    passed: bool
    message: str


def checks_of(
    records: Sequence[PublishedRecord],
    left_out: Mapping[str, int],
    *,
    base: str,
    target: str,
) -> list[Check]:
    """Give the checks of a plan. ``left_out`` counts records by why they stay pending; commits are in hex."""
    found = [_target(base, target), _review(records, left_out.get("review", 0)), _quality(records)]
    for name, (why, what) in _LEFT.items():
        count = left_out.get(why, 0)
        found.append(Check(name, not count, f"{count} left out: they {what}" if count else "none left out"))
    return found


def _target(base: str, target: str) -> Check:
    if base == target:
        return Check("target", passed=True, message="the target branch is what was imported last")
    return Check(
        "target",
        passed=False,
        message=f"the target branch is at {target[:12]}, and {base[:12]} was imported: run `lockstep git-pull` first",
    )


def _review(records: Sequence[PublishedRecord], waiting: int) -> Check:
    states = Counter(record.review for record in records if record.review)
    others = states.total() - states["validated"]
    if not states and not waiting:
        return Check("review", passed=True, message="no collection asks for it")
    parts = [f"{states['validated']} validated"]
    parts += [f"{others} published without validation"] if others else []
    parts += [f"{waiting} left out: they are not validated"] if waiting else []
    return Check("review", passed=not (others or waiting), message=", ".join(parts))


def _quality(records: Sequence[PublishedRecord]) -> Check:
    remarks = sum(len(record.remarks) for record in records)
    return Check("quality", passed=not remarks, message=f"{remarks} remarks" if remarks else "no remarks")
