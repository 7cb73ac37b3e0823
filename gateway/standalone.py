"""All of Lockstep in one process: databases, keys, four gRPC servers, the publication worker, the gateway.

The services talk over sockets in the data folder, which only this user can enter (over loopback on Windows).
Everything is started in ``running`` and stopped in the opposite order.
"""

import logging
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
import sqlalchemy as sa
import uvicorn

from gateway import app as gateway_app
from gateway import data_folder
from gateway.grpc_clients import ServiceAddresses
from gateway.security import LOOPBACK_HOSTS, host_name
from protos.auth.v1 import auth_pb2_grpc
from protos.git.v1 import git_pb2_grpc
from protos.sync.v1 import sync_pb2_grpc
from services.auth import bootstrap
from services.auth import server as auth_server
from services.auth import tables as auth_tables
from services.auth.vault import Vault
from services.core.errors import LockstepError, UnavailableError
from services.git import server as git_server
from services.git.workspaces import AuthWorkspaces
from services.pr import server as pr_server
from services.pr import tables as pr_tables
from services.runtime import clients, serve
from services.runtime.config import Settings
from services.runtime.database import Database, sqlite_url
from services.runtime.identity import Verifier
from services.sync import server as sync_server
from services.sync import tables as sync_tables
from services.sync.auth_client import AuthIntervals

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
# A socket's address holds about a hundred bytes; leave room for the file's name.
MAX_SOCKET_FOLDER: Final = 80


@dataclass(frozen=True)
class Running:
    """A started Lockstep. ``first_token`` is set when this start made it; it is in ``admin-token`` too."""

    url: str
    data: Path
    first_token: str = field(default="", repr=False)


@contextmanager
def running(
    settings: Settings,
    *,
    brief: bool = False,
    clock: Callable[[], float] = time.time,
) -> Iterator[Running]:
    """Serve until the block ends.

    ``brief`` is for the length of one command: any free port, and no address left for other clients.
    Raises StateError (DATA_IN_USE) when another process has the data folder, UnavailableError when a
    port or folder cannot be had.
    """
    data = settings.data.expanduser().absolute()
    data_folder.prepare(data)
    with ExitStack() as stack:
        stack.enter_context(data_folder.owned(data))
        listener = stack.enter_context(_listener(settings.host, 0 if brief else settings.port))
        url = f"http://{_url_host(settings.host)}:{listener.getsockname()[1]}"
        kept = settings.port if brief else listener.getsockname()[1]
        public_url = settings.public_url or f"http://{_url_host(settings.host)}:{kept}"
        services = _Services(stack, settings, data, clock)
        # A command is over before there would be something to see.
        addresses, token = services.start(public_url, polling=not brief)
        options = gateway_app.Options(
            addresses=addresses,
            public_url=settings.public_url,
            hosts=_hosts(settings),
            open_metrics=settings.host in ("127.0.0.1", "::1", "localhost"),
            clock=clock,
        )
        stack.enter_context(_gateway(options, listener))
        if not brief:
            stack.enter_context(data_folder.announced(data, url))
        yield Running(url, data, token)


