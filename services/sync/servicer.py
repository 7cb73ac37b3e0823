"""The sync service's RPCs: message in, domain call, message out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias, TypeVar

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message

from protos.common.v1 import common_pb2
from protos.sync.v1 import sync_pb2, sync_pb2_grpc
from services.core.errors import InvalidInputError
from services.runtime import paging
from services.runtime.context import caller
from services.runtime.database import Database
from services.runtime.identity import Role
from services.runtime.requests import Repeat, once
from services.sync import convert, inbox_store, listing, record_store, reserving, settings, status, store
from services.sync.editing import Edit, Editor, find_record, validate_records
from services.sync.git_client import GitClient
from services.sync.importer import Importer, Options
from services.sync.settling import Settler
from services.sync.store import Scope
from services.sync.tables import requests

_TAKES: Final = {
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
    | sync_pb2.ResolveConflictRequest
)


class SyncServicer(sync_pb2_grpc.SyncServiceServicer):
    """Answers for the records of the caller's tenant."""

    def __init__(self, database: Database, git: GitClient, importer: Importer, clock: Callable[[], float]) -> None:
        """Take the records' database, the git service, the importer and a clock in seconds since the epoch."""
        self._database = database
        self._git = git
        self._importer = importer
        self._clock = clock

    def CreateCollection(
        self, request: sync_pb2.CreateCollectionRequest, context: grpc.ServicerContext
    ) -> sync_pb2.CreateCollectionResponse:
        """Add a collection."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.CreateCollectionResponse:
            collection = settings.create(tx, scope, request.collection)
            return sync_pb2.CreateCollectionResponse(collection=convert.collection_message(collection))

        return self._once(request, Role.ADMIN, sync_pb2.CreateCollectionResponse, work)

    def ListCollections(
        self, request: sync_pb2.ListCollectionsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListCollectionsResponse:
        """List collections."""
        with self._reading(request.workspace_id) as (tx, scope):
            found = [convert.collection_message(c.collection) for c in store.list_collections(tx, scope)]
        return sync_pb2.ListCollectionsResponse(collections=found)

    def UpdateCollection(
        self, request: sync_pb2.UpdateCollectionRequest, context: grpc.ServicerContext
    ) -> sync_pb2.UpdateCollectionResponse:
        """Replace a collection's settings."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.UpdateCollectionResponse:
            collection = settings.update(tx, scope, request.collection)
            return sync_pb2.UpdateCollectionResponse(collection=convert.collection_message(collection))

        return self._once(request, Role.ADMIN, sync_pb2.UpdateCollectionResponse, work)

    def DeleteCollection(
        self, request: sync_pb2.DeleteCollectionRequest, context: grpc.ServicerContext
    ) -> sync_pb2.DeleteCollectionResponse:
        """Remove a collection."""
        with self._writing(request.workspace_id, Role.ADMIN) as (tx, scope):
            settings.delete(tx, scope, request.collection, force=request.force)
        return sync_pb2.DeleteCollectionResponse()

    def ListRecords(
        self, request: sync_pb2.ListRecordsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListRecordsResponse:
        """List records."""
        with self._reading(request.workspace_id) as (tx, scope):
            return listing.records_page(tx, scope, request)

    def GetRecord(
        self, request: sync_pb2.GetRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetRecordResponse:
        """Read one record."""
        with self._reading(request.workspace_id) as (tx, scope):
            return listing.record(tx, scope, request.record_id, request.collection)

    def CreateRecord(
        self, request: sync_pb2.CreateRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.CreateRecordResponse:
        """Add a record."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.CreateRecordResponse:
            row = self._editor(tx, scope).create(request.collection, request.record_id, request.content)
            return sync_pb2.CreateRecordResponse(record=listing.message(tx, scope, row))

        return self._once(request, Role.EDITOR, sync_pb2.CreateRecordResponse, work)

    def UpdateRecord(
        self, request: sync_pb2.UpdateRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.UpdateRecordResponse:
        """Change a record."""
        edit = Edit(
            fields=[(field.pointer, field.value) for field in request.edits],
            content=request.content,
            file_content=request.file_content,
            expected_revision=request.expected_revision,
            known_fields_only=request.known_fields_only,
        )

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.UpdateRecordResponse:
            row = self._editor(tx, scope).update(request.record_id, request.collection, edit)
            return sync_pb2.UpdateRecordResponse(record=listing.message(tx, scope, row))

        return self._once(request, Role.EDITOR, sync_pb2.UpdateRecordResponse, work)

    def DeleteRecord(
        self, request: sync_pb2.DeleteRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.DeleteRecordResponse:
        """Delete a record."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.DeleteRecordResponse:
            self._editor(tx, scope).delete(request.record_id, request.collection)
            return sync_pb2.DeleteRecordResponse()

        return self._once(request, Role.EDITOR, sync_pb2.DeleteRecordResponse, work)

    def ValidateRecords(
        self, request: sync_pb2.ValidateRecordsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ValidateRecordsResponse:
        """Check records against schema and rules."""
        with self._reading(request.workspace_id) as (tx, scope):
            checked, passed, found = validate_records(tx, scope, request.collection, request.record_ids)
        findings = [convert.finding_message(record_id, f, error=error) for record_id, error, f in found]
        return sync_pb2.ValidateRecordsResponse(checked=checked, passed=passed, findings=findings)

    def ListRevisions(
        self, request: sync_pb2.ListRevisionsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListRevisionsResponse:
        """List versions of a record."""
        with self._reading(request.workspace_id) as (tx, scope):
            row, _ = find_record(tx, scope, request.record_id, request.collection)
            return listing.revisions_page(tx, scope, row, paging.size(request.page_size), request.page_token)

    def RunImport(
        self, request: sync_pb2.RunImportRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.RunImportResponse]:
        """Import from Git."""
        who = caller()
        who.require(Role.VIEWER if request.plan else Role.EDITOR)
        options = Options(plan=request.plan, confirmed=request.confirm_deletes, request_id=request.request_id)
        events = self._importer.run(self._scope(request.workspace_id), who.username, options)
        for event in events:
            if isinstance(event, common_pb2.Progress):
                yield sync_pb2.RunImportResponse(progress=event)
            else:
                yield sync_pb2.RunImportResponse(run=convert.result_message(event))

    def GetSyncStatus(
        self, request: sync_pb2.GetSyncStatusRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetSyncStatusResponse:
        """Say whether database and Git are in step."""
        caller().require(Role.VIEWER)
        return status.sync_status(self._database, self._git, self._scope(request.workspace_id))

    def ListRuns(self, request: sync_pb2.ListRunsRequest, context: grpc.ServicerContext) -> sync_pb2.ListRunsResponse:
        """List runs."""
        with self._reading(request.workspace_id) as (tx, scope):
            rows, token = store.list_runs(tx, scope, paging.size(request.page_size), request.page_token)
        return sync_pb2.ListRunsResponse(runs=map(convert.run_message, rows), next_page_token=token)

    def GetRun(self, request: sync_pb2.GetRunRequest, context: grpc.ServicerContext) -> sync_pb2.GetRunResponse:
        """Read one run."""
        with self._reading(request.workspace_id) as (tx, scope):
            return sync_pb2.GetRunResponse(run=convert.run_message(store.get_run(tx, scope, request.run_id)))

    def ListConflicts(
        self, request: sync_pb2.ListConflictsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListConflictsResponse:
        """List conflicts."""
        with self._reading(request.workspace_id) as (tx, scope):
            return listing.conflicts_page(tx, scope, request)

    def GetConflict(
        self, request: sync_pb2.GetConflictRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetConflictResponse:
        """Read one conflict."""
        with self._reading(request.workspace_id) as (tx, scope):
            return sync_pb2.GetConflictResponse(conflict=listing.conflict(tx, scope, request.conflict_id))

    def ResolveConflict(
        self, request: sync_pb2.ResolveConflictRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ResolveConflictResponse:
        """Settle one conflict."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.ResolveConflictResponse:
            settler = Settler(tx, scope, caller(), self._clock)
            settler.resolve(request.conflict_id, _TAKES[request.take], request.value)
            key = inbox_store.get_conflict(tx, scope, request.conflict_id).record_key
            record = listing.message(tx, scope, record_store.by_key(tx, scope, key))
            conflict = listing.conflict(tx, scope, request.conflict_id)
            return sync_pb2.ResolveConflictResponse(conflict=conflict, record=record)

        return self._once(request, Role.EDITOR, sync_pb2.ResolveConflictResponse, work)

    def ListQuarantine(
        self, request: sync_pb2.ListQuarantineRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListQuarantineResponse:
        """List files in quarantine."""
        with self._reading(request.workspace_id) as (tx, scope):
            return listing.quarantine_page(tx, scope, request)

    def ReserveRecords(
        self, request: sync_pb2.ReserveRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.ReserveRecordsResponse]:
        """Set records aside for a publication."""
        caller().require_service("pr")
        scope = self._scope(request.workspace_id)
        with self._database.begin(scope.tenant_id) as tx:
            reserved = reserving.reserve(tx, scope, request.publication_id, request.record_ids)
        yield from reserving.batches(reserved)

    def GetReservations(
        self, request: sync_pb2.GetReservationsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetReservationsResponse:
        """Say which records of a publication are merged."""
        caller().require_service("pr")
        with self._reading(request.workspace_id) as (tx, scope):
            rows = record_store.reservations_of(tx, scope, request.publication_id)
        return sync_pb2.GetReservationsResponse(reservations=map(convert.reservation_message, rows))

    def ReleaseRecords(
        self, request: sync_pb2.ReleaseRecordsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ReleaseRecordsResponse:
        """Give a publication's records back as pending."""
        caller().require_service("pr")
        with self._writing(request.workspace_id, Role.EDITOR) as (tx, scope):
            released = reserving.release(tx, scope, request.publication_id, int(self._clock()))
        return sync_pb2.ReleaseRecordsResponse(released=released)

    def DeleteWorkspaceData(
        self, request: sync_pb2.DeleteWorkspaceDataRequest, context: grpc.ServicerContext
    ) -> sync_pb2.DeleteWorkspaceDataResponse:
        """Remove all that a workspace holds."""
        with self._writing(request.workspace_id, Role.ADMIN) as (tx, scope):
            settings.delete_workspace(tx, scope, force=request.force)
        return sync_pb2.DeleteWorkspaceDataResponse()

    def _scope(self, workspace_id: str) -> Scope:
        if not workspace_id:
            raise InvalidInputError("no workspace is named", remedy="send its id")
        return Scope(caller().tenant_id, workspace_id)

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
    ) -> M:
        """Do work once per request id; give the same answer to the same id."""
        with self._writing(request.workspace_id, role) as (tx, scope):
            content = request.SerializeToString(deterministic=True)
            repeat = Repeat(request.request_id, scope.tenant_id, request.DESCRIPTOR.full_name, content)
            now = int(self._clock())
            return kind.FromString(once(tx, requests, repeat, now, lambda: work(tx, scope).SerializeToString()))
