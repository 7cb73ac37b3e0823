"""``python -m services.sync``: serve the sync service from the environment."""

import sys
from typing import Final

from protos.git.v1 import git_pb2_grpc
from services.runtime.launch import Environment, Service, main
from services.sync import server, tables
from services.sync.auth_client import AuthIntervals

# A job that runs longer is another replica's when its lease ends.
WORKER_SECONDS: Final = 5.0


def wire(environment: Environment) -> Service:
    """Put the service together from the settings."""
    settings = environment.settings
    git = git_pb2_grpc.GitServiceStub(environment.channel(settings.addresses.git))
    database = environment.database(tables.metadata)
    servicer = server.wire(
        database=database,
        git=git,
        max_file_bytes=settings.git.max_file_bytes,
        clock=environment.clock,
    )
    worker = server.wire_polling(
        servicer,
        database=database,
        git=git,
        intervals=AuthIntervals(environment.auth, settings.poll_seconds),
        clock=environment.clock,
    )

    def close() -> None:
        worker.stop(WORKER_SECONDS)
        database.close()

    worker.start()
    return Service(
        full_name=server.SERVICE,
        register=lambda grpc_server: server.register(grpc_server, servicer),
        verifier=environment.verifier,
        drain=lambda: worker.stop(0.0),
        close=close,
    )


if __name__ == "__main__":
    sys.exit(main("sync", wire))
