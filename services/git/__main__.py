"""``python -m services.git``: serve the git service from the environment."""

import sys

from services.git import server
from services.git.workspaces import AuthWorkspaces
from services.runtime.launch import Environment, Service, main


def wire(environment: Environment) -> Service:
    """Put the service together from the settings."""
    policy = server.policy_of(environment.settings.git, standalone=environment.settings.mode == "standalone")
    schedule = server.schedule_of(environment.settings.git)
    servicer = server.wire(environment.settings.data, AuthWorkspaces(environment.auth), policy, schedule)
    return Service(
        full_name=server.SERVICE,
        register=lambda grpc_server: server.register(grpc_server, servicer),
        verifier=environment.verifier,
        close=servicer.close,
    )


if __name__ == "__main__":
    sys.exit(main("git", wire))
