"""A running auth service as tests see it, and the people who call it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from protos.auth.v1 import auth_pb2 as pb
from protos.auth.v1 import auth_pb2_grpc
from services.auth import bootstrap, server, tables
from services.auth.vault import Vault
from services.runtime import clients, serve
from services.runtime.database import Database
from services.runtime.identity import Verifier

INTERNAL_KEY = b"k" * 48
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Clock:
    """The present time, moved on by ``ahead`` seconds."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Person:
    """Somebody with a token; ``metadata`` is what the gateway would send for them."""

    token: str
    identity: str
    tenant_id: str
    user: pb.User

    @property
    def metadata(self) -> Metadata:
        return (("authorization", f"Bearer {self.identity}"),)


@dataclass
class World:
    """Auth over real gRPC on a real database."""

    stub: auth_pb2_grpc.AuthServiceStub
    database: Database
    clock: Clock
    verifier: Verifier
    operator_token: str
    master_key: str = field(repr=False)

    def person(self, token: str) -> Person:
        """Sign in."""
        answer = self.stub.ExchangeSession(pb.ExchangeSessionRequest(session_token=token))
        return Person(token, answer.identity, answer.tenant_id, answer.user)

    def operator(self) -> Person:
        """Give the first operator."""
        return self.person(self.operator_token)

    def tenant(self, name: str) -> Person:
        """Make a tenant; give its administrator."""
        request = pb.CreateTenantRequest(
            name=name, admin_username="ada", admin_name="Ada L", admin_email=f"ada@{name}.invalid"
        )
        answer = self.stub.CreateTenant(request, metadata=self.operator().metadata)
        return self.person(answer.admin_token)

    def user(self, admin: Person, username: str, role: pb.Role.ValueType) -> Person:
        """Add a user to the administrator's tenant."""
        request = pb.CreateUserRequest(username=username, name=username.title(), role=role)
        return self.person(self.stub.CreateUser(request, metadata=admin.metadata).token)

    def service(self, name: str, tenant_id: str) -> Metadata:
        """Give the metadata of a service in a tenant."""
        proof = clients.prove(name, INTERNAL_KEY, int(self.clock()))
        request = pb.IssueServiceIdentityRequest(service_proof=proof, tenant_id=tenant_id)
        answer = self.stub.IssueServiceIdentity(request)
        return (("authorization", f"Bearer {answer.identity}"),)

    def workspace(
        self,
        person: Person,
        name: str = "records",
        *,
        repository_url: str = "",
        upstream_url: str = "",
        token: str = "",
    ) -> pb.Workspace:
        """Add a workspace."""
        url = repository_url or f"https://github.com/team/{name}.git"
        request = pb.CreateWorkspaceRequest(name=name, repository_url=url, upstream_url=upstream_url, token=token)
        return self.stub.CreateWorkspace(request, metadata=person.metadata).workspace


@contextmanager
def running(database: Database, socket_folder: Path, *, github_url: str = "", gitlab_url: str = "") -> Iterator[World]:
    """Serve auth on a migrated database; the first operator is made."""
    clock, master_key = Clock(), Fernet.generate_key().decode()
    servicer = server.wire(
        database=database,
        vault=Vault.open(master_key),
        internal_key=INTERNAL_KEY,
        github_url=github_url,
        gitlab_url=gitlab_url,
        clock=clock,
    )
    token = bootstrap.ensure_admin_token_file(
        database, socket_folder / "admin-token", clock=clock, name="Op", email="op@example.org"
    )
    assert token is not None
    verifier = Verifier(lambda: server.load_verification_keys(database))
    listening = serve.start(
        server.SERVICE,
        lambda grpc_server: server.register(grpc_server, servicer),
        settings=serve.ServerSettings(f"unix:{socket_folder}/auth"),
        verifier=verifier,
        public_methods=server.PUBLIC_METHODS,
    )
    channel = clients.connect(listening.address)
    try:
        stub = auth_pb2_grpc.AuthServiceStub(channel)
        yield World(stub, database, clock, verifier, token.reveal(), master_key)
    finally:
        channel.close()
        listening.stop(0)


def open_database(url: str) -> Database:
    """Open auth's database and make its tables."""
    database = Database.open(url, "auth", tables.metadata)
    database.migrate()
    return database
