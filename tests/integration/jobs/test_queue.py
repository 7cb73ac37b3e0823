"""The queue's promises: order, one at a time per workspace, leases and fences."""

import pytest

from services.runtime.jobs import LostLeaseError
from tests.integration.jobs.conftest import TENANT, Bench


def test_jobs_of_a_workspace_come_in_order_and_one_at_a_time(bench: Bench) -> None:
    """The second is not given out while the first is leased; another workspace's is."""
    for key, workspace in (("a", "w1"), ("b", "w1"), ("c", "w2")):
        bench.put(key, workspace)
        bench.clock.now += 1
    first, other = bench.queue.claim({"k"}), bench.queue.claim({"k"})
    assert first is not None
    assert other is not None
    assert (first.key, other.key) == ("a", "c")
    assert bench.queue.claim({"k"}) is None
    bench.queue.complete(first)
    second = bench.queue.claim({"k"})
    assert second is not None
    assert second.key == "b"


def test_a_key_is_there_once(bench: Bench) -> None:
    """Adding it again changes nothing, until the job is done."""
    assert bench.put("a")
    assert not bench.put("a")
    job = bench.queue.claim({"k"})
    assert job is not None
    assert not bench.put("a")
    bench.queue.complete(job)
    assert bench.put("a")


def test_a_job_that_is_not_due_or_of_another_kind_is_left(bench: Bench) -> None:
    """It is given out when its time has come; by its key, at once."""
    bench.put("a", delay=10)
    assert bench.queue.claim({"k"}) is None
    bench.clock.now += 10
    assert bench.queue.claim({"other"}) is None
    job = bench.queue.claim({"k"})
    assert job is not None
    bench.queue.again(job, delay=100)
    assert bench.queue.claim({"k"}) is None
    assert bench.queue.claim_key(TENANT, "a") is not None
    assert bench.queue.claim_key("another", "a") is None


def test_a_dead_workers_job_goes_to_another_and_the_dead_can_record_nothing(bench: Bench) -> None:
    """After the lease has ended the fence grows; what held the old one is refused from then on."""
    bench.put("a")
    dead = bench.queue.claim({"k"})
    assert dead is not None
    bench.clock.now += 59
    bench.queue.renew(dead)
    bench.clock.now += 59
    assert bench.queue.claim({"k"}) is None
    bench.clock.now += 2
    heir = bench.another().claim({"k"})
    assert heir is not None
    assert (heir.fence, heir.attempts) == (dead.fence + 1, 2)
    with pytest.raises(LostLeaseError):
        bench.queue.renew(dead)
    with pytest.raises(LostLeaseError):
        bench.queue.complete(dead)
    with pytest.raises(LostLeaseError):
        bench.queue.again(dead, delay=0)
    with pytest.raises(LostLeaseError), bench.database.begin(TENANT) as tx:
        bench.queue.guard(tx, dead)
    bench.queue.complete(heir)
    assert bench.rows() == 0


def test_a_job_given_back_cannot_be_recorded_again(bench: Bench) -> None:
    """A lease ends with what it recorded."""
    bench.put("a")
    job = bench.queue.claim({"k"})
    assert job is not None
    bench.queue.again(job, delay=0)
    with pytest.raises(LostLeaseError):
        bench.queue.complete(job)


def test_a_schedule_arms_itself_again(bench: Bench) -> None:
    """Completed, it is due again after its interval; its attempts begin anew."""
    bench.put("a", every=30)
    job = bench.queue.claim({"k"})
    assert job is not None
    bench.queue.complete(job)
    assert bench.queue.claim({"k"}) is None
    bench.clock.now += 30
    again = bench.queue.claim({"k"})
    assert again is not None
    assert again.attempts == 1


def test_attempts_count_until_something_succeeds(bench: Bench) -> None:
    """An error keeps the count, success sets it back; the payload can be replaced."""
    bench.put("a")
    for attempt in (1, 2):
        job = bench.queue.claim({"k"})
        assert job is not None
        assert job.attempts == attempt
        bench.queue.again(job, delay=0, error="broken", payload={"step": attempt})
    job = bench.queue.claim({"k"})
    assert job is not None
    assert (job.attempts, job.payload) == (3, {"step": 2})
    bench.queue.again(job, delay=0)
    job = bench.queue.claim({"k"})
    assert job is not None
    assert job.attempts == 1


def test_a_job_that_fails_does_not_hold_up_its_workspace(bench: Bench) -> None:
    """While it waits for its next attempt, the others go on."""
    bench.put("a")
    bench.clock.now += 1
    bench.put("b")
    job = bench.queue.claim({"k"})
    assert job is not None
    bench.queue.again(job, delay=60, error="broken")
    other = bench.queue.claim({"k"})
    assert other is not None
    assert other.key == "b"


def test_a_removed_job_is_gone_for_its_holder_too(bench: Bench) -> None:
    """What holds it learns so when it records."""
    bench.put("a")
    job = bench.queue.claim({"k"})
    assert job is not None
    with bench.database.begin(TENANT) as tx:
        bench.queue.remove(tx, TENANT, "a")
    assert not bench.queue.exists(TENANT, "a")
    with pytest.raises(LostLeaseError):
        bench.queue.complete(job)


def test_the_only_process_need_not_wait_for_leases(bench: Bench) -> None:
    """Taking over ends what a dead process held."""
    bench.put("a")
    assert bench.queue.claim({"k"}) is not None
    bench.queue.take_over()
    assert bench.queue.claim({"k"}) is not None


def due_in(bench: Bench, key: str) -> float:
    """Give in how many seconds a job is due."""
    with bench.database.read(TENANT) as tx:
        found = bench.queue.waiting(tx, TENANT, key)
    assert found is not None
    return found.run_at - bench.clock.now


def hasten(bench: Bench, key: str, delay: float) -> None:
    """Make a job due soon."""
    with bench.database.begin(TENANT) as tx:
        bench.queue.hasten(tx, TENANT, key, delay)


def test_a_hastened_job_comes_earlier_and_once(bench: Bench) -> None:
    """Asked for again and again it is neither put off nor done more than once."""
    bench.put("a", delay=100)
    hasten(bench, "a", 2)
    bench.clock.now += 1
    hasten(bench, "a", 2)
    assert due_in(bench, "a") == 1
    bench.clock.now += 1
    job = bench.queue.claim({"k"})
    assert job is not None
    bench.queue.again(job, delay=100)
    assert due_in(bench, "a") == 100
    assert bench.rows() == 1


def test_a_job_hastened_while_it_runs_runs_once_more(bench: Bench) -> None:
    """What was asked for after it had begun is not lost; a pause that is shorter still counts."""
    bench.put("a")
    for pause, expected in ((100, 2), (1, 1)):
        job = bench.queue.claim({"k"})
        assert job is not None
        bench.clock.now += 1
        hasten(bench, "a", 2)
        assert bench.another().claim({"k"}) is None
        bench.queue.again(job, delay=pause, error="it failed")
        assert due_in(bench, "a") == expected
        bench.clock.now += expected


def test_a_start_without_hurry_takes_up_only_what_was_begun(bench: Bench) -> None:
    """Jobs of other workspaces keep their time."""
    bench.put("a")
    bench.put("b", "w2", delay=100)
    assert bench.queue.claim({"k"}) is not None
    bench.queue.take_over(hurry=False)
    again = bench.queue.claim({"k"})
    assert again is not None
    assert (again.key, due_in(bench, "b")) == ("a", 100)
