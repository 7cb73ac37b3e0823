"""Wires the pr service."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import grpc

from protos.auth.v1 import auth_pb2_grpc
from protos.git.v1 import git_pb2_grpc
from protos.pr.v1 import pr_pb2_grpc
from protos.sync.v1 import sync_pb2_grpc
from services.pr.forge_port import AuthWorkspaces, connector
from services.pr.git_client import GitClient
from services.pr.ports import Checkpoint, Connect
from services.pr.publications import Publications
from services.pr.publish import Pace, Publisher
from services.pr.servicer import PrServicer
from services.pr.steps import Parts
from services.pr.store import KIND, Store
from services.pr.sync_client import SyncClient
from services.pr.tables import jobs
from services.pr.watch import MERGE_GRACE_SECONDS, Watching
from services.runtime.database import Database
from services.runtime.jobs import LEASE_SECONDS, JobQueue
from services.runtime.worker import IDLE_SECONDS, Worker

FULL_NAME: Final = "lockstep.pr.v1.PrService"
THREADS: Final = 4


@dataclass(frozen=True)
class Timing:
    """Pauses and lives in seconds. ``poll`` 0: open publications are looked at only when asked."""

    poll: float = 60.0
    idle: float = IDLE_SECONDS
    lease: float = LEASE_SECONDS
    merge_grace: int = MERGE_GRACE_SECONDS


def _pass(_name: str) -> None:
    """Let every step go on."""


def wire(
    *,
    database: Database,
    git_stub: git_pb2_grpc.GitServiceStub,
    sync_stub: sync_pb2_grpc.SyncServiceStub,
    auth_stub: auth_pb2_grpc.AuthServiceStub,
    clock: Callable[[], float],
    public_url: str,
    timing: Timing | None = None,
    checkpoint: Checkpoint = _pass,
    connect: Connect | None = None,
    threads: int = THREADS,
) -> tuple[PrServicer, Worker]:
    """Give the servicer, and the worker to be started and stopped with the server.

    The database is migrated; the stubs call as the service "pr". ``public_url`` is where people reach the
    gateway. ``checkpoint`` is called by each step before and after its outside effect; ``connect`` takes
    the place of the forges.
    """
    timing = timing or Timing()
    queue = JobQueue(database, jobs, clock, timing.lease)
    parts = Parts(
        store=Store(database, queue, clock),
        git=GitClient(git_stub),
        sync=SyncClient(sync_stub),
        workspaces=AuthWorkspaces(auth_stub),
        connect=connect or connector(database, public_url),
        checkpoint=checkpoint,
    )
    publisher = Publisher(parts, Pace(timing.poll, Watching(timing.merge_grace)))
    worker = Worker(queue, {KIND: publisher.run}, threads=threads, idle_seconds=timing.idle)
    return PrServicer(Publications(parts, worker)), worker


def register(server: grpc.Server, servicer: PrServicer) -> None:
    """Add the service to a server."""
    pr_pb2_grpc.add_PrServiceServicer_to_server(servicer, server)
