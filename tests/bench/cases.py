"""What a measurement is, and how it is written down."""

import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Case:
    """One measurement: ``ratio`` is ``value`` over ``floor``, ``goal`` the largest ratio that is good."""

    case: str
    value: float
    floor: float
    ratio: float
    goal: float
    unit: str = "s"


def compare(case: str, value: float, floor: float, goal: float, unit: str = "s") -> Case:
    """Give a case from two measurements of one run."""
    return Case(case, round(value, 4), round(floor, 4), round(value / floor, 3), goal, unit)


def median_seconds(work: Callable[[], Any], rounds: int) -> float:
    """Give the median duration of some rounds of work."""
    durations = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def report(cases: Iterable[Case], path: Path) -> None:
    """Print a table and write the cases as JSON."""
    found = list(cases)
    table = Table("case", "value", "floor", "ratio", "goal", "")
    for case in found:
        verdict = "[green]good[/]" if case.ratio <= case.goal else "[red]over[/]"
        sides = (f"{case.value:.3f} {case.unit}", f"{case.floor:.3f} {case.unit}")
        row = (*sides, f"{case.ratio:.3g}", f"{case.goal:.3g}")
        table.add_row(case.case, *row, verdict)
    Console(width=120).print(table)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(case) for case in found], indent=2) + "\n", encoding="utf-8")
