"""Server-sent events: progress of imports and publications.

A stream has three kinds of events: ``progress``, the result under its own name, and ``problem`` where it
fails on the way; a failure before the first event is an ordinary problem response.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from gateway.exact import text
from gateway.problems import problem
from services.core.errors import BusyError, LockstepError

MEDIA_TYPE: Final = "text/event-stream"
KEEP_ALIVE_SECONDS: Final = 10.0
# A stream holds a thread of the service behind it: watching must leave threads for calls.
MAX_STREAMS: Final = 8

Payload: TypeAlias = BaseModel | dict[str, Any] | list[Any] | str | None
Event: TypeAlias = tuple[str, Payload]


class Streams:
    """Counts the open streams of a gateway."""

    def __init__(self, limit: int = MAX_STREAMS) -> None:
        """Take how many may be open at once."""
        self._limit = limit
        self.open = 0

    def check(self) -> None:
        """Raise BusyError when no more may be opened."""
        if self.open >= self._limit:
            raise BusyError("too many imports and publications are being watched", retry_after=5.0)


def wanted(request: Request) -> bool:
    """Say whether a client asks for events."""
    return MEDIA_TYPE in request.headers.get("Accept", "")


async def respond(events: AsyncIterator[Event], streams: Streams) -> Response:
    """Answer with a stream of events; wait a while for the first: an early failure keeps its status."""
    streams.check()
    coming = asyncio.ensure_future(anext(events, None))
    try:
        if (await asyncio.wait((coming,), timeout=KEEP_ALIVE_SECONDS))[0]:
            coming.result()
    except asyncio.CancelledError:
        coming.cancel()
        raise
    return StreamingResponse(
        _encoded(coming, events, streams),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def last(events: AsyncIterator[Event]) -> Payload:
    """Wait for the end of a stream; give its last payload."""
    found: Payload = None
    async for _, found in events:  # noqa: B007  only the last one counts
        pass
    return found


async def _encoded(
    coming: "asyncio.Future[Event | None]",
    events: AsyncIterator[Event],
    streams: Streams,
) -> AsyncIterator[bytes]:
    streams.open += 1
    try:
        while True:
            while not (await asyncio.wait((coming,), timeout=KEEP_ALIVE_SECONDS))[0]:
                yield b": keep-alive\n\n"
            event = coming.result()
            if event is None:
                return
            yield _lines(*event)
            coming = asyncio.ensure_future(anext(events, None))
    except LockstepError as error:
        yield _lines("problem", problem(error))
    finally:
        coming.cancel()
        streams.open -= 1


def _lines(name: str, payload: Payload) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + text(payload) + b"\n\n"
