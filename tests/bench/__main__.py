"""Measure, print a table, write build/bench.json. ``--short`` for CI: fewer rounds of the same cases.

``--only PREFIX`` measures some: import-sqlite, import-postgresql, and the names in ``git_cases``.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import git_cases
from tests.bench.cases import Case, report
from tests.bench.importing import full_import, make_repository
from tests.postgres import running_server

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
        cases = [*_imports(folder, rounds, arguments.only), *git_cases.run(folder, rounds, arguments.only)]
    report(cases, BUILD)


def _imports(folder: Path, rounds: int, prefix: str) -> Iterator[Case]:
    names = [name for name in ("SQLite", "PostgreSQL") if f"import-{name.lower()}".startswith(prefix)]
    if not names:
        return
    count = 10_000
    with _databases() as databases:
        remote = make_repository(folder / "remote.git", count)
        for name in names:
            if name in databases:
                yield full_import(folder, name, databases[name], remote, count, rounds, goal=2.5)


if __name__ == "__main__":
    main()
