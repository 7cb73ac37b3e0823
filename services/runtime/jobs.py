"""A durable queue of background work on one table: leases with fences, first in first out per workspace.

At most one job of a workspace is leased at any time. A lease that is not renewed ends, and another
worker, in this process or another replica, goes on; the fence keeps the first from recording anything
afterwards. Handlers have to be idempotent: a job may be begun more than once, and is finished once.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from services.core.errors import MovedError
from services.runtime.database import Database
from services.runtime.ids import new_id

LEASE_SECONDS: Final = 60.0
FREE: Final = 0.0


class LostLeaseError(MovedError):
    """The lease of a job has ended and somebody else may have it; nothing was recorded."""

    reason = "LOST_LEASE"


@dataclass(frozen=True)
class Job:
    """A leased job. ``attempts`` counts the leases since the last success, this one included."""

    tenant_id: str
    id: str
    key: str
    workspace: str
    kind: str
    payload: Mapping[str, Any]
    fence: int
    attempts: int
    every_seconds: int
    run_at: float = 0.0


@dataclass(frozen=True)
class Waiting:
    """How a job stands. ``attempts`` counts the failures in a row; ``run_at`` is in seconds since the epoch."""

    run_at: float
    attempts: int
    last_error: str
    payload: Mapping[str, Any]


class JobQueue:
    """The jobs of one service. Thread-safe; several processes may use one table."""

    def __init__(
        self,
        database: Database,
        table: sa.Table,
        clock: Callable[[], float],
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Take database, table (of ``jobs_table``), clock, and the life of a lease in seconds."""
        self._database = database
        self._table = table
        self._clock = clock
        self.lease_seconds = lease_seconds

    def put(
        self,
        tx: sa.Connection,
        *,
        tenant_id: str,
        key: str,
        workspace: str,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        delay: float = 0.0,
        every_seconds: int = 0,
    ) -> bool:
        """Add a job in the caller's transaction, due after ``delay`` seconds; False when its key is there."""
        jobs = self._table
        if tx.execute(self._of_key(sa.select(jobs.c.id), tenant_id, key)).first() is not None:
            return False
        tx.execute(
            sa.insert(jobs).values(
                tenant_id=tenant_id,
                id=new_id(),
                key=key,
                workspace=workspace,
                kind=kind,
                payload=dict(payload or {}),
                run_at=self._clock() + delay,
                lease_until=FREE,
                fence=0,
                attempts=0,
                last_error="",
                every_seconds=every_seconds,
            ),
        )
        return True

    def schedule(self, tx: sa.Connection, tenant_id: str, key: str, delay: float = 0.0) -> None:
        """Make a job due after ``delay`` seconds, unless it is leased: then its handler decides."""
        jobs, now = self._table, self._clock()
        statement = sa.update(jobs).where(jobs.c.lease_until <= now).values(run_at=now + delay)
        tx.execute(self._of_key(statement, tenant_id, key))

    def hasten(self, tx: sa.Connection, tenant_id: str, key: str, delay: float) -> None:
        """Make a job due in at most ``delay`` seconds; one that is leased then runs once more.

        Asked many times meanwhile it runs once.
        """
        jobs, soon = self._table, self._clock() + delay
        statement = sa.update(jobs).where(sa.or_(jobs.c.run_at > soon, jobs.c.lease_until > self._clock()))
        tx.execute(self._of_key(statement, tenant_id, key).values(run_at=soon))

    def waiting(self, tx: sa.Connection, tenant_id: str, key: str) -> Waiting | None:
        """Give how a job stands; None where there is none."""
        jobs = self._table
        query = sa.select(jobs.c.run_at, jobs.c.attempts, jobs.c.last_error, jobs.c.payload)
        row = tx.execute(self._of_key(query, tenant_id, key)).first()
        return Waiting(*row) if row is not None else None

    def remove(self, tx: sa.Connection, tenant_id: str, key: str) -> None:
        """Forget a job; a worker that holds it cannot record anything more."""
        tx.execute(self._of_key(sa.delete(self._table), tenant_id, key))

    def exists(self, tenant_id: str, key: str) -> bool:
        """Say whether there is such a job."""
        with self._database.read(tenant_id) as tx:
            return tx.execute(self._of_key(sa.select(self._table.c.id), tenant_id, key)).first() is not None

    def claim(self, kinds: Collection[str]) -> Job | None:
        """Lease the job that has been due longest in a workspace with none leased; None for none."""
        due = self._table.c.kind.in_(sorted(kinds)) & (self._table.c.run_at <= self._clock())
        return self._claim(due)

    def claim_key(self, tenant_id: str, key: str) -> Job | None:
        """Lease one job, due or not; None when it is gone or its workspace has one leased."""
        return self._claim((self._table.c.tenant_id == tenant_id) & (self._table.c.key == key))

    def take_over(self, *, hurry: bool = True) -> None:
        """End all leases: for the start of the only process that works on the table.

        What was leased is due; with ``hurry`` everything is.
        """
        jobs, now = self._table, self._clock()
        statement = sa.update(jobs).values(lease_until=FREE, run_at=now)
        with self._database.begin("") as tx:
            tx.execute(statement if hurry else statement.where(jobs.c.lease_until > FREE))

    def renew(self, job: Job) -> None:
        """Prolong a lease; raise LostLeaseError when it has gone to somebody else."""
        with self._database.begin(job.tenant_id) as tx:
            self._change(tx, job, lease_until=self._clock() + self.lease_seconds)

    def guard(self, tx: sa.Connection, job: Job) -> None:
        """Raise LostLeaseError in a transaction of a handler whose lease has gone to somebody else."""
        self._change(tx, job, fence=job.fence)

    def complete(self, job: Job) -> None:
        """Remove a finished job, or arm a schedule again."""
        if job.every_seconds:
            self.again(job, delay=job.every_seconds)
            return
        with self._database.begin(job.tenant_id) as tx:
            if tx.execute(self._held(sa.delete(self._table), job)).rowcount != 1:
                raise _lost(job)

    def again(
        self,
        job: Job,
        *,
        delay: float,
        error: str = "",
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Give a job back, due after ``delay`` seconds; without an error its attempts begin at 0 again.

        One that was hastened while it ran is due when that said, should it be earlier.
        """
        jobs, then = self._table, self._clock() + delay
        hastened = sa.and_(jobs.c.run_at != job.run_at, jobs.c.run_at < then)
        values: dict[str, Any] = {
            "run_at": sa.case((hastened, jobs.c.run_at), else_=then),
            "lease_until": FREE,
            "attempts": job.attempts if error else 0,
            "last_error": error,
        }
        if payload is not None:
            values["payload"] = dict(payload)
        with self._database.begin(job.tenant_id) as tx:
            self._change(tx, job, **values)

    def _claim(self, wanted: sa.ColumnElement[bool]) -> Job | None:
        """Look without a write lock first, so that an idle worker costs the database next to nothing."""
        while True:
            with self._database.read("") as tx:
                if tx.execute(self._next(wanted)).first() is None:
                    return None
            with self._database.begin("") as tx:
                query = self._next(wanted).with_for_update(skip_locked=True, of=self._table)
                row = tx.execute(query).mappings().first()
                if row is None:
                    return None
                if self._lane_is_free(tx, row, wanted):
                    return self._lease(tx, row)

    def _lease(self, tx: sa.Connection, row: sa.RowMapping) -> Job:
        jobs, fence, attempts = self._table, row["fence"] + 1, row["attempts"] + 1
        tx.execute(
            sa.update(jobs)
            .where(jobs.c.tenant_id == row["tenant_id"], jobs.c.id == row["id"])
            .values(fence=fence, attempts=attempts, lease_until=self._clock() + self.lease_seconds),
        )
        names = ("tenant_id", "id", "key", "workspace", "kind", "payload", "every_seconds", "run_at")
        return Job(**{name: row[name] for name in names}, fence=fence, attempts=attempts)

    def _next(self, wanted: sa.ColumnElement[bool]) -> sa.Select[Any]:
        jobs, now = self._table, self._clock()
        other = jobs.alias("other")
        leased = sa.exists().where(
            (other.c.tenant_id == jobs.c.tenant_id)
            & (other.c.workspace == jobs.c.workspace)
            & (other.c.lease_until > now),
        )
        return sa.select(jobs).where(wanted, ~leased).order_by(jobs.c.run_at, jobs.c.id).limit(1)

    def _lane_is_free(self, tx: sa.Connection, row: sa.RowMapping, wanted: sa.ColumnElement[bool]) -> bool:
        """Ask again under a lock of the workspace.

        On PostgreSQL two claims may pass the first look together, the second with a later job since it
        skips the row that the first has locked.
        """
        if self._database.dialect != "postgresql":
            return True
        lane = f"{row['tenant_id']}/{row['workspace']}"
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(lane, 0))))
        jobs = self._table
        leased = jobs.c.lease_until > self._clock()
        earlier = wanted & (sa.tuple_(jobs.c.run_at, jobs.c.id) < sa.tuple_(row["run_at"], row["id"]))
        in_lane = (jobs.c.tenant_id == row["tenant_id"]) & (jobs.c.workspace == row["workspace"])
        return tx.execute(sa.select(jobs.c.id).where(in_lane, leased | earlier).limit(1)).first() is None

    def _change(self, tx: sa.Connection, job: Job, **values: Any) -> None:
        if tx.execute(self._held(sa.update(self._table), job).values(**values)).rowcount != 1:
            raise _lost(job)

    def _held(self, statement: Any, job: Job) -> Any:
        jobs = self._table
        return statement.where(
            jobs.c.tenant_id == job.tenant_id,
            jobs.c.id == job.id,
            jobs.c.fence == job.fence,
            jobs.c.lease_until > FREE,
        )

    def _of_key(self, statement: Any, tenant_id: str, key: str) -> Any:
        return statement.where(self._table.c.tenant_id == tenant_id, self._table.c.key == key)


def _lost(job: Job) -> LostLeaseError:
    return LostLeaseError(f"the lease of the job {job.key} has ended", remedy="another worker goes on")
