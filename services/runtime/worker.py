"""Threads that work off a job queue, renewing their leases while a handler runs."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import structlog

from services.core.errors import BusyError, LockstepError
from services.runtime.jobs import Job, JobQueue, LostLeaseError

log = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 1.0
BACKOFF_SECONDS: Final = 0.5
BACKOFF_CAP_SECONDS: Final = 300.0
WAIT_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Done:
    """The job is finished: it goes, or is armed again when it is a schedule."""


@dataclass(frozen=True)
class Again:
    """The job goes on after ``delay`` seconds; ``error`` says why, where it did not do what it should."""

    delay: float
    error: LockstepError | None = None
    payload: Mapping[str, Any] | None = None


Outcome: TypeAlias = Done | Again
Handler: TypeAlias = Callable[[Job], Outcome]


class Worker:
    """Works off the jobs of some kinds.

    A handler that raises is tried again, later each time; the pause is capped, and jittered so that jobs
    that failed together do not return together.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        *,
        threads: int = 4,
        idle_seconds: float = IDLE_SECONDS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Take handlers by kind; ``jitter`` gives numbers from 0 to 1."""
        self._queue = queue
        self._handlers = dict(handlers)
        self._idle_seconds = idle_seconds
        self._jitter = jitter
        self._signal = threading.Condition()
        self._wakes = 0
        self._stopping = threading.Event()
        self._held: dict[tuple[str, str], Job] = {}
        names = [(self._work, f"jobs-{number}") for number in range(threads)] + [(self._renew, "jobs-leases")]
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for run, name in names]

    def start(self, *, alone: bool = False, hurry: bool = True) -> None:
        """Start the threads; ``alone`` where no other process works on this table: leases are dead ones' then.

        With ``hurry`` such a start makes every job due at once.
        """
        if alone:
            self._queue.take_over(hurry=hurry)
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float = 10.0) -> None:
        """Take no new jobs, and wait up to ``grace`` seconds for those that run."""
        self._stopping.set()
        self.wake()
        deadline = time.monotonic() + grace
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def wake(self) -> None:
        """Look for due jobs now."""
        with self._signal:
            self._wakes += 1
            self._signal.notify_all()

    def wait(self, seconds: float) -> None:
        """Return when some job of this process has come further, or after ``seconds``."""
        with self._signal:
            self._signal.wait(seconds)

    def run_now(self, tenant_id: str, key: str, seconds: float) -> None:
        """Run a job in the caller's thread, due or not, waiting up to ``seconds`` for its workspace.

        Raises the error that the job ended with, also when it will be tried again, and BusyError when
        the workspace does not become free. Returns when the job is gone.
        """
        deadline = time.monotonic() + seconds
        while True:
            job = self._queue.claim_key(tenant_id, key)
            if job is not None:
                error = self._run(job)
                if error is not None:
                    raise error
                return
            if not self._queue.exists(tenant_id, key):
                return
            if time.monotonic() >= deadline:
                raise BusyError(
                    "other work of the workspace is going on",
                    retry_after=5.0,
                    remedy="try again in a moment",
                )
            self.wait(WAIT_SECONDS)

    def _work(self) -> None:
        while not self._stopping.is_set():
            seen = self._wakes
            job = self._claim()
            if job is not None:
                self._run(job)
                continue
            with self._signal:
                if seen == self._wakes:
                    self._signal.wait(self._idle_seconds)

    def _claim(self) -> Job | None:
        try:
            return self._queue.claim(self._handlers)
        except LockstepError as error:
            log.warning("jobs cannot be read", error=str(error))
            return None

    def _run(self, job: Job) -> LockstepError | None:
        self._held[job.tenant_id, job.id] = job
        try:
            outcome = self._outcome(job)
            self._record(job, outcome)
        except LostLeaseError:
            log.warning("lease lost", job=job.key, kind=job.kind)
            return None
        except LockstepError as error:
            log.warning("job not recorded", job=job.key, kind=job.kind, error=str(error))
            return error
        finally:
            self._forget(job)
        self.wake()
        return outcome.error if isinstance(outcome, Again) else None

    def _outcome(self, job: Job) -> Outcome:
        try:
            return self._handlers[job.kind](job)
        except LostLeaseError:
            raise
        except BusyError as error:
            return Again(max(error.retry_after, self.backoff(job.attempts)), error)
        except LockstepError as error:
            log.warning("job failed", job=job.key, kind=job.kind, attempts=job.attempts, error=str(error))
            return Again(self.backoff(job.attempts), error)
        except Exception as error:
            log.exception("job failed unexpectedly", job=job.key, kind=job.kind, attempts=job.attempts)
            unexpected = LockstepError(
                f"the job {job.key} failed in a way nobody foresaw ({type(error).__name__})",
                remedy="the service's log has the details; it is tried again",
            )
            return Again(self.backoff(job.attempts), unexpected)

    def _record(self, job: Job, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self._queue.complete(job)
        else:
            error = str(outcome.error) if outcome.error else ""
            self._queue.again(job, delay=outcome.delay, error=error, payload=outcome.payload)

    def backoff(self, attempts: int) -> float:
        """Give the pause in seconds after so many attempts: doubling, capped, jittered by half."""
        pause = min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2.0 ** min(attempts - 1, 20))
        return pause * (0.5 + self._jitter() / 2)

    def _renew(self) -> None:
        while not self._stopping.wait(self._queue.lease_seconds / 3) or self._held:
            if self._stopping.is_set():
                time.sleep(min(WAIT_SECONDS, self._queue.lease_seconds / 3))
            for job in list(self._held.values()):
                self._renew_one(job)

    def _renew_one(self, job: Job) -> None:
        try:
            self._queue.renew(job)
        except LostLeaseError:
            self._forget(job)
        except LockstepError as error:
            log.warning("lease not renewed", job=job.key, error=str(error))

    def _forget(self, job: Job) -> None:
        # A job that came back to this process after its lease had ended is another one by its fence.
        if self._held.get((job.tenant_id, job.id)) is job:
            del self._held[job.tenant_id, job.id]
