"""Measure, print a table, write build/bench.json. ``--short`` for CI: fewer rounds of the same cases."""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.cases import report
from tests.bench.importing import full_import, make_repository
from tests.postgres import running_server

BUILD = Path(__file__).parents[2] / "build" / "bench.json"


@contextlib.contextmanager
def _databases() -> Iterator[dict[str, str]]:
    """Give the databases to measure on; an empty address stands for a SQLite file in each case's folder."""
    with running_server() as server:
        yield {"SQLite": ""} | ({"PostgreSQL": server.create()} if server else {})


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="fewer rounds")
    rounds = 2 if parser.parse_args().short else 5
    cases = []
    with tempfile.TemporaryDirectory() as name, _databases() as databases:
        folder = Path(name)
        count = 10_000
        remote = make_repository(folder / "remote.git", count)
        for database, url in databases.items():
            cases.append(full_import(folder, database, url, remote, count, rounds, goal=2.5))
    report(cases, BUILD)


if __name__ == "__main__":
    main()
