"""Wires the git service together."""

import threading
from functools import partial
from pathlib import Path
from typing import Final

import grpc

from protos.git.v1 import git_pb2_grpc
from services.git.housekeeping import Housekeeping, Schedule
from services.git.locks import WriterLocks
from services.git.mirror import Parts
from services.git.objects import ObjectPool
from services.git.ports import Workspaces
from services.git.quota import Quota
from services.git.remotes import Policy
from services.git.runner import Runner
from services.git.servicer import GitServicer
from services.runtime.config import GitPolicy

SERVICE: Final = "lockstep.git.v1.GitService"


def policy_of(settings: GitPolicy, *, standalone: bool) -> Policy:
    """Give the policy that settings stand for; one person's own machine may also use http, file and its network."""
    base = Policy.standalone() if standalone else Policy()
    return Policy(
        allowed_protocols=base.allowed_protocols | frozenset(settings.allowed_protocols),
        allow_private_addresses=base.allow_private_addresses or settings.allow_private_addresses,
        timeout_seconds=settings.timeout_seconds,
        max_file_bytes=settings.max_file_bytes,
        quota_bytes=settings.quota_bytes,
    )


def schedule_of(settings: GitPolicy) -> Schedule:
    """Give the schedule of housekeeping that settings stand for."""
    return Schedule(seconds=settings.housekeeping_seconds, idle_days=settings.idle_days)


def wire(data_dir: Path, workspaces: Workspaces, policy: Policy, schedule: Schedule | None = None) -> GitServicer:
    """Give the servicer with everything behind it; ``close()`` it at the end. Mirrors are at ``data_dir/git``.

    Housekeeping begins at once where there is a schedule for it.
    """
    root = data_dir / "git"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    runner = Runner(policy)
    pool = ObjectPool(runner)
    wanted = threading.Event()
    parts = Parts(
        root=root.resolve(),
        runner=runner,
        pool=pool,
        locks=WriterLocks(policy.lock_seconds),
        workspaces=workspaces,
        quota=Quota(root.resolve(), policy.quota_bytes, wanted.set),
        wanted=wanted,
    )
    housekeeping = Housekeeping(parts, schedule or Schedule())
    housekeeping.start()
    return GitServicer(parts, partial(_close, housekeeping, pool, runner))


def register(server: grpc.Server, servicer: GitServicer) -> None:
    """Add the service to a server."""
    git_pb2_grpc.add_GitServiceServicer_to_server(servicer, server)


def _close(housekeeping: Housekeeping, pool: ObjectPool, runner: Runner) -> None:
    housekeeping.close()
    pool.close()
    runner.close()
