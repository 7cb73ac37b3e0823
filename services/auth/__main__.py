"""``python -m services.auth``: serve auth from the environment.

``python -m services.auth first-admin [NAME EMAIL]`` makes the first tenant and operator of a server
installation, or a new token when they are there, and prints the token once.
"""

import sys
from typing import Final

from services.auth import bootstrap, server, tables
from services.auth.vault import Vault
from services.core.errors import LockstepError
from services.runtime import config
from services.runtime.identity import Verifier
from services.runtime.launch import Environment, Service, main

_FIRST_ADMIN: Final = "first-admin"


def wire(environment: Environment) -> Service:
    """Put the service together from the settings."""
    settings = environment.settings
    vault = Vault.open(settings.secrets.master_keys.get_secret_value())
    internal_key = environment.internal_key
    database = environment.database(tables.metadata)
    servicer = server.wire(
        database=database,
        vault=vault,
        internal_key=internal_key,
        github_url=settings.github.url,
        gitlab_url=settings.gitlab.url,
        clock=environment.clock,
    )
    return Service(
        full_name=server.SERVICE,
        register=lambda grpc_server: server.register(grpc_server, servicer),
        verifier=Verifier(lambda: server.load_verification_keys(database)),
        public_methods=server.PUBLIC_METHODS,
        close=database.close,
    )


def first_admin(name: str = "", email: str = "") -> int:
    """Print a token of the first operator; give the exit code."""
    try:
        settings, _ = config.load()
        environment = Environment("auth", settings, None)
        database = environment.database(tables.metadata)
        token = bootstrap.ensure_first_admin(database, clock=environment.clock, name=name, email=email)
        token = token or bootstrap.issue_admin_token(database, clock=environment.clock)
    except LockstepError as error:
        sys.stderr.write(f"lockstep-auth: {error}\n")
        return 1
    sys.stdout.write(token.reveal() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(first_admin(*sys.argv[2:4]) if sys.argv[1:2] == [_FIRST_ADMIN] else main("auth", wire))
