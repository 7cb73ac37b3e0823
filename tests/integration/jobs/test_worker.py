"""Workers on real threads: every job once, never two of a workspace, failures apart from the rest."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from services.core.errors import BusyError, StateError, UnavailableError
from services.runtime.jobs import Job, JobQueue
from services.runtime.worker import Again, Done, Outcome, Worker
from tests.integration.jobs.conftest import TENANT, Bench

SECONDS = 20.0


def until(check: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def worker(queue: JobQueue, handler: Callable[[Job], Outcome], threads: int = 4) -> Worker:
    """Give a quick worker."""
    return Worker(queue, {"k": handler}, threads=threads, idle_seconds=0.02, jitter=lambda: 0.0)


def test_two_workers_do_every_job_once_and_never_two_of_a_workspace(bench: Bench) -> None:
    """Two processes race for sixty jobs of three workspaces."""
    done: Counter[str] = Counter()
    order: dict[str, list[int]] = {}
    running: Counter[str] = Counter()
    worst = [0]
    lock = threading.Lock()

    def handle(job: Job) -> Outcome:
        with lock:
            running[job.workspace] += 1
            worst[0] = max(worst[0], running[job.workspace])
        time.sleep(0.002)
        with lock:
            running[job.workspace] -= 1
            done[job.key] += 1
            order.setdefault(job.workspace, []).append(int(job.key))
        return Done()

    for number in range(60):
        bench.clock.now += 0.001
        bench.put(str(number), f"w{number % 3}")
    workers = [worker(bench.another(), handle) for _ in range(2)]
    for one in workers:
        one.start()
    until(lambda: sum(done.values()) >= 60)
    for one in workers:
        one.stop()
    assert done == Counter({str(number): 1 for number in range(60)})
    assert worst[0] == 1
    assert all(keys == sorted(keys) for keys in order.values())
    assert bench.rows() == 0


def test_a_long_job_keeps_its_lease(bench: Bench) -> None:
    """It is renewed while the handler runs, so that nobody else begins it."""
    begun: list[int] = []

    def handle(job: Job) -> Outcome:
        begun.append(job.fence)
        time.sleep(1.2)
        return Done()

    workers = [worker(bench.another(time.time, lease_seconds=0.5), handle) for _ in range(2)]
    bench.put("a")
    for one in workers:
        one.start()
    until(lambda: bench.rows() == 0)
    for one in workers:
        one.stop()
    assert begun == [1]


def test_a_failing_workspace_does_not_starve_others(bench: Bench) -> None:
    """Its job is tried again and again; with one thread the others still come through, and then it, too."""
    tries = Counter[str]()

    def handle(job: Job) -> Outcome:
        tries[job.key] += 1
        if job.workspace == "bad" and tries[job.key] < 3:
            raise (UnavailableError("away"), ValueError("bug"))[tries[job.key] % 2]
        return Done()

    bench.put("bad", "bad")
    for number in range(5):
        bench.put(str(number), f"w{number}")
    one = worker(bench.another(time.time), handle, threads=1)
    one.start()
    until(lambda: bench.rows() == 0)
    one.stop()
    assert tries == Counter({"bad": 3, "0": 1, "1": 1, "2": 1, "3": 1, "4": 1})


def test_waking_makes_a_new_job_start_at_once(bench: Bench) -> None:
    """An idle worker need not wait for its next look."""
    done = threading.Event()

    def handle(_job: Job) -> Outcome:
        done.set()
        return Done()

    one = Worker(bench.another(time.time), {"k": handle}, idle_seconds=60.0)
    one.start()
    time.sleep(0.2)
    bench.put("a")
    one.wake()
    assert done.wait(5.0)
    one.stop()


def test_a_caller_may_run_a_job_itself_and_gets_its_error(bench: Bench) -> None:
    """In the caller's thread, due or not; the job stays for another try."""
    outcomes: list[Outcome] = [Again(60.0, StateError("not now")), Done()]
    one = worker(bench.queue, lambda _job: outcomes.pop(0))
    bench.put("a", delay=1000)
    with pytest.raises(StateError, match="not now"):
        one.run_now(TENANT, "a", 5.0)
    assert bench.rows() == 1
    one.run_now(TENANT, "a", 5.0)
    one.run_now(TENANT, "a", 5.0)
    assert bench.rows() == 0


def test_a_caller_waits_for_the_workspace_for_so_long(bench: Bench) -> None:
    """While another job of the workspace runs, and then gives up with an error that says so."""
    bench.put("a")
    bench.put("b")
    held = bench.another().claim_key(TENANT, "a")
    assert held is not None
    one = worker(bench.queue, lambda _job: Done())
    with pytest.raises(BusyError):
        one.run_now(TENANT, "b", 0.3)
    bench.queue.complete(held)
    one.run_now(TENANT, "b", 5.0)
    assert bench.rows() == 0


def test_stopping_lets_a_running_job_finish(bench: Bench) -> None:
    """What runs is recorded; what waits stays for the next process."""
    begun = threading.Event()

    def handle(_job: Job) -> Outcome:
        begun.set()
        time.sleep(0.3)
        return Done()

    bench.put("a")
    bench.put("b")
    one = worker(bench.another(), handle, threads=1)
    one.start()
    assert begun.wait(5.0)
    one.stop()
    assert bench.rows() == 1
