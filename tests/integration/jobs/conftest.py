"""A job queue on a table of its own, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.runtime.database import Database, sqlite_url
from services.runtime.jobs import JobQueue
from services.runtime.jobs_table import jobs_table

TENANT = "t1"


class Clock:
    """A time that only tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Makes queues on one database, as several processes would."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.metadata = sa.MetaData()
        self.table = jobs_table(self.metadata)
        self.url = url
        self.databases: list[Database] = []
        self.database = self._open()
        if self.database.dialect == "postgresql":
            with self.database.begin("") as tx:
                tx.execute(sa.text("CREATE SCHEMA jobs"))
        with self.database.begin("") as tx:
            self.metadata.create_all(tx)
        self.queue = JobQueue(self.database, self.table, self.clock, lease_seconds=60.0)

    def another(self, clock: Callable[[], float] | None = None, lease_seconds: float = 60.0) -> JobQueue:
        """Give a queue with connections of its own."""
        return JobQueue(self._open(), self.table, clock or self.clock, lease_seconds)

    def put(self, key: str, workspace: str = "w1", *, delay: float = 0.0, every: int = 0) -> bool:
        """Add a job of kind "k"."""
        with self.database.begin(TENANT) as tx:
            return self.queue.put(
                tx, tenant_id=TENANT, key=key, workspace=workspace, kind="k", delay=delay, every_seconds=every
            )

    def rows(self) -> int:
        """Count the jobs."""
        with self.database.read(TENANT) as tx:
            return int(tx.execute(sa.select(sa.func.count()).select_from(self.table)).scalar_one())

    def _open(self) -> Database:
        self.databases.append(Database.open(self.url, "jobs", self.metadata))
        return self.databases[-1]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Give a bench on either database."""
    if request.param == "sqlite":
        made = Bench(sqlite_url(tmp_path / "jobs.db"))
    else:
        made = Bench(request.getfixturevalue("postgres_url"))
    yield made
    for database in made.databases:
        database.close()
