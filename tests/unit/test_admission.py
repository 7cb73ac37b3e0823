"""Who gets a place on a server, and who has to wait or go."""

import threading
import time
from contextlib import ExitStack

import pytest

from services.core.errors import BusyError, CancelledError
from services.runtime.admission import Admission
from services.runtime.context import Call
from services.runtime.identity import Identity, Role


def call(tenant: str) -> Call:
    """Give a call of a tenant."""
    return Call(Identity(tenant, "u", "ada", "Ada", "ada@lockstep.invalid", Role.VIEWER, ""))


def take(admission: Admission, stack: ExitStack, tenant: str) -> bool:
    """Take a place for good; give whether there was one."""
    try:
        stack.enter_context(admission.place(call(tenant)))
    except BusyError as busy:
        return busy.retry_after <= 0
    return True


def test_one_tenant_alone_has_most_of_the_places() -> None:
    """Nothing is kept idle but the part that is for whoever comes next."""
    admission = Admission(24, wait_seconds=0)
    with ExitStack() as stack:
        taken = sum(take(admission, stack, "a") for _ in range(100))
    assert 18 <= taken < 24


def test_tenants_that_hang_leave_a_place_for_the_next() -> None:
    """Three tenants take whatever they can get: the fourth still gets in."""
    admission = Admission(24, wait_seconds=0)
    with ExitStack() as stack:
        for tenant in ("a", "b", "c"):
            assert any([take(admission, stack, tenant) for _ in range(50)])  # noqa: C419  all of them try
        assert take(admission, stack, "d")


def test_a_place_that_is_given_back_can_be_had_again() -> None:
    """Places do not leak, not even by calls that fail."""
    admission = Admission(4, wait_seconds=0)
    for _ in range(100):
        with pytest.raises(ZeroDivisionError), admission.place(call("a")):
            raise ZeroDivisionError
    with ExitStack() as stack:
        assert take(admission, stack, "a")


def waiting(admission: Admission, tenant: str, how: list[str]) -> threading.Thread:
    """Start a call that waits for a place."""

    def run() -> None:
        try:
            with admission.place(call(tenant)):
                how.append("in")
        except BusyError:
            how.append("busy")

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_who_waits_gets_the_place_that_becomes_free() -> None:
    """A short rush is waited out rather than refused."""
    admission = Admission(1, wait_seconds=20)
    how: list[str] = []
    with admission.place(call("a")):
        thread = waiting(admission, "a", how)
        time.sleep(0.1)
        assert how == []
    thread.join(10)
    assert how == ["in"]


def test_only_so_many_may_wait() -> None:
    """The queue is bounded, and a tenant does not fill it alone."""
    admission = Admission(8, wait_seconds=1)
    how: list[str] = []
    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(admission.place(call("a")))
        threads = [waiting(admission, "a", how) for _ in range(20)]
        started = time.monotonic()
        while how.count("busy") < 16 and time.monotonic() - started < 0.8:
            time.sleep(0.01)
        assert how.count("busy") == 16
        for thread in threads:
            thread.join(10)
    assert how.count("busy") == 20


def test_a_caller_that_goes_away_waits_no_longer() -> None:
    """Its place in the queue is somebody else's at once."""
    admission = Admission(1, wait_seconds=20)
    gone = call("a")
    gone.ended.set()
    with admission.place(call("a")), pytest.raises(CancelledError), admission.place(gone):
        pass
