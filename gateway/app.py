"""The gateway's ASGI app: HTTP/JSON under /api/v1, pages, health. All wiring is here."""

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from gateway import pages, problems
from gateway.api import (
    conflicts,
    files,
    imports,
    operations,
    people,
    publications,
    record_transfer,
    records,
    resolutions,
    reviews,
    workspaces,
)
from gateway.events import Streams
from gateway.grpc_clients import ServiceAddresses, Services
from gateway.security import LOOPBACK_HOSTS, Security
from gateway.sessions import LoginTickets, Sessions
from services.runtime.tls import Certificates

API: Final = "/api/v1"
STATIC: Final = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Options:
    """How to serve. ``hosts`` are the names that may be asked for, any when empty."""

    addresses: ServiceAddresses
    certificates: Certificates | None = None
    # Where people reach the gateway; from the request when empty.
    public_url: str = ""
    hosts: Collection[str] = LOOPBACK_HOSTS
    # Metrics without signing in: on loopback, or where the network keeps others out.
    open_metrics: bool = False
    clock: Callable[[], float] = time.time


def create(options: Options) -> FastAPI:
    """Give the app. Channels are opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Services(options.addresses, options.certificates) as services:
            app.state.services = services
            app.state.sessions = Sessions(services, options.clock)
            yield

    app = FastAPI(
        title="Lockstep",
        summary="Keeps a team's database and its Git repository in step",
        version=version("lockstep"),
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.tickets = LoginTickets(options.clock)
    app.state.streams = Streams()
    app.state.public_url = options.public_url.rstrip("/")
    app.state.open_metrics = options.open_metrics
    app.state.clock = options.clock
    problems.install(app)
    app.add_middleware(Security, hosts=options.hosts)
    data = (records, record_transfer, files, imports, conflicts, resolutions, reviews, publications)
    for area in (workspaces, *data, people):
        app.include_router(area.router, prefix=API)
    app.include_router(operations.router)
    app.include_router(pages.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
