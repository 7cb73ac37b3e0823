"""What waits for a person: conflicts and quarantine."""

import grpc
import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.runtime.context import caller
from services.runtime.identity import Role
from services.sync import (
    convert,
    explaining,
    listing,
    quarantine,
)
from services.sync.handlers.base import Handlers
from services.sync.settling import Settler
from services.sync.store import Scope
from services.sync.undoing import Undoer


class InboxHandlers(Handlers):
    """What waits for a person: conflicts and quarantine."""

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
            found, commit, path = explaining.conflict(tx, scope, request.conflict_id)
        change = self._git.last_change(scope, commit, path)
        if change is not None:
            found.theirs_change.CopyFrom(change)
        return sync_pb2.GetConflictResponse(conflict=found)

    def ResolveConflict(
        self, request: sync_pb2.ResolveConflictRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ResolveConflictResponse:
        """Settle one conflict."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.ResolveConflictResponse:
            Settler(tx, scope, caller(), self._clock).resolve(request.conflict_id, convert.choice_from(request))
            conflict, record = listing.settled(tx, scope, request.conflict_id)
            return sync_pb2.ResolveConflictResponse(conflict=conflict, record=record)

        return self._once(request, Role.EDITOR, sync_pb2.ResolveConflictResponse, work)

    def ResolveConflicts(
        self, request: sync_pb2.ResolveConflictsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ResolveConflictsResponse:
        """Settle many conflicts alike, or count them."""
        wanted, chosen, choice = convert.many_from(request)
        if request.count_only:
            with self._reading(request.workspace_id) as (tx, scope):
                matched = Settler(tx, scope, caller(), self._clock).count(wanted, chosen)
            return sync_pb2.ResolveConflictsResponse(matched=matched)

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.ResolveConflictsResponse:
            settler = Settler(tx, scope, caller(), self._clock)
            found = settler.resolve_many(wanted, chosen, choice, expected=request.expected_count)
            return convert.settled_message(found)

        return self._once(request, Role.EDITOR, sync_pb2.ResolveConflictsResponse, work)

    def UndoResolution(
        self, request: sync_pb2.UndoResolutionRequest, context: grpc.ServicerContext
    ) -> sync_pb2.UndoResolutionResponse:
        """Take a resolution back."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.UndoResolutionResponse:
            Undoer(tx, scope, caller(), self._clock).undo(request.conflict_id)
            conflict, record = listing.settled(tx, scope, request.conflict_id)
            return sync_pb2.UndoResolutionResponse(conflict=conflict, record=record)

        return self._once(request, Role.EDITOR, sync_pb2.UndoResolutionResponse, work)

    def GetMerge(self, request: sync_pb2.GetMergeRequest, context: grpc.ServicerContext) -> sync_pb2.GetMergeResponse:
        """Explain a merge."""
        with self._reading(request.workspace_id) as (tx, scope):
            found = explaining.merge(tx, scope, request)
        return explaining.add_git_side(self._git, scope, found)

    def ListQuarantine(
        self, request: sync_pb2.ListQuarantineRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListQuarantineResponse:
        """List files in quarantine."""
        with self._reading(request.workspace_id) as (tx, scope):
            return quarantine.page(tx, scope, request)

    def GetQuarantinedFile(
        self, request: sync_pb2.GetQuarantinedFileRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetQuarantinedFileResponse:
        """Read one of them."""
        return quarantine.file(self._reading(request.workspace_id), self._git, request)
