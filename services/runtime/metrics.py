"""Prometheus metrics that every service has: rate, errors and duration of its calls."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Histogram

CALLS: Final = Counter("lockstep_rpc_total", "Calls handled, by method and status code.", ["method", "code"])
SECONDS: Final = Histogram("lockstep_rpc_seconds", "Duration of calls in seconds, by method.", ["method"])


@dataclass
class Outcome:
    """The status code's name of a call; OK until told otherwise."""

    code: str = "OK"


@contextmanager
def rpc(method: str) -> Iterator[Outcome]:
    """Count and time one call."""
    outcome = Outcome()
    started = time.perf_counter()
    try:
        yield outcome
    finally:
        CALLS.labels(method, outcome.code).inc()
        SECONDS.labels(method).observe(time.perf_counter() - started)
