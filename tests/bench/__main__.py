"""Measure, print a table, write build/bench.json. ``--short`` for CI: fewer rounds of the same cases.

``--only PREFIX`` measures some: the names below, and those in ``git_cases``.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import git_cases, listing
from tests.bench.cases import Case, report
from tests.bench.gateway_cases import served, small_change
from tests.bench.importing import against_naive, full_import, make_repository, memory
from tests.postgres import running_server

THOUSAND, FEW, MANY = 1_000, 10_000, 100_000
BUILD = Path(__file__).parents[2] / "build" / "bench.json"


@contextlib.contextmanager
def _databases() -> Iterator[dict[str, str]]:
    """Give the databases to measure on; an empty address stands for a SQLite file in each case's folder."""
    with running_server() as server:
        yield {"SQLite": ""} | ({"PostgreSQL": server.create()} if server else {})


def main() -> None:
    """Run the cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default="", metavar="PREFIX", help="only cases like import-sqlite, git-changed")
    arguments = parser.parse_args()
    rounds = 2 if arguments.short else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [
            *_imports(folder, rounds, arguments.only),
            *_listings(folder, rounds, arguments.only),
            *git_cases.run(folder, rounds, arguments.only),
        ]
    report(cases, BUILD)


def _imports(folder: Path, rounds: int, prefix: str) -> Iterator[Case]:
    names = ["import-sqlite", "import-postgresql", "import-naive", "import-memory", "import-small"]
    wanted = [name for name in names if name.startswith(prefix)]
    if not wanted:
        return
    with _databases() as databases:
        few, many = (make_repository(folder / f"{count}.git", count) for count in (FEW, MANY))
        for name, url in databases.items():
            if f"import-{name.lower()}" in wanted:
                yield full_import(folder, name, url, few, FEW, rounds, goal=2.5)
                yield full_import(folder, name, url, many, MANY, max(1, rounds // 2), goal=2.0)
        if "import-naive" in wanted:
            yield against_naive(folder / "naive", make_repository(folder / "thousand.git", THOUSAND), THOUSAND)
        if "import-memory" in wanted:
            yield memory(folder, few, many)
        if "import-small" in wanted:
            with served(folder, many) as api:
                yield small_change(folder, many, api, 4 * rounds)


def _listings(folder: Path, rounds: int, prefix: str) -> Iterator[Case]:
    names = [name for name in ("SQLite", "PostgreSQL") if f"listing-{name.lower()}".startswith(prefix)]
    if not names:
        return
    with _databases() as databases:
        for name in names:
            if name in databases:
                yield from listing.cases(folder, name, databases[name], rounds)


if __name__ == "__main__":
    main()
