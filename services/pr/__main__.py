"""``python -m services.pr``: serves publications in server mode."""

import sys
from typing import Final

from protos.git.v1 import git_pb2_grpc
from protos.sync.v1 import sync_pb2_grpc
from services.pr.server import FULL_NAME, Timing, register, wire
from services.pr.tables import metadata
from services.runtime import launch

# A job that runs longer is another replica's when its lease ends.
WORKER_SECONDS: Final = 5.0


def service(environment: launch.Environment) -> launch.Service:
    """Wire the service from its environment, and start its worker."""
    settings = environment.settings
    database = environment.database(metadata)
    servicer, worker = wire(
        database=database,
        git_stub=git_pb2_grpc.GitServiceStub(environment.channel(settings.addresses.git)),
        sync_stub=sync_pb2_grpc.SyncServiceStub(environment.channel(settings.addresses.sync)),
        auth_stub=environment.auth,
        clock=environment.clock,
        public_url=settings.public_url,
        timing=Timing(poll=settings.poll_seconds),
    )

    def close() -> None:
        worker.stop(WORKER_SECONDS)
        database.close()

    worker.start()
    return launch.Service(
        full_name=FULL_NAME,
        register=lambda server: register(server, servicer),
        verifier=environment.verifier,
        drain=lambda: worker.stop(0.0),
        close=close,
    )


if __name__ == "__main__":
    sys.exit(launch.main("pr", service))
