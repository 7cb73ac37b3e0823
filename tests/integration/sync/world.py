"""The git and the sync service over real gRPC, on a real database, against a real remote."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.git.v1 import git_pb2_grpc
from protos.sync.v1 import sync_pb2, sync_pb2_grpc
from services.core.errors import NotFoundError
from services.core.values import dumps, loads
from services.git import server as git_server
from services.git.ports import RemoteAddress, Token
from services.git.remotes import Policy
from services.runtime import clients, serve
from services.runtime.database import Database
from services.runtime.identity import Identity, Role, Verifier, sign
from services.runtime.ids import new_id
from services.sync import server as sync_server
from services.sync.servicer import SyncServicer
from services.sync.tables import metadata

TENANT = "tenant"
WORKSPACE = "workspace"
NOW = 1_800_000_000


@dataclass
class Addresses:
    """The workspaces that the git service knows."""

    remotes: dict[str, RemoteAddress] = field(default_factory=dict)

    def resolve(self, tenant_id: str, workspace_id: str) -> RemoteAddress:
        """Give the remotes of a workspace of the one tenant."""
        if tenant_id != TENANT or workspace_id not in self.remotes:
            raise NotFoundError("there is no such workspace")
        return self.remotes[workspace_id]

    def forget(self, tenant_id: str, workspace_id: str) -> None:
        """Remember nothing anyway."""


class Signer:
    """Plays auth: signs identities with a key of its own."""

    def __init__(self) -> None:
        """Make the key."""
        self.key = Ed25519PrivateKey.generate()
        self.verifier = Verifier(lambda: {"test": self.key.public_key()})

    def identity(
        self, tenant: str = TENANT, *, service: str = "", username: str = "ada", role: Role = Role.ADMIN
    ) -> str:
        """Give a signed identity."""
        who = Identity(tenant, username, username, username.title(), f"{username}@example.org", role, service)
        return sign(who, key=self.key, key_id="test", now=int(time.time()), jti=new_id())


@dataclass
class SyncWorld:
    """Both services and a stub that calls as a person."""

    sync: sync_pb2_grpc.SyncServiceStub
    git: git_pb2_grpc.GitServiceStub
    signer: Signer
    addresses: Addresses
    database: Database
    stub_as: Callable[..., Any]
    servicer: SyncServicer

    def attach(self, url: str, branch: str = "main", push_url: str = "", workspace: str = WORKSPACE) -> None:
        """Make a workspace on a remote."""
        self.addresses.remotes[workspace] = RemoteAddress(url, push_url or url, branch, "", Token(""))

    def collection(self, path: str = "data", name: str = "things", **settings: Any) -> None:
        """Add a collection."""
        message = sync_pb2.Collection(name=name, path=path, **settings)
        self.sync.CreateCollection(sync_pb2.CreateCollectionRequest(workspace_id=WORKSPACE, collection=message))

    def pull(self, **options: Any) -> sync_pb2.Run:
        """Import and give the run."""
        request = sync_pb2.RunImportRequest(workspace_id=WORKSPACE, **options)
        events = list(self.sync.RunImport(request))
        return events[-1].run

    def counts(self, **options: Any) -> dict[str, int]:
        """Import and give the counts that are not zero."""
        return {field.name: value for field, value in self.pull(**options).counts.ListFields()}

    def get(self, record_id: str) -> Any:
        """Give a record's content."""
        request = sync_pb2.GetRecordRequest(workspace_id=WORKSPACE, record_id=record_id)
        return loads(self.sync.GetRecord(request).record.content)

    def record(self, record_id: str) -> sync_pb2.Record:
        """Give a record."""
        return self.sync.GetRecord(sync_pb2.GetRecordRequest(workspace_id=WORKSPACE, record_id=record_id)).record

    def edit(self, record_id: str, **fields: Any) -> sync_pb2.Record:
        """Set top-level fields of a record."""
        edits = [sync_pb2.FieldEdit(pointer=f"/{name}", value=dumps(value)) for name, value in fields.items()]
        request = sync_pb2.UpdateRecordRequest(workspace_id=WORKSPACE, record_id=record_id, edits=edits)
        return self.sync.UpdateRecord(request).record

    def create(self, record_id: str, **fields: Any) -> sync_pb2.Record:
        """Add a record."""
        request = sync_pb2.CreateRecordRequest(workspace_id=WORKSPACE, record_id=record_id, content=dumps(fields))
        return self.sync.CreateRecord(request).record

    def delete(self, record_id: str) -> None:
        """Delete a record."""
        self.sync.DeleteRecord(sync_pb2.DeleteRecordRequest(workspace_id=WORKSPACE, record_id=record_id))

    def records(self, workspace: str = WORKSPACE, **filters: Any) -> dict[str, Any]:
        """Give the content of all records by id."""
        found: dict[str, Any] = {}
        token = ""
        while True:
            request = sync_pb2.ListRecordsRequest(
                workspace_id=workspace, with_content=True, page_size=1000, page_token=token, **filters
            )
            answer = self.sync.ListRecords(request)
            found |= {f"{r.collection}/{r.id}": (bytes(r.path), loads(r.content)) for r in answer.records}
            token = answer.next_page_token
            if not token:
                return found

    def conflicts(self) -> list[sync_pb2.Conflict]:
        """Give the open conflicts."""
        return list(self.sync.ListConflicts(sync_pb2.ListConflictsRequest(workspace_id=WORKSPACE)).conflicts)

    def resolve(self, conflict: sync_pb2.Conflict, take: str, value: bytes = b"") -> sync_pb2.Record:
        """Settle a conflict."""
        side = sync_pb2.TAKE_UNSPECIFIED if take == "value" else sync_pb2.Take.Value(f"TAKE_{take.upper()}")
        request = sync_pb2.ResolveConflictRequest(
            workspace_id=WORKSPACE, conflict_id=conflict.id, take=side, value=value
        )
        return self.sync.ResolveConflict(request).record

    def quarantine(self, workspace: str = WORKSPACE) -> list[sync_pb2.QuarantinedFile]:
        """Give the files in quarantine."""
        request = sync_pb2.ListQuarantineRequest(workspace_id=workspace, page_size=1000)
        return list(self.sync.ListQuarantine(request).files)

    def status(self) -> sync_pb2.GetSyncStatusResponse:
        """Give the sync status."""
        return self.sync.GetSyncStatus(sync_pb2.GetSyncStatusRequest(workspace_id=WORKSPACE))

    def reserve(self, publication: str = "p1", *ids: str) -> list[sync_pb2.ReservedRecord]:
        """Reserve records as the pr service does."""
        stub = self.stub_as(service="pr")
        request = sync_pb2.ReserveRecordsRequest(workspace_id=WORKSPACE, publication_id=publication, record_ids=ids)
        return [record for message in stub.ReserveRecords(request) for record in message.records]

    def reservations(self, publication: str = "p1") -> dict[str, bool]:
        """Say which records of a publication are merged."""
        stub = self.stub_as(service="pr")
        request = sync_pb2.GetReservationsRequest(workspace_id=WORKSPACE, publication_id=publication)
        return {r.record_id: r.merged for r in stub.GetReservations(request).reservations}

    def release(self, publication: str = "p1") -> int:
        """Release a publication's records."""
        stub = self.stub_as(service="pr")
        request = sync_pb2.ReleaseRecordsRequest(workspace_id=WORKSPACE, publication_id=publication)
        return int(stub.ReleaseRecords(request).released)


