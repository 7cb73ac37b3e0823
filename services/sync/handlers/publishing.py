"""What the pr service asks for: records of a publication."""

from collections.abc import Iterator

import grpc

from protos.sync.v1 import sync_pb2
from services.runtime.context import caller
from services.runtime.identity import Role
from services.sync import (
    convert,
    previewing,
    record_store,
    reserving,
)
from services.sync.handlers.base import Handlers


class PublishingHandlers(Handlers):
    """What the pr service asks for: records of a publication."""

    def ReserveRecords(
        self, request: sync_pb2.ReserveRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.ReserveRecordsResponse]:
        """Set records aside for a publication."""
        caller().require_service("pr")
        scope = self._scope(request.workspace_id)
        with self._database.begin(scope.tenant_id) as tx:
            reason = request.override_review.strip()
            wish = reserving.Wish(request.publication_id, request.record_ids, reason, request.expected_revision)
            reserved = reserving.reserve(tx, scope, wish, int(self._clock()))
        yield from reserving.batches(reserved)

    def PreviewRecords(
        self, request: sync_pb2.PreviewRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.PreviewRecordsResponse]:
        """Say what a publication would set aside."""
        caller().require_service("pr")
        scope = self._scope(request.workspace_id)
        wish = reserving.Wish("", request.record_ids, request.override_review.strip())
        yield from previewing.batches(previewing.preview(self._database, scope, wish, int(self._clock())))

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
