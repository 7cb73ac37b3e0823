"""All wiring of auth."""

import time
from collections.abc import Callable
from typing import Final

import grpc

from protos.auth.v1 import auth_pb2_grpc
from services.auth.audit import Audit
from services.auth.forge_checks import ForgeChecks, RealForges
from services.auth.forge_hosts import ForgeHosts
from services.auth.keyring import check_master_key, load_verification_keys, open_signer, verification_keys
from services.auth.ports import ForgeDesk
from services.auth.servicer import AuthServicer
from services.auth.sessions import Sessions
from services.auth.tenants import Tenants
from services.auth.vault import Vault
from services.auth.workspaces import Workspaces
from services.core.errors import InvalidInputError
from services.runtime.database import Database
from services.runtime.ids import new_id

__all__ = ["PUBLIC_METHODS", "SERVICE", "load_verification_keys", "register", "wire"]

SERVICE: Final = "lockstep.auth.v1.AuthService"
SHORTEST_KEY: Final = 32
# Callable without an identity: they are how one gets or checks an identity.
PUBLIC_METHODS: Final = frozenset(
    f"/{SERVICE}/{method}" for method in ("ExchangeSession", "IssueServiceIdentity", "ListVerificationKeys")
)


def wire(
    *,
    database: Database,
    vault: Vault,
    internal_key: bytes,
    github_url: str = "",
    gitlab_url: str = "",
    forges: ForgeDesk | None = None,
    clock: Callable[[], float] = time.time,
    ids: Callable[[], str] = new_id,
) -> AuthServicer:
    """Put the service together on a migrated database (``services.auth.tables.metadata``).

    ``internal_key`` is what services prove themselves with; an empty forge URL turns that forge off. Raises
    StateError (reason MASTER_KEY) when the vault's keys are not those of this database, InvalidInputError for
    a weak internal key.
    """
    if len(internal_key) < SHORTEST_KEY:
        raise InvalidInputError(
            f"the internal key has less than {SHORTEST_KEY} bytes",
            remedy="make one with `lockstep keys generate`",
        )
    check_master_key(database, vault)
    signer = open_signer(database, vault, int(clock()), ids)
    audit = Audit(database, clock, ids)
    hosts = ForgeHosts(github_url, gitlab_url)
    workspaces = Workspaces(database, vault, hosts, audit, clock, ids)
    return AuthServicer(
        tenants=Tenants(database, audit, clock, ids),
        sessions=Sessions(database, signer, audit, internal_key, clock, ids),
        workspaces=workspaces,
        checks=ForgeChecks(forges or RealForges(), hosts, workspaces),
        audit=audit,
        verification_keys=lambda: verification_keys(database),
    )


def register(server: grpc.Server, servicer: AuthServicer) -> None:
    """Add the service to a server."""
    auth_pb2_grpc.add_AuthServiceServicer_to_server(servicer, server)
