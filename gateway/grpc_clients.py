"""Asynchronous channels to the four services; a failed call becomes the domain error it stands for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.auth.v1 import auth_pb2_grpc
from protos.git.v1 import git_pb2_grpc
from protos.pr.v1 import pr_pb2_grpc
from protos.sync.v1 import sync_pb2_grpc
from services.runtime.interceptors import AUTHORIZATION
from services.runtime.serve import CHANNEL_OPTIONS
from services.runtime.status import from_rpc_error
from services.runtime.tls import Certificates

CALL_SECONDS: Final = 60.0
# Clones, imports and merges of a large repository; the services have deadlines of their own inside.
LONG_SECONDS: Final = 3600.0
HEALTH_SECONDS: Final = 2.0


@dataclass(frozen=True)
class ServiceAddresses:
    """Where the services answer: host:port or unix:path."""

    auth: str
    git: str
    sync: str
    pr: str


class Services:
    """Stubs of all services. Made inside the event loop that uses them."""

    def __init__(self, addresses: ServiceAddresses, certificates: Certificates | None = None) -> None:
        """Open a channel to each service; nothing is connected until the first call."""
        self._channels = {
            name: _channel(getattr(addresses, name), certificates) for name in ("auth", "git", "sync", "pr")
        }
        self.auth = auth_pb2_grpc.AuthServiceStub(self._channels["auth"])
        self.git = git_pb2_grpc.GitServiceStub(self._channels["git"])
        self.sync = sync_pb2_grpc.SyncServiceStub(self._channels["sync"])
        self.pr = pr_pb2_grpc.PrServiceStub(self._channels["pr"])

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            await channel.close()

    async def missing(self) -> dict[str, str]:
        """Give the services that do not serve, with why; empty when all do."""
        found: dict[str, str] = {}
        for name, channel in self._channels.items():
            stub: Any = health_pb2_grpc.HealthStub(channel)
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_SECONDS)
            except grpc.aio.AioRpcError as error:
                found[name] = error.code().name.lower()
                continue
            if answer.status != health_pb2.HealthCheckResponse.SERVING:
                found[name] = "not serving"
        return found


async def call(method: Any, request: Any, identity: str = "", seconds: float = CALL_SECONDS) -> Any:
    """Call a unary method as the bearer of ``identity``; raise the domain error of a failure."""
    try:
        return await method(request, timeout=seconds, metadata=_metadata(identity))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None


async def stream(method: Any, request: Any, identity: str, seconds: float = LONG_SECONDS) -> AsyncIterator[Any]:
    """Give the answers of a streaming method; leaving the loop early cancels the call."""
    running = method(request, timeout=seconds, metadata=_metadata(identity))
    try:
        async for answer in running:
            yield answer
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    finally:
        running.cancel()


def _metadata(identity: str) -> tuple[tuple[str, str], ...]:
    return ((AUTHORIZATION, f"Bearer {identity}"),) if identity else ()


def _channel(address: str, certificates: Certificates | None) -> grpc.aio.Channel:
    options = list(CHANNEL_OPTIONS)
    if certificates:
        return grpc.aio.secure_channel(address, certificates.channel(), options=options)
    return grpc.aio.insecure_channel(address, options=options)
