"""How many calls a server works on at a time, and how many of them one tenant may have.

A call that finds no place waits for one, for a few seconds and among a bounded number of others; after that
it is refused with BusyError, which says when to come back. All but the last quarter of the places go to whoever
comes; of that quarter a tenant gets one only while it has fewer than are left. So a tenant that is alone has
nearly everything, and several whose calls all hang still leave a place for the next.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.core.errors import BusyError
from services.runtime.context import Call

WAIT_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.25


class Admission:
    """Hands out the places of one server. Safe for many threads."""

    def __init__(self, places: int, wait_seconds: float = WAIT_SECONDS) -> None:
        """Take the number of places; as many calls may wait."""
        self.places = places
        self._wait = wait_seconds
        self._reserve = places // 4
        self._working: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def place(self, call: Call) -> Iterator[None]:
        """Have a place while the call is worked on; raise BusyError when there is none in time."""
        tenant = call.identity.tenant_id if call.identity else ""
        with self._changed:
            if not self._is_free(tenant):
                self._queue(call, tenant)
            self._working[tenant] += 1
        try:
            yield
        finally:
            with self._changed:
                _less(self._working, tenant)
                self._changed.notify_all()

    def _queue(self, call: Call, tenant: str) -> None:
        others = len(self._waiting.keys() - {tenant})
        if self._waiting[tenant] >= max(1, self.places // (others + 2)) or self._waiting.total() >= self.places:
            raise _busy()
        self._waiting[tenant] += 1
        try:
            until = time.monotonic() + self._wait
            while not self._is_free(tenant):
                call.check()
                if time.monotonic() > until:
                    raise _busy()
                self._changed.wait(_POLL_SECONDS)
        finally:
            _less(self._waiting, tenant)

    def _is_free(self, tenant: str) -> bool:
        free = self.places - self._working.total()
        return free > self._reserve or self._working[tenant] < free


def _less(counts: Counter[str], tenant: str) -> None:
    counts[tenant] -= 1
    if not counts[tenant]:
        del counts[tenant]


def _busy() -> BusyError:
    return BusyError(
        "the service has as many calls as it can work on",
        retry_after=_RETRY_SECONDS,
        remedy="try again in a moment",
    )
