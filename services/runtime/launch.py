"""Runs one service of a server installation from its environment: ``python -m services.<name>``.

A service hands ``main`` a function that takes the ``Environment`` and gives the ``Service`` to serve.
Everything around it is here: settings, logs, TLS that fails closed, metrics, draining on SIGTERM. What
goes wrong at start is one line on standard error: exit code 2 for wrong settings, 1 for the rest.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import grpc
import prometheus_client
import sqlalchemy as sa
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from services.core.errors import InvalidInputError, LockstepError, UnavailableError
from services.runtime import clients, config, logs, serve
from services.runtime.database import Database, sqlite_url
from services.runtime.identity import Verifier
from services.runtime.tls import Certificates

# Kubernetes gives 30 seconds between SIGTERM and SIGKILL; what a service closes after the drain needs some.
DRAIN_SECONDS: Final = 20.0
KEY_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Service:
    """What is served: the service's full name (lockstep.git.v1.GitService) and its parts."""

    full_name: str
    register: Callable[[grpc.Server], None]
    verifier: Verifier
    public_methods: frozenset[str] = frozenset()
    # Called when the end begins, while calls go on: take up no new work.
    drain: Callable[[], None] = lambda: None
    # Called after the last call has ended: stops workers, closes databases.
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Environment:
    """What a service is wired from."""

    name: str
    settings: config.Settings
    certificates: Certificates | None
    clock: Callable[[], float] = time.time

    @property
    def internal_key(self) -> bytes:
        """Give the key that services prove themselves to auth with; raise InvalidInputError without one."""
        key = self.settings.secrets.internal_key.get_secret_value()
        if not key:
            raise _missing("secrets.internal_key", "make one with `lockstep keys generate`")
        return key.encode()

    def database(self, metadata: sa.MetaData) -> Database:
        """Open this service's database and bring its tables to this version."""
        url = self.settings.database_url.get_secret_value()
        if not url and self.settings.mode == "server":
            raise _missing("database_url", "give the URL of a PostgreSQL database")
        if not url:
            self.settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            database = Database.open(url or sqlite_url(self.settings.data / f"{self.name}.db"), self.name, metadata)
        except sa.exc.ArgumentError:
            # Its own text may hold the password.
            raise _wrong_database() from None
        if self.settings.mode == "server" and database.dialect != "postgresql":
            raise _wrong_database()
        try:
            database.migrate()
        except sa.exc.DBAPIError as error:
            first = str(error.orig).strip().partition("\n")[0]
            raise UnavailableError(
                f"the tables of {self.name} cannot be brought to this version: {first}",
                remedy="let the database's user create schemas and tables",
            ) from error
        return database

    @cached_property
    def auth(self) -> auth_pb2_grpc.AuthServiceStub:
        """Give a stub of auth that calls as this service where a tenant is named."""
        return auth_pb2_grpc.AuthServiceStub(self.channel(self.settings.addresses.auth))

    @cached_property
    def verifier(self) -> Verifier:
        """Give the verifier that takes auth's public keys over the network."""
        return Verifier(lambda: verification_keys(self.auth))

    def channel(self, address: str) -> grpc.Channel:
        """Give a channel to another service (an address of ``settings.addresses``)."""
        return clients.connect(address, self._identities, self.certificates)

    @cached_property
    def _identities(self) -> clients.ServiceIdentities:
        open_channel = clients.connect(self.settings.addresses.auth, None, self.certificates)
        stub = auth_pb2_grpc.AuthServiceStub(open_channel)
        return clients.ServiceIdentities(stub, self.name, self.internal_key, self.clock)


def verification_keys(auth: auth_pb2_grpc.AuthServiceStub) -> dict[str, Ed25519PublicKey]:
    """Ask auth for its public keys, by key id."""
    answer = auth.ListVerificationKeys(auth_pb2.ListVerificationKeysRequest(), timeout=KEY_SECONDS)
    return {key.key_id: Ed25519PublicKey.from_public_bytes(key.public_key) for key in answer.keys}


def main(name: str, wire: Callable[[Environment], Service]) -> int:
    """Serve until SIGTERM or SIGINT; give the exit code."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        settings, _ = config.load()
        logs.configure(settings.log_level)
        service, running = start(name, settings, wire)
    except LockstepError as error:
        sys.stderr.write(f"lockstep-{name}: {logs.redact(str(error))}\n")
        return 2 if isinstance(error, InvalidInputError) else 1
    log.info("serving", service=service.full_name, address=running.address)
    ended.wait()
    log.info("draining", service=service.full_name)
    service.drain()
    running.stop(DRAIN_SECONDS)
    service.close()
    return 0


def start(
    name: str,
    settings: config.Settings,
    wire: Callable[[Environment], Service],
) -> tuple[Service, serve.RunningServer]:
    """Wire a service and serve it. Raises LockstepError when a setting is missing or an address taken."""
    certificates = certificates_of(settings)
    listen = settings.listen or _default_listen(name, settings)
    if certificates is None and not _is_loopback(listen):
        raise _missing("tls.certificate", f"{listen} can be reached from outside, so TLS is needed")
    service = wire(Environment(name, settings, certificates))
    server_settings = serve.ServerSettings(
        listen,
        certificates=certificates,
        reflection=settings.mode == "standalone" if settings.reflection is None else settings.reflection,
        health_port=settings.health_port,
    )
    running = serve.start(
        service.full_name,
        service.register,
        settings=server_settings,
        verifier=service.verifier,
        public_methods=service.public_methods,
    )
    serve_metrics(settings.metrics_port)
    return service, running


def serve_metrics(port: int) -> None:
    """Answer Prometheus on a port of its own; 0 is off. Raises UnavailableError when it is taken."""
    if not port:
        return
    try:
        prometheus_client.start_http_server(port)
    except OSError as error:
        raise UnavailableError(
            f"metrics cannot be served on port {port}: {error.strerror}",
            remedy="stop what listens there, or set metrics_port (LOCKSTEP_METRICS_PORT)",
        ) from error


def certificates_of(settings: config.Settings) -> Certificates | None:
    """Give the files of TLS; InvalidInputError when one is missing that server mode, or the others, need."""
    tls = settings.tls
    if tls.certificate and tls.key and tls.authority:
        certificates = Certificates(tls.certificate, tls.key, tls.authority)
        certificates.check()
        return certificates
    if settings.mode == "server" or tls.certificate or tls.key or tls.authority:
        missing = next(key for key in ("certificate", "key", "authority") if getattr(tls, key) is None)
        raise _missing(f"tls.{missing}", "name certificate, key and authority; services speak mutual TLS only")
    return None


def _default_listen(name: str, settings: config.Settings) -> str:
    port = getattr(settings.addresses, name).rpartition(":")[2]
    return f"{'0.0.0.0' if settings.mode == 'server' else '127.0.0.1'}:{port}"  # noqa: S104  inside the cluster


def _is_loopback(address: str) -> bool:
    return address.startswith(("unix:", "127.", "localhost:", "[::1]:"))


def _wrong_database() -> InvalidInputError:
    return InvalidInputError(
        "the setting database_url (LOCKSTEP_DATABASE_URL) is no address of a PostgreSQL database",
        remedy="write it like postgresql://user:password@host/database",
    )


def _missing(key: str, remedy: str) -> InvalidInputError:
    variable = config.PREFIX + key.upper().replace(".", "__")
    return InvalidInputError(f"the setting {key} is missing ({variable})", remedy=remedy)
