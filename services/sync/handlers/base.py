"""What the handlers of all RPCs share: who asks, in which transaction, and the same answer to the same request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message

from protos.sync.v1 import sync_pb2, sync_pb2_grpc
from services.core.errors import InvalidInputError
from services.runtime.context import caller
from services.runtime.database import Database
from services.runtime.identity import Role
from services.runtime.jobs import JobQueue
from services.runtime.requests import Repeat, once
from services.sync import (
    listing,
    review,
    store,
)
from services.sync.editing import Editor
from services.sync.git_client import GitClient
from services.sync.importer import Importer
from services.sync.polling import Schedule
from services.sync.search_index import SearchIndex
from services.sync.store import Scope
from services.sync.tables import jobs, requests

TAKES: Final = {
    sync_pb2.TAKE_UNSPECIFIED: "value",
    sync_pb2.TAKE_OURS: "ours",
    sync_pb2.TAKE_THEIRS: "theirs",
}
M = TypeVar("M", bound=Message)
Mutation: TypeAlias = (
    sync_pb2.CreateCollectionRequest
    | sync_pb2.UpdateCollectionRequest
    | sync_pb2.CreateRecordRequest
    | sync_pb2.UpdateRecordRequest
    | sync_pb2.DeleteRecordRequest
    | sync_pb2.RestoreRecordRequest
    | sync_pb2.LoadRecordsRequest.Header
    | sync_pb2.ResolveConflictRequest
    | sync_pb2.ResolveConflictsRequest
    | sync_pb2.UndoResolutionRequest
    | sync_pb2.ReserveReviewRequest
    | sync_pb2.ReviewRecordRequest
)


class Handlers(sync_pb2_grpc.SyncServiceServicer):
    """The parts of the service, and how its methods reach them."""

    def __init__(self, database: Database, git: GitClient, importer: Importer, clock: Callable[[], float]) -> None:
        """Take the records' database, the git service, the importer and a clock in seconds since the epoch."""
        self._database = database
        self._git = git
        self.importer = importer
        self._clock = clock
        self._schedule = Schedule(JobQueue(database, jobs, clock))
        self._search = SearchIndex(database)

    def _scope(self, workspace_id: str) -> Scope:
        if not workspace_id:
            raise InvalidInputError("no workspace is named", remedy="send its id")
        return Scope(caller().tenant_id, workspace_id)

    def _reviewed(self, tx: sa.Connection, scope: Scope, row: sa.Row[Any]) -> sync_pb2.Record:
        """Give a record with its content, its review and what its rules find."""
        found = listing.message(tx, scope, row)
        review.annotate(tx, scope, [found], int(self._clock()), findings=True)
        return found

    def _search_ready(self, workspace_id: str, query: str) -> None:
        """Bring the search up to date for one that is about to be made."""
        if query:
            caller().require(Role.VIEWER)
            self._search.catch_up(self._scope(workspace_id))

    def _editor(self, tx: sa.Connection, scope: Scope) -> Editor:
        return Editor(tx, scope, caller(), self._clock)

    @contextmanager
    def _reading(self, workspace_id: str) -> Iterator[tuple[sa.Connection, Scope]]:
        caller().require(Role.VIEWER)
        scope = self._scope(workspace_id)
        with self._database.read(scope.tenant_id) as tx:
            yield tx, scope

    @contextmanager
    def _writing(self, workspace_id: str, role: Role) -> Iterator[tuple[sa.Connection, Scope]]:
        caller().require(role)
        scope = self._scope(workspace_id)
        with self._database.begin(scope.tenant_id) as tx:
            store.lock(tx, scope)
            yield tx, scope

    def _once(
        self,
        request: Mutation,
        role: Role,
        kind: type[M],
        work: Callable[[sa.Connection, Scope], M],
        content: bytes = b"",
    ) -> M:
        """Do work once per request id; give the same answer to the same id. ``content`` is what else it is asked."""
        with self._writing(request.workspace_id, role) as (tx, scope):
            content += request.SerializeToString(deterministic=True)
            repeat = Repeat(request.request_id, scope.tenant_id, request.DESCRIPTOR.full_name, content)
            now = int(self._clock())
            return kind.FromString(once(tx, requests, repeat, now, lambda: work(tx, scope).SerializeToString()))
