"""Wires the sync service."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from protos.git.v1 import git_pb2_grpc
from protos.sync.v1 import sync_pb2_grpc
from services.runtime.database import Database
from services.runtime.jobs import LEASE_SECONDS, JobQueue
from services.runtime.worker import IDLE_SECONDS, Worker
from services.sync import store
from services.sync.git_client import GitClient
from services.sync.importer import Importer
from services.sync.polling import KIND, Intervals, Poller
from services.sync.servicer import SyncServicer
from services.sync.tables import jobs

SERVICE = "lockstep.sync.v1.SyncService"
# A run of another replica that is older than this was left behind by a dead process.
_ABANDONED_SECONDS = 2 * 3600


@dataclass(frozen=True)
class Timing:
    """How polling works: how many workspaces at once; idle and lease in seconds."""

    threads: int = 4
    idle: float = IDLE_SECONDS
    lease: float = LEASE_SECONDS


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


def wire_polling(
    servicer: SyncServicer,
    *,
    database: Database,
    git: git_pb2_grpc.GitServiceStub,
    intervals: Intervals,
    clock: Callable[[], float] = time.time,
    timing: Timing | None = None,
) -> Worker:
    """Give the worker that looks at remotes by itself, to be started and stopped with the server.

    ``git`` is a stub that calls as the service "sync"; ``intervals`` knows how often workspaces want it.
    """
    timing = timing or Timing()
    queue = JobQueue(database, jobs, clock, timing.lease)
    # It reads no file itself: the importer does.
    poller = Poller(database, GitClient(git, 0), servicer.importer, intervals, clock)
    return Worker(queue, {KIND: poller.run}, threads=timing.threads, idle_seconds=timing.idle)


def register(server: grpc.Server, servicer: SyncServicer) -> None:
    """Add the service to a server."""
    sync_pb2_grpc.add_SyncServiceServicer_to_server(servicer, server)
