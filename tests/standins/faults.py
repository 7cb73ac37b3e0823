"""Faults to order for the next request to an endpoint of a stand-in."""

import re
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """What shall go wrong. ``slow`` is in seconds and may go with any other.

    ``cut`` ends the connection before the effect, ``cut_after_effect`` after it; both without an answer.
    """

    status: int | None = None
    retry_after: int | None = None
    slow: float = 0.0
    cut: bool = False
    cut_after_effect: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""


class Faults:
    """Orders of faults by endpoint, such as ``POST /repos/{o}/{r}/pulls``; names in braces do not matter."""

    def __init__(self) -> None:
        self._ordered: dict[str, deque[Fault]] = defaultdict(deque)
        self._lock = threading.Lock()

    def next(self, endpoint: str, *, times: int = 1, **what: object) -> None:
        """Order a fault for the next ``times`` requests to an endpoint."""
        with self._lock:
            self._ordered[normal(endpoint)].extend([Fault(**what)] * times)  # type: ignore[arg-type]

    def take(self, endpoint: str) -> Fault:
        """Give the fault that was ordered for this request; one without effect when there is none."""
        with self._lock:
            ordered = self._ordered[normal(endpoint)]
            return ordered.popleft() if ordered else Fault()


def normal(endpoint: str) -> str:
    """Give an endpoint's name without the names of its placeholders."""
    return re.sub(r"\{[^}]*\}", "{}", endpoint)