class _As(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Adds an identity to every call."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with(client_call_details), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with(client_call_details), request)

    def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return continuation(self._with(client_call_details), request_iterator)

    def _with(self, details: Any) -> Any:
        metadata = [*(details.metadata or ()), ("authorization", f"Bearer {self._token()}")]
        return details._replace(metadata=metadata)


@contextmanager
def sync_world(folder: Path, database_url: str, clock: Callable[[], float] = lambda: NOW) -> Iterator[SyncWorld]:
    """Start both services on free sockets; stop them at the end."""
    signer, addresses = Signer(), Addresses()
    folder.mkdir(parents=True, exist_ok=True)
    database = Database.open(database_url, "sync", metadata)
    database.migrate()
    git_servicer = git_server.wire(folder, addresses, Policy.standalone())
    settings = serve.ServerSettings(address="127.0.0.1:0")
    git_running = serve.start(
        git_server.SERVICE, lambda s: git_server.register(s, git_servicer), settings=settings, verifier=signer.verifier
    )
    as_sync = clients.connect(git_running.address, lambda tenant: signer.identity(tenant, service="sync"))
    servicer = sync_server.wire(
        database=database, git=git_pb2_grpc.GitServiceStub(as_sync), max_file_bytes=10 * 1024 * 1024, clock=clock
    )
    running = serve.start(
        sync_server.SERVICE, lambda s: sync_server.register(s, servicer), settings=settings, verifier=signer.verifier
    )
    channel = clients.connect(running.address)

    def stub_as(**who: Any) -> sync_pb2_grpc.SyncServiceStub:
        return sync_pb2_grpc.SyncServiceStub(grpc.intercept_channel(channel, _As(lambda: signer.identity(**who))))

    try:
        yield SyncWorld(stub_as(), git_pb2_grpc.GitServiceStub(as_sync), signer, addresses, database, stub_as, servicer)
    finally:
        running.stop(0)
        git_running.stop(0)
        channel.close()
        as_sync.close()
        git_servicer.close()
        database.close()
