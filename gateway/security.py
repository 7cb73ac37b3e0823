"""Headers that browsers hold pages to, and the check of the name that the gateway is called by.

A page of another site can make its own name point at 127.0.0.1 (DNS rebinding) and so reach a gateway
on loopback; the Host header gives it away.
"""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import response, unforeseen
from services.core.errors import ForbiddenError

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_EVERYWHERE: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Security:
    """ASGI middleware. ``hosts`` are the names that may be asked for; any when empty."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        """Take the app and the names, without ports."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _EVERYWHERE.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        host = host_name(Headers(scope=scope).get("host", ""))
        if self._hosts and host not in self._hosts:
            error = ForbiddenError(
                f"this gateway is not called '{host[:100]}'",
                remedy="use the address that `lockstep up` printed, or set LOCKSTEP_PUBLIC_URL",
            )
            await response(error)(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception as error:
            if started:
                raise
            await unforeseen(error, scope["path"])(scope, receive, guarded)


def host_name(header: str) -> str:
    """Give the name in a Host header: lower case, without the port."""
    name = header.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
