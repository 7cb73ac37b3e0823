"""``python -m gateway``: serves the gateway of a server installation, in front of services elsewhere.

It speaks plain HTTP to an ingress that ends TLS, and mutual TLS to the services.
"""

import sys

import prometheus_client
import uvicorn

from gateway.app import Options, create
from gateway.grpc_clients import ServiceAddresses
from services.core.errors import InvalidInputError, LockstepError
from services.runtime import config, launch, logs


def options_of(settings: config.Settings) -> Options:
    """Give how to serve. Raises InvalidInputError where server mode lacks a certificate."""
    return Options(
        addresses=ServiceAddresses(**settings.addresses.model_dump()),
        certificates=launch.certificates_of(settings),
        public_url=settings.public_url,
        # The ingress routes by name, and probes ask by address.
        hosts=(),
    )


def main() -> int:
    """Serve until SIGTERM or SIGINT; give the exit code."""
    try:
        settings, _ = config.load()
        logs.configure(settings.log_level)
        app = create(options_of(settings))
    except LockstepError as error:
        sys.stderr.write(f"lockstep-gateway: {logs.redact(str(error))}\n")
        return 2 if isinstance(error, InvalidInputError) else 1
    if settings.metrics_port:
        prometheus_client.start_http_server(settings.metrics_port)
    host, _, port = (settings.listen or f"{_everywhere(settings)}:{settings.port}").rpartition(":")
    uvicorn.run(
        app,
        host=host.strip("[]"),
        port=int(port),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(launch.DRAIN_SECONDS),
    )
    return 0


def _everywhere(settings: config.Settings) -> str:
    return "0.0.0.0" if settings.mode == "server" else settings.host  # noqa: S104  inside the cluster


if __name__ == "__main__":
    sys.exit(main())
