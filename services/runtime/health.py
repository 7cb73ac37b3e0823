"""Health for who has no certificate, such as the kubelet's probes.

Services demand a certificate of every caller, and a kubelet has none to show. This server has a port of its
own, speaks without TLS, and tells whether a service serves: it has no other methods.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from services.core.errors import UnavailableError

# Probes ask one at a time.
_THREADS: Final = 2
_MAX_CALLS: Final = 16


def start(healthy: health.HealthServicer, address: str) -> grpc.Server:
    """Answer health checks at host:port. Raises UnavailableError when the address cannot be bound."""
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="health"),
        options=[("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=_MAX_CALLS,
    )
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise UnavailableError(
            f"health cannot be told on {address}",
            remedy="stop what listens there, or set health_port (LOCKSTEP_HEALTH_PORT)",
        ) from error
    server.start()
    return server