def serve_until_signal(settings: Settings, announce: Callable[[Running], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` is called once it answers."""
    ended = threading.Event()

    def end(*_: object) -> None:
        ended.set()
        # A second signal ends a stop that hangs.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with running(settings) as lockstep:
        announce(lockstep)
        ended.wait()


class _Services:
    """Starts the services in the order in which they need one another."""

    def __init__(self, stack: ExitStack, settings: Settings, data: Path, clock: Callable[[], float]) -> None:
        self._stack = stack
        self._settings = settings
        self._data = data
        self._clock = clock
        self._folder = _socket_folder(stack, data)
        secrets = settings.secrets
        self._internal = (secrets.internal_key.get_secret_value() or data_folder.internal_key(data)).encode()
        self._master = secrets.master_keys.get_secret_value() or data_folder.master_key(data)

    def start(self, public_url: str, *, polling: bool) -> tuple[ServiceAddresses, str]:
        """Give the addresses of all services, and the first administrator's token when it was made now.

        ``polling`` lets remotes be looked at by themselves.
        """
        auth, token = self._auth()
        git = self._git(auth)
        sync = self._sync(auth, git, polling=polling)
        pr = self._pr(auth, git, sync, public_url)
        return ServiceAddresses(auth=auth, git=git, sync=sync, pr=pr), token

    def _auth(self) -> tuple[str, str]:
        database = self._database("auth", auth_tables.metadata)
        servicer = auth_server.wire(
            database=database,
            vault=Vault.open(self._master),
            internal_key=self._internal,
            github_url=self._settings.github.url,
            gitlab_url=self._settings.gitlab.url,
            clock=self._clock,
        )
        self._verifier = Verifier(lambda: auth_server.load_verification_keys(database))
        token = bootstrap.ensure_admin_token_file(
            database,
            self._data / "admin-token",
            clock=self._clock,
            name="Administrator",
            email="admin@localhost.localdomain",
        )
        address = self._serve(
            "auth",
            auth_server.SERVICE,
            lambda server: auth_server.register(server, servicer),
            auth_server.PUBLIC_METHODS,
        )
        return address, token.reveal() if token else ""

    def _git(self, auth: str) -> str:
        policy = git_server.policy_of(self._settings.git, standalone=True)
        workspaces = AuthWorkspaces(auth_pb2_grpc.AuthServiceStub(self._channel(auth, "git", auth)))
        schedule = git_server.schedule_of(self._settings.git)
        servicer = git_server.wire(self._data, workspaces, policy, schedule)
        self._stack.callback(servicer.close)
        return self._serve("git", git_server.SERVICE, lambda server: git_server.register(server, servicer))

    def _sync(self, auth: str, git: str, *, polling: bool) -> str:
        database = self._database("sync", sync_tables.metadata)
        git_stub = git_pb2_grpc.GitServiceStub(self._channel(git, "sync", auth))
        servicer = sync_server.wire(
            database=database,
            git=git_stub,
            max_file_bytes=self._settings.git.max_file_bytes,
            clock=self._clock,
        )
        address = self._serve("sync", sync_server.SERVICE, lambda server: sync_server.register(server, servicer))
        if polling:
            auth_stub = auth_pb2_grpc.AuthServiceStub(self._channel(auth, "sync", auth))
            intervals = AuthIntervals(auth_stub, self._settings.poll_seconds)
            worker = sync_server.wire_polling(
                servicer, database=database, git=git_stub, intervals=intervals, clock=self._clock
            )
            # Off is off over a restart: only what an earlier process had begun is begun again.
            worker.start(alone=not self._settings.database_url.get_secret_value(), hurry=False)
            self._stack.callback(worker.stop)
        return address

    def _pr(self, auth: str, git: str, sync: str, public_url: str) -> str:
        servicer, worker = pr_server.wire(
            database=self._database("pr", pr_tables.metadata),
            git_stub=git_pb2_grpc.GitServiceStub(self._channel(git, "pr", auth)),
            sync_stub=sync_pb2_grpc.SyncServiceStub(self._channel(sync, "pr", auth)),
            auth_stub=auth_pb2_grpc.AuthServiceStub(self._channel(auth, "pr", auth)),
            clock=self._clock,
            public_url=public_url,
            timing=pr_server.Timing(poll=self._settings.poll_seconds),
        )
        address = self._serve("pr", pr_server.FULL_NAME, lambda server: pr_server.register(server, servicer))
        # This process has the data folder to itself: leases of an earlier one are a dead worker's.
        worker.start(alone=not self._settings.database_url.get_secret_value())
        self._stack.callback(worker.stop)
        return address

    def _database(self, service: str, metadata: sa.MetaData) -> Database:
        url = self._settings.database_url.get_secret_value() or sqlite_url(self._data / f"{service}.db")
        database = Database.open(url, service, metadata)
        self._stack.callback(database.close)
        database.migrate()
        return database

    def _serve(
        self,
        name: str,
        full_name: str,
        register: Callable[[grpc.Server], None],
        public_methods: frozenset[str] = frozenset(),
    ) -> str:
        address = f"unix:{self._folder}/{name}.sock" if self._folder else "127.0.0.1:0"
        server = serve.start(
            full_name,
            register,
            settings=serve.ServerSettings(address, reflection=self._settings.reflection is not False),
            verifier=self._verifier,
            public_methods=public_methods,
        )
        self._stack.callback(server.stop, STOP_SECONDS)
        return server.address

    def _channel(self, address: str, service: str, auth: str) -> grpc.Channel:
        open_channel = clients.connect(auth)
        self._stack.callback(open_channel.close)
        stub = auth_pb2_grpc.AuthServiceStub(open_channel)
        channel = clients.connect(address, clients.ServiceIdentities(stub, service, self._internal, self._clock))
        self._stack.callback(channel.close)
        return channel


@contextmanager
def _gateway(options: gateway_app.Options, listener: socket.socket) -> Iterator[None]:
    """Run uvicorn in a thread of its own, with its own event loop."""
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        gateway_app.create(options),
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=int(STOP_SECONDS),
    )
    # It says what it does while it stops, though nothing is wrong.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="gateway", daemon=True)
    thread.start()
    until = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise LockstepError("the gateway did not start", remedy="its log, above, says why")
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


@contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    try:
        made = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UnavailableError(
            f"{host}:{port} cannot be listened on: {error.strerror}",
            remedy="stop what listens there, or choose another port with --port",
        ) from error
    with made as listener:
        yield listener


def _socket_folder(stack: ExitStack, data: Path) -> str:
    """Make the folder of the services' sockets, without what a killed process left; empty on Windows."""
    if sys.platform == "win32":
        return ""
    folder = data / "run"
    if len(str(folder)) > MAX_SOCKET_FOLDER:
        folder = Path(tempfile.mkdtemp(prefix="lockstep-"))
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return str(folder)


def _hosts(settings: Settings) -> frozenset[str]:
    """Give the names this gateway may be asked for: loopback, its own address, and the public one."""
    named = {host_name(part) for part in (settings.host, settings.public_url.partition("://")[2].partition("/")[0])}
    return LOOPBACK_HOSTS | {name for name in named if name}


def _url_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104  compared, not listened on
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
