"""Collections and what a workspace holds."""

import grpc
import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.runtime.identity import Role
from services.sync import (
    convert,
    settings,
    store,
)
from services.sync.handlers.base import Handlers
from services.sync.store import Scope


class CollectionHandlers(Handlers):
    """Collections and what a workspace holds."""

    def CreateCollection(
        self, request: sync_pb2.CreateCollectionRequest, context: grpc.ServicerContext
    ) -> sync_pb2.CreateCollectionResponse:
        """Add a collection."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.CreateCollectionResponse:
            collection = settings.create(tx, scope, request.collection)
            self._schedule.watch(tx, scope)
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

    def DeleteWorkspaceData(
        self, request: sync_pb2.DeleteWorkspaceDataRequest, context: grpc.ServicerContext
    ) -> sync_pb2.DeleteWorkspaceDataResponse:
        """Remove all that a workspace holds."""
        with self._writing(request.workspace_id, Role.ADMIN) as (tx, scope):
            settings.delete_workspace(tx, scope, force=request.force)
            self._schedule.forget(tx, scope)
        return sync_pb2.DeleteWorkspaceDataResponse()
