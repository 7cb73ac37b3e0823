"""How long a failed job waits."""

from typing import TYPE_CHECKING, cast

import pytest

from services.runtime.worker import BACKOFF_CAP_SECONDS, Worker

if TYPE_CHECKING:
    from services.runtime.jobs import JobQueue


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (1.0, 1.0)])
def test_the_pause_doubles_up_to_a_cap(jitter: float, share: float) -> None:
    """Half a second at first, five minutes at most, jittered by at most half."""
    one = Worker(cast("JobQueue", None), {}, jitter=lambda: jitter)
    pauses = [one.backoff(attempts) for attempts in (1, 2, 3, 30, 10_000)]
    assert pauses == [share * 0.5, share * 1.0, share * 2.0, share * BACKOFF_CAP_SECONDS, share * BACKOFF_CAP_SECONDS]
