"""``python -m gateway``: serves the gateway of a server installation, in front of services elsewhere.

It speaks plain HTTP to an ingress that ends TLS, and mutual TLS to the services.
"""

import signal
import socket
import sys

import uvicorn

from gateway.app import Options, create
from gateway.grpc_clients import ServiceAddresses
from services.core.errors import InvalidInputError, LockstepError, UnavailableError
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
        server = uvicorn.Server(
            uvicorn.Config(
                create(options_of(settings)),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=int(launch.DRAIN_SECONDS),
            ),
        )
        # uvicorn raises the signal that ended it once more when it has drained; by itself that would kill.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(server, "should_exit", True))
        listener = _listener(settings)
        launch.serve_metrics(settings.metrics_port)
    except LockstepError as error:
        sys.stderr.write(f"lockstep-gateway: {logs.redact(str(error))}\n")
        return 2 if isinstance(error, InvalidInputError) else 1
    with listener:
        server.run(sockets=[listener])
    return 0


def _listener(settings: config.Settings) -> socket.socket:
    """Listen on ``listen``, else on ``host`` and ``port``; inside a cluster everywhere unless told otherwise."""
    everywhere = settings.mode == "server" and "host" not in settings.model_fields_set
    host = "0.0.0.0" if everywhere else settings.host  # noqa: S104  inside the cluster
    address = settings.listen or f"{host}:{settings.port}"
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except ValueError:
        raise InvalidInputError(
            f"the setting listen is '{address}' (LOCKSTEP_LISTEN)", remedy="write it like 0.0.0.0:8080"
        ) from None
    except OSError as error:
        raise UnavailableError(
            f"{address} cannot be listened on: {error.strerror}",
            remedy="stop what listens there, or choose another address",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
