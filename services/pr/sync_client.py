"""The sync service as publications need it."""

from dataclasses import dataclass
from typing import Final

from protos.common.v1 import common_pb2
from protos.sync.v1 import sync_pb2, sync_pb2_grpc
from services.core.errors import NotFoundError, StateError, UnavailableError
from services.core.publication.content import Action, Author, Remark, ReviewName
from services.pr.model import Item, Publication
from services.pr.preview import LeftOut, PlannedFile, Preview
from services.runtime.clients import as_tenant

_REVIEWS: Final[dict[int, ReviewName]] = {
    sync_pb2.REVIEW_STATE_UNSPECIFIED: "",
    sync_pb2.REVIEW_STATE_UNREVIEWED: "unreviewed",
    sync_pb2.REVIEW_STATE_RESERVED: "reserved",
    sync_pb2.REVIEW_STATE_VALIDATED: "validated",
    sync_pb2.REVIEW_STATE_REJECTED: "rejected",
}


@dataclass(frozen=True)
class Reserved:
    """The commit that records stand on, what their files shall hold, and the ids of those that wait for review."""

    base_oid: str
    items: list[Item]
    awaiting_review: tuple[str, ...] = ()


class SyncClient:
    """Calls the sync service as the pr service, in the tenant and workspace of a publication."""

    def __init__(self, stub: sync_pb2_grpc.SyncServiceStub) -> None:
        """Take a stub on a channel of ``services.runtime.clients``."""
        self._stub = stub

    def reserve(self, publication: Publication) -> Reserved:
        """Set the records aside.

        Asked again it gives the same answer. Raises StateError (reason NOTHING_TO_PUBLISH) for none,
        NeedsPersonError (why "review") where some are to be validated first.
        """
        request = sync_pb2.ReserveRecordsRequest(
            workspace_id=publication.workspace_id,
            publication_id=publication.id,
            record_ids=publication.record_ids,
            override_review=publication.review_override,
            expected_revision=publication.expected_revision,
        )
        base_oid, items, awaiting = "", list[Item](), list[str]()
        for message in self._stub.ReserveRecords(request, metadata=as_tenant(publication.tenant_id)):
            base_oid = base_oid or message.base_commit_oid
            items += [_item(record) for record in message.records]
            awaiting += message.awaiting_review
        if not items:
            raise StateError(
                "nothing is pending",
                remedy="edit a record first; see `lockstep git-status`",
                reason="NOTHING_TO_PUBLISH",
            )
        return Reserved(base_oid, items, tuple(awaiting))

    def preview(self, publication: Publication) -> Preview:
        """Say what ``reserve`` would set aside; it sets nothing aside. Raises what that raises."""
        request = sync_pb2.PreviewRecordsRequest(
            workspace_id=publication.workspace_id,
            record_ids=publication.record_ids,
            override_review=publication.review_override,
        )
        head, files = sync_pb2.PreviewRecordsResponse(), list[PlannedFile]()
        for message in self._stub.PreviewRecords(request, metadata=as_tenant(publication.tenant_id)):
            head = head if head.base_commit_oid else message
            files += [PlannedFile(_item(one.record), one.diff, one.diff_cut) for one in message.records]
        left_out = [LeftOut(one.record_id, one.collection, one.why, one.message) for one in head.left_out]
        return Preview(head.base_commit_oid, head.revision, files, left_out, head.left_out_count)

    def run_import(self, publication: Publication) -> None:
        """Bring the target branch in; costs next to nothing when it has not moved."""
        request = sync_pb2.RunImportRequest(workspace_id=publication.workspace_id)
        for message in self._stub.RunImport(request, metadata=as_tenant(publication.tenant_id)):
            if message.HasField("run") and message.run.state == sync_pb2.RUN_STATE_FAILED:
                raise UnavailableError(
                    f"the import failed: {message.run.error}",
                    remedy="see `lockstep runs list`",
                    metadata={"run_id": message.run.id},
                )

    def merged(self, publication: Publication) -> dict[int, int]:
        """Give when the target branch was seen to hold records, by record key; only those it holds."""
        request = sync_pb2.GetReservationsRequest(
            workspace_id=publication.workspace_id,
            publication_id=publication.id,
        )
        answer = self._stub.GetReservations(request, metadata=as_tenant(publication.tenant_id))
        return {
            reservation.record_key: reservation.merged_at or publication.created_at
            for reservation in answer.reservations
            if reservation.merged
        }

    def release(self, publication: Publication) -> None:
        """Give the records that are not merged back as pending; nothing is to be done where they are gone."""
        request = sync_pb2.ReleaseRecordsRequest(
            workspace_id=publication.workspace_id,
            publication_id=publication.id,
        )
        try:
            self._stub.ReleaseRecords(request, metadata=as_tenant(publication.tenant_id))
        except NotFoundError:
            return


def _author(person: common_pb2.Person) -> Author:
    # A commit names nobody without a name and an address.
    name = person.name or person.email or "unknown"
    return Author(name, person.email or "unknown@lockstep.invalid")


def _item(record: sync_pb2.ReservedRecord) -> Item:
    moved = bool(record.old_path) and record.old_path != record.path
    action: Action = "update"
    if record.delete:
        action = "delete"
    elif record.create:
        action = "create"
    elif moved:
        action = "rename"
    return Item(
        record_key=record.record_key,
        record_id=record.record_id,
        collection=record.collection,
        revision=record.revision,
        path=record.path,
        old_path=record.old_path if moved else b"",
        action=action,
        content=None if record.delete else record.file_content,
        # PostgreSQL keeps no NUL in a text.
        title=record.title.replace("\0", ""),
        date=record.date.replace("\0", ""),
        changed=tuple(record.changed),
        quality=record.quality if record.quality >= 0 else None,
        remarks=tuple(Remark(f.pointer, f.rule, f.message, f.error) for f in record.findings),
        authors=tuple(_author(person) for person in record.authors),
        conflicts_settled=record.conflicts_settled,
        review=_REVIEWS[record.review],
    )
