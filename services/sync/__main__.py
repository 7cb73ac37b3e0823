"""``python -m services.sync``: serve the sync service from the environment."""

import sys

from protos.git.v1 import git_pb2_grpc
from services.runtime.launch import Environment, Service, main
from services.sync import server, tables


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
    return Service(
        full_name=server.SERVICE,
        register=lambda grpc_server: server.register(grpc_server, servicer),
        verifier=environment.verifier,
        close=database.close,
    )


if __name__ == "__main__":
    sys.exit(main("sync", wire))
