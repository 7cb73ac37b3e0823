"""The review queue."""

import grpc
import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.runtime.context import caller
from services.runtime.identity import Role
from services.sync import (
    review,
)
from services.sync.handlers.base import Handlers
from services.sync.review import Reviewer
from services.sync.store import Scope


class ReviewHandlers(Handlers):
    """The review queue."""

    def ListReviews(
        self, request: sync_pb2.ListReviewsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ListReviewsResponse:
        """List records to be reviewed."""
        with self._reading(request.workspace_id) as (tx, scope):
            return review.queue_page(tx, scope, request, int(self._clock()))

    def ReserveReview(
        self, request: sync_pb2.ReserveReviewRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ReserveReviewResponse:
        """Reserve a record for the caller to review."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.ReserveReviewResponse:
            reviewer = Reviewer(tx, scope, caller(), self._clock)
            row = reviewer.reserve(request.record_id, request.collection, pending_only=request.pending_only)
            return sync_pb2.ReserveReviewResponse(record=self._reviewed(tx, scope, row))

        return self._once(request, Role.REVIEWER, sync_pb2.ReserveReviewResponse, work)

    def ReleaseReview(
        self, request: sync_pb2.ReleaseReviewRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ReleaseReviewResponse:
        """Give a reservation back; an administrator may give back anybody's."""
        with self._writing(request.workspace_id, Role.REVIEWER) as (tx, scope):
            reviewer = Reviewer(tx, scope, caller(), self._clock)
            row = reviewer.release(request.record_id, request.collection, others=caller().role >= Role.ADMIN)
            return sync_pb2.ReleaseReviewResponse(record=self._reviewed(tx, scope, row))

    def ReviewRecord(
        self, request: sync_pb2.ReviewRecordRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ReviewRecordResponse:
        """Write a verdict on a record."""

        def work(tx: sa.Connection, scope: Scope) -> sync_pb2.ReviewRecordResponse:
            row = Reviewer(tx, scope, caller(), self._clock).give(request)
            return sync_pb2.ReviewRecordResponse(record=self._reviewed(tx, scope, row))

        return self._once(request, Role.REVIEWER, sync_pb2.ReviewRecordResponse, work)
