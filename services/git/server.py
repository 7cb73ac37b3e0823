"""Wires the git service together."""

from functools import partial
from pathlib import Path
from typing import Final

import grpc

from protos.git.v1 import git_pb2_grpc
from services.git.locks import WriterLocks
from services.git.mirror import Parts
from services.git.objects import ObjectPool
from services.git.ports import Workspaces
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
    )


def wire(data_dir: Path, workspaces: Workspaces, policy: Policy) -> GitServicer:
    """Give the servicer with everything behind it; ``close()`` it at the end. Mirrors are at ``data_dir/git``."""
    root = data_dir / "git"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    runner = Runner(policy)
    pool = ObjectPool(runner)
    parts = Parts(
        root=root.resolve(),
        runner=runner,
        pool=pool,
        locks=WriterLocks(policy.lock_seconds),
        workspaces=workspaces,
    )
    return GitServicer(parts, partial(_close, pool, runner))


def register(server: grpc.Server, servicer: GitServicer) -> None:
    """Add the service to a server."""
    git_pb2_grpc.add_GitServiceServicer_to_server(servicer, server)


def _close(pool: ObjectPool, runner: Runner) -> None:
    pool.close()
    runner.close()
