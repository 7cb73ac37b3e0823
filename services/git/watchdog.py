"""Ends processes whose caller has gone, whose time is up, or whose leader has died.

One thread looks after all of them. A process is a leader of its own group, so that its helpers
(``git-remote-https``, ``index-pack``) end with it: SIGTERM first, which lets git remove its lock and
temporary files, then SIGKILL.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from services.git.memory import held_bytes
from services.runtime.context import Call

TICK_SECONDS: Final = 0.05
GRACE_SECONDS: Final = 2.0


@dataclass
class Watched:
    """One process under watch.

    ``overdue`` says that it was ended since its own time limit was up, ``swollen`` since it held more than
    ``memory`` bytes (0: any number).
    """

    process: "subprocess.Popen[bytes]"
    call: Call
    deadline: float
    memory: int = 0
    overdue: bool = False
    swollen: bool = False
    ending_since: float | None = None
    dead_since: float | None = field(default=None)


class Watchdog:
    """Watches until ``close``. The thread starts with the first process and sleeps while there is none."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._watched: dict[int, Watched] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, process: "subprocess.Popen[bytes]", call: Call, seconds: float, memory: int = 0) -> Watched:
        """Look after a process until ``release``; it may live for ``seconds`` and hold ``memory`` bytes."""
        watched = Watched(process, call, time.monotonic() + seconds, memory)
        with self._changed:
            self._watched[id(watched)] = watched
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="git-watchdog", daemon=True)
                self._thread.start()
            self._changed.notify()
        return watched

    def release(self, watched: Watched) -> None:
        """Stop looking after a process; it is not ended by this."""
        with self._changed:
            self._watched.pop(id(watched), None)

    def close(self) -> None:
        """End the thread, not the processes."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._watched and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                watched = list(self._watched.values())
            for one in watched:
                self._look(one, time.monotonic())
            time.sleep(TICK_SECONDS)

    @staticmethod
    def _look(one: Watched, now: float) -> None:
        if one.process.poll() is not None:
            # Its readers wait on pipes that an orphan may still hold.
            one.dead_since = one.dead_since or now
            if now - one.dead_since > GRACE_SECONDS:
                signal_group(one.process, signal.SIGKILL)
            return
        if one.ending_since is None:
            one.overdue = now > one.deadline
            one.swollen = bool(one.memory) and held_bytes(one.process.pid) > one.memory
            if one.overdue or one.swollen or one.call.ended.is_set() or one.call.remaining() == 0.0:
                one.ending_since = now
                signal_group(one.process, signal.SIGTERM)
        elif now - one.ending_since > GRACE_SECONDS:
            signal_group(one.process, signal.SIGKILL)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and its group now, and reap it."""
    if process.poll() is None:
        signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    # The group outlives its leader where a helper hangs.
    signal_group(process, signal.SIGKILL)
    process.wait()


def signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send a signal to the group that a process leads; nothing happens when there is none any more."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
