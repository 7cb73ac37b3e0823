"""What the code that runs on behalf of one RPC may ask: who calls, and is the caller still there."""

import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from services.core.errors import CancelledError, SignInError, TimeoutExceededError
from services.runtime.identity import Identity


@dataclass(frozen=True)
class Call:
    """One call. ``ended`` is set when the caller has gone; ``deadline`` is on the monotonic clock, seconds."""

    identity: Identity | None
    deadline: float | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def remaining(self) -> float | None:
        """Give the seconds left until the deadline; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raise CancelledError or TimeoutExceededError when there is nobody left to answer."""
        if self.ended.is_set():
            raise CancelledError("the caller went away")
        if self.remaining() == 0.0:
            raise TimeoutExceededError("the call took longer than its deadline", remedy="try again")


_call: ContextVar[Call | None] = ContextVar("lockstep_call", default=None)


def current_call() -> Call:
    """Give the current call; outside of one, a call without identity or deadline."""
    return _call.get() or Call(identity=None)


def caller() -> Identity:
    """Give the identity of the current call; raise SignInError outside of one."""
    identity = current_call().identity
    if identity is None:
        raise SignInError("the call carries no identity", remedy="sign in first")
    return identity


def enter(call: Call | None) -> None:
    """Make a call the current one; only the server interceptor and background workers do."""
    _call.set(call)
