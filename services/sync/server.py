"""Wires the sync service."""

import time
from collections.abc import Callable

import grpc

from protos.git.v1 import git_pb2_grpc
from protos.sync.v1 import sync_pb2_grpc
from services.runtime.database import Database
from services.sync import store
from services.sync.git_client import GitClient
from services.sync.importer import Importer
from services.sync.servicer import SyncServicer

SERVICE = "lockstep.sync.v1.SyncService"
# A run of another replica that is older than this was left behind by a dead process.
_ABANDONED_SECONDS = 2 * 3600


def wire(
    *,
    database: Database,
    git: git_pb2_grpc.GitServiceStub,
    max_file_bytes: int,
    clock: Callable[[], float] = time.time,
) -> SyncServicer:
    """Give the servicer. ``git`` is a stub on a channel that calls as the service "sync"."""
    now = int(clock())
    alone = database.dialect == "sqlite"
    with database.begin("") as tx:
        store.fail_abandoned_runs(tx, now + 1 if alone else now - _ABANDONED_SECONDS, now)
    client = GitClient(git, max_file_bytes)
    return SyncServicer(database, client, Importer(database, client, clock), clock)


def register(server: grpc.Server, servicer: SyncServicer) -> None:
    """Add the service to a server."""
    sync_pb2_grpc.add_SyncServiceServicer_to_server(servicer, server)
