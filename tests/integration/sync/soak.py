"""Plays random histories of ``test_model.py`` until it is stopped: ``make soak``.

Each is told by its seed, which is new every time; the shortest part that still fails is printed, and the run goes on.
Exit code 1 when any failed.
"""

import argparse
import contextlib
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.runtime.database import sqlite_url
from tests.integration.sync.test_model import CHANGING, CRASHES, RULES, Bench, bench_on, history, shortest

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

# A database for so many histories: it grows, and the tests are not about that.
_PER_DATABASE: Final = 300
_SAY_SECONDS: Final = 10.0


def main() -> int:
    """Play until Ctrl-C or until the time is over; give the exit code."""
    options = _options()
    ends = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    played, failed = multiprocessing.Value("q", 0), multiprocessing.Value("q", 0)
    stop = multiprocessing.Event()
    workers = [
        multiprocessing.Process(target=_work, args=(seed + number, options.workers, ends, stop, played, failed))
        for number in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        while not wait([worker.sentinel for worker in workers], _SAY_SECONDS):
            _say(_counted(seed, began, played.value, failed.value))
    # Further Ctrl-C change nothing: each worker ends with the history that it is at.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop.set()
    for worker in workers:
        worker.join()
    _say(_counted(seed, began, played.value, failed.value))
    return 1 if failed.value or any(worker.exitcode for worker in workers) else 0


def _counted(seed: int, began: float, played: int, failed: int) -> str:
    seconds = int(time.monotonic() - began)
    return f"{played:,} histories from seed {seed} in {seconds:,} s, {failed:,} failed"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=0, help="stop after so long; 0 is never")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, help="begin with this history, to play a run again")
    return parser.parse_args()


def _work(
    seed: int,
    step: int,
    ends: float,
    stop: Event,
    played: "Synchronized[int]",
    failed: "Synchronized[int]",
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while not stop.is_set():
        with tempfile.TemporaryDirectory() as folder, bench_on(sqlite_url(Path(folder) / "sync.db")) as bench:
            for _ in range(_PER_DATABASE):
                if stop.is_set() or time.monotonic() >= ends:
                    return
                _count(played)
                if not _holds(bench, seed):
                    _count(failed)
                seed += step


def _holds(bench: Bench, seed: int) -> bool:
    rule = RULES[seed % len(RULES)]
    steps = history(seed, *CRASHES, *(CHANGING if seed % 5 < 2 else ()))
    if bench.failure(rule, steps, replay=seed % 4 == 0) is None:
        return True
    steps = shortest(steps, lambda part: bench.failure(rule, part) is not None)
    _say(f"seed {seed}, rule {rule}: {steps}\n{bench.failure(rule, steps)}")
    return False


def _count(number: "Synchronized[int]") -> None:
    with number.get_lock():
        number.value += 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
