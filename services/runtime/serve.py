"""Starts a gRPC server the way all services are served: bounded threads, health, identity, TLS."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.core.errors import UnavailableError
from services.runtime import health as probes
from services.runtime.admission import Admission
from services.runtime.identity import Verifier
from services.runtime.interceptors import PLACES, ServiceInterceptor
from services.runtime.tls import Certificates

# A file of the largest default size (git.max_file_bytes) fits, with room for its wrapping.
MAX_MESSAGE_BYTES = 12 * 1024 * 1024
# Threads beyond those that work or wait: they answer health checks, and refuse what is too much.
REFUSERS = 8
# The last bound, when even refusing comes too slow: those calls get no RetryInfo.
MAX_CALLS = 1000
# An error with all its details fits; by default gRPC takes 8 KiB.
METADATA_BYTES = 64 * 1024
CHANNEL_OPTIONS = (
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Proxies of the environment are never meant for calls between services.
    ("grpc.enable_http_proxy", 0),
    # A service that was away is called again within seconds; by default up to two minutes pass.
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


@dataclass(frozen=True)
class ServerSettings:
    """How to serve. ``address`` is host:port or unix:path; port 0 takes a free one."""

    address: str
    threads: int = PLACES
    certificates: Certificates | None = None
    reflection: bool = False
    # Health without TLS on a port of its own, at the same host; 0 is off.
    health_port: int = 0


class RunningServer:
    """A server that answers. ``address`` is where clients reach it."""

    def __init__(
        self, server: grpc.Server, address: str, healthy: health.HealthServicer, probed: grpc.Server | None = None
    ) -> None:
        """Take the started server, and the one that tells its health without TLS where there is one."""
        self._server = server
        self._probed = probed
        self._health = healthy
        self.address = address

    def stop(self, grace: float = 5.0) -> None:
        """Turn readiness off, let calls finish for ``grace`` seconds, then stop."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        if self._probed:
            self._probed.stop(None).wait()

    def wait(self) -> None:
        """Block until the server has stopped."""
        self._server.wait_for_termination()


def start(
    service: str,
    register: Callable[[grpc.Server], None],
    *,
    settings: ServerSettings,
    verifier: Verifier,
    public_methods: frozenset[str] = frozenset(),
) -> RunningServer:
    """Serve one service (full name, for example lockstep.git.v1.GitService).

    ``settings.threads`` calls are worked on at a time and as many wait, shared among the tenants
    (``services.runtime.admission``); more are refused with RESOURCE_EXHAUSTED and the time to come back.
    Raises UnavailableError when the address cannot be bound.
    """
    # Records are trees of many small objects that live until they are written: at Python's default the
    # collector walks them over and over and finds nothing.
    gc.set_threshold(50_000, 25, 25)
    server = grpc.server(
        ThreadPoolExecutor(2 * settings.threads + REFUSERS, thread_name_prefix=service.rsplit(".", 1)[-1]),
        interceptors=[ServiceInterceptor(verifier, public_methods, Admission(settings.threads))],
        options=[*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=MAX_CALLS,
    )
    register(server)
    healthy = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    healthy.set(service, health_pb2.HealthCheckResponse.SERVING)
    healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    if settings.reflection:
        reflection.enable_server_reflection((service, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    try:
        if settings.certificates:
            port = server.add_secure_port(settings.address, settings.certificates.server())
        else:
            port = server.add_insecure_port(settings.address)
    except RuntimeError as error:
        raise UnavailableError(
            f"{service} cannot listen on {settings.address}",
            remedy="stop what listens there, or choose another address",
        ) from error
    unix = settings.address.startswith("unix:")
    host = "127.0.0.1" if unix else settings.address.rpartition(":")[0]
    probed = probes.start(healthy, f"{host}:{settings.health_port}") if settings.health_port else None
    server.start()
    return RunningServer(server, settings.address if unix else f"{host}:{port}", healthy, probed)
