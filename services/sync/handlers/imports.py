"""Imports, runs and polling."""

from collections.abc import Iterator

import grpc

from protos.sync.v1 import sync_pb2
from services.runtime import paging
from services.runtime.context import caller
from services.runtime.identity import Role
from services.sync import (
    convert,
    status,
    store,
)
from services.sync.handlers.base import Handlers
from services.sync.reverting import Reverter


class ImportHandlers(Handlers):
    """Imports, runs and polling."""

    def RunImport(
        self, request: sync_pb2.RunImportRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.RunImportResponse]:
        """Import from Git."""
        who = caller()
        who.require(Role.VIEWER if request.plan else Role.EDITOR)
        options = convert.options_from(request, automatic=bool(who.service))
        for event in self.importer.run(self._scope(request.workspace_id), who.username, options):
            yield convert.import_event(event)

    def UndoRun(
        self, request: sync_pb2.UndoRunRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.UndoRunResponse]:
        """Take an import back."""
        who = caller()
        who.require(Role.EDITOR)
        scope = self._scope(request.workspace_id)
        reverter = Reverter(self._database, self._clock)
        yield from map(convert.undo_event, reverter.run(scope, who.username, request.run_id, request.request_id))

    def GetSyncStatus(
        self, request: sync_pb2.GetSyncStatusRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetSyncStatusResponse:
        """Say whether database and Git are in step."""
        caller().require(Role.VIEWER)
        return status.sync_status(self._database, self._git, self._scope(request.workspace_id), self._schedule)

    def ListRuns(self, request: sync_pb2.ListRunsRequest, context: grpc.ServicerContext) -> sync_pb2.ListRunsResponse:
        """List runs."""
        with self._reading(request.workspace_id) as (tx, scope):
            rows, token = store.list_runs(tx, scope, paging.size(request.page_size), request.page_token)
        return sync_pb2.ListRunsResponse(runs=map(convert.run_message, rows), next_page_token=token)

    def GetRun(self, request: sync_pb2.GetRunRequest, context: grpc.ServicerContext) -> sync_pb2.GetRunResponse:
        """Read one run."""
        with self._reading(request.workspace_id) as (tx, scope):
            return sync_pb2.GetRunResponse(run=convert.run_message(store.get_run(tx, scope, request.run_id)))

    def RequestImport(
        self, request: sync_pb2.RequestImportRequest, context: grpc.ServicerContext
    ) -> sync_pb2.RequestImportResponse:
        """Let an import run soon."""
        caller().require(Role.EDITOR)
        scope = self._scope(request.workspace_id)
        with self._database.begin(scope.tenant_id) as tx:
            self._schedule.soon(tx, scope)
        return sync_pb2.RequestImportResponse()

    def GetPolling(
        self, request: sync_pb2.GetPollingRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetPollingResponse:
        """Say how a workspace's remote is looked at."""
        with self._reading(request.workspace_id) as (tx, scope):
            return sync_pb2.GetPollingResponse(polling=self._schedule.standing(tx, scope))
