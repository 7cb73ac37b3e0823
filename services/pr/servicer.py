"""The PrService: message in, call, message out."""

from collections.abc import Iterator

import grpc

from protos.pr.v1 import pr_pb2, pr_pb2_grpc
from services.pr import convert
from services.pr.publications import Asked, Publications
from services.runtime.context import caller
from services.runtime.identity import Identity, Role


class PrServicer(pr_pb2_grpc.PrServiceServicer):
    """Answers the calls of ``protos/pr/v1/pr.proto``."""

    def __init__(self, publications: Publications) -> None:
        """Take what callers may ask of publications."""
        self._publications = publications

    def CreatePublication(
        self, request: pr_pb2.CreatePublicationRequest, context: grpc.ServicerContext
    ) -> pr_pb2.CreatePublicationResponse:
        who = _as(Role.EDITOR)
        asked = Asked(
            workspace_id=request.workspace_id,
            record_ids=tuple(request.record_ids),
            title=request.title,
            description=request.description,
            request_id=request.request_id,
            review_override=request.override_review.strip(),
            expected_target=request.expected_target_oid,
            expected_revision=request.expected_revision,
        )
        stored = self._publications.create(who, asked)
        return pr_pb2.CreatePublicationResponse(publication=convert.publication(stored))

    def PlanPublication(
        self, request: pr_pb2.PlanPublicationRequest, context: grpc.ServicerContext
    ) -> Iterator[pr_pb2.PlanPublicationResponse]:
        asked = Asked(
            workspace_id=request.workspace_id,
            record_ids=tuple(request.record_ids),
            title=request.title,
            description=request.description,
            request_id="",
            review_override=request.override_review.strip(),
        )
        yield from convert.plan(self._publications.plan(_as(Role.EDITOR), asked))

    def GetPublication(
        self, request: pr_pb2.GetPublicationRequest, context: grpc.ServicerContext
    ) -> pr_pb2.GetPublicationResponse:
        who = _as(Role.VIEWER)
        publication, items = self._publications.get(who, request.workspace_id, request.publication)
        return pr_pb2.GetPublicationResponse(publication=convert.publication_with_items(publication, items))

    def ListPublications(
        self, request: pr_pb2.ListPublicationsRequest, context: grpc.ServicerContext
    ) -> pr_pb2.ListPublicationsResponse:
        page, token = self._publications.page(
            _as(Role.VIEWER),
            request.workspace_id,
            open_only=request.open_only,
            size=request.page_size,
            token=request.page_token,
        )
        publications = [convert.publication(publication) for publication in page]
        return pr_pb2.ListPublicationsResponse(publications=publications, next_page_token=token)

    def WatchPublication(
        self, request: pr_pb2.WatchPublicationRequest, context: grpc.ServicerContext
    ) -> Iterator[pr_pb2.WatchPublicationResponse]:
        for now in self._publications.watch(_as(Role.VIEWER), request.publication_id):
            yield pr_pb2.WatchPublicationResponse(publication=convert.publication(now), progress=convert.progress(now))

    def RefreshPublication(
        self, request: pr_pb2.RefreshPublicationRequest, context: grpc.ServicerContext
    ) -> pr_pb2.RefreshPublicationResponse:
        now = self._publications.refresh(_as(Role.EDITOR), request.publication_id)
        return pr_pb2.RefreshPublicationResponse(publication=convert.publication(now))

    def MergePublication(
        self, request: pr_pb2.MergePublicationRequest, context: grpc.ServicerContext
    ) -> pr_pb2.MergePublicationResponse:
        now = self._publications.merge(_as(Role.REVIEWER), request.publication_id)
        return pr_pb2.MergePublicationResponse(publication=convert.publication(now), merge_commit_oid=now.merge_oid)

    def ClosePublication(
        self, request: pr_pb2.ClosePublicationRequest, context: grpc.ServicerContext
    ) -> pr_pb2.ClosePublicationResponse:
        now = self._publications.close(_as(Role.EDITOR), request.publication_id)
        return pr_pb2.ClosePublicationResponse(publication=convert.publication(now))


def _as(role: Role) -> Identity:
    who = caller()
    who.require(role)
    return who
