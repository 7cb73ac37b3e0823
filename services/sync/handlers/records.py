"""Records: lists, edits, history, and many at once."""

from collections.abc import Iterator

import grpc
import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.runtime.context import caller
from services.runtime.identity import Role
from services.sync import (
    history,
    listing,
    loading,
    review,
)
from services.sync.editing import Edit
from services.sync.handlers.base import Handlers
from services.sync.store import Scope
from services.sync.upload import Upload
from services.sync.validating import validate_records


class RecordHandlers(Handlers):
    """Records: lists, edits, history, and many at once."""

    def ListRecords(
        self, request: sync_pb2.ListRecordsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListRecordsResponse:
        """List records."""
        self._search_ready(request.workspace_id, request.query)
        with self._reading(request.workspace_id) as (tx, scope):
            page = listing.records_page(tx, scope, request)
            review.annotate(tx, scope, page.records, int(self._clock()), findings=request.with_findings)
        return page

    def GetRecord(
        self, request: sync_pb2.GetRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetRecordResponse:
        """Read one record."""
        with self._reading(request.workspace_id) as (tx, scope):
            found = listing.record(tx, scope, request.record_id, request.collection)
            review.annotate(tx, scope, [found.record], int(self._clock()), findings=True)
        return found

    def CreateRecord(
        self, request: sync_pb2.CreateRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.CreateRecordResponse:
        """Add a record."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.CreateRecordResponse:
            row = self._editor(tx, scope).create(request.collection, request.record_id, request.content)
            return sync_pb2.CreateRecordResponse(record=self._reviewed(tx, scope, row))

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
            return sync_pb2.UpdateRecordResponse(record=self._reviewed(tx, scope, row))

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
            return validate_records(tx, scope, request)

    def ListRevisions(
        self, request: sync_pb2.ListRevisionsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListRevisionsResponse:
        """List versions of a record."""
        with self._reading(request.workspace_id) as (tx, scope):
            return history.revisions_page(tx, scope, request)

    def RestoreRecord(
        self, request: sync_pb2.RestoreRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.RestoreRecordResponse:
        """Put a record back to one of its versions."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.RestoreRecordResponse:
            row = history.restore(tx, scope, request, caller(), self._clock)
            return sync_pb2.RestoreRecordResponse(record=self._reviewed(tx, scope, row))

        return self._once(request, Role.EDITOR, sync_pb2.RestoreRecordResponse, work)

    def ExportRecords(
        self, request: sync_pb2.ExportRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.ExportRecordsResponse]:
        """Give all records of a selection."""
        self._search_ready(request.workspace_id, request.query)
        with self._reading(request.workspace_id) as (tx, scope):
            yield from listing.exported(tx, scope, request)

    def LoadRecords(
        self, request_iterator: Iterator[sync_pb2.LoadRecordsRequest], context: grpc.ServicerContext
    ) -> sync_pb2.LoadRecordsResponse:
        """Add and change records by the lines of a file."""
        with Upload(request_iterator) as upload:
            header = upload.header
            caller().require(Role.VIEWER if header.plan else Role.EDITOR)
            content = upload.receive()
            if header.plan:
                with self._reading(header.workspace_id) as (tx, scope):
                    return loading.plan(tx, scope, upload, self._editor(tx, scope))

            def work(tx: sa.Connection, scope: Scope) -> sync_pb2.LoadRecordsResponse:
                return loading.apply(tx, scope, upload, self._editor(tx, scope))

            return self._once(header, Role.EDITOR, sync_pb2.LoadRecordsResponse, work, content)
