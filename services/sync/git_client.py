"""The git service as an import needs it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2, git_pb2_grpc
from services.runtime.clients import as_tenant
from services.sync.store import Scope

_OIDS_A_MESSAGE: Final = 1_000


@dataclass(frozen=True)
class Blob:
    """A blob's content; ``data`` is None when it is too large or missing (``size`` -1)."""

    oid: str
    size: int
    data: bytes | None


class GitClient:
    """Calls the git service as the sync service, in the tenant of a workspace."""

    def __init__(self, stub: git_pb2_grpc.GitServiceStub, max_file_bytes: int) -> None:
        """Take a stub on a channel of ``services.runtime.clients``, and the largest file that is read, in bytes."""
        self._stub = stub
        self._max_file_bytes = max_file_bytes

    def fetch(self, scope: Scope) -> Iterator[common_pb2.Progress | git_pb2.FetchResult]:
        """Bring the mirror up to date; give progress, then the result."""
        request = git_pb2.FetchRequest(workspace_id=scope.workspace_id)
        for event in self._stub.Fetch(request, metadata=as_tenant(scope.tenant_id)):
            yield event.result if event.HasField("result") else event.progress

    def status(self, scope: Scope, imported: str) -> git_pb2.GetStatusResponse:
        """Ask the remote where the target branch is."""
        request = git_pb2.GetStatusRequest(workspace_id=scope.workspace_id, imported_oid=imported)
        return self._stub.GetStatus(request, metadata=as_tenant(scope.tenant_id))

    def changed_paths(
        self,
        scope: Scope,
        old: str,
        new: str,
        folders: Iterable[str],
    ) -> Iterator[git_pb2.ChangedPath]:
        """Give what differs between two commits below folders; all files of ``new`` when ``old`` is empty."""
        request = git_pb2.ListChangedPathsRequest(
            workspace_id=scope.workspace_id,
            old_oid=old,
            new_oid=new,
            folders=[folder.encode() for folder in folders],
            find_renames=bool(old),
        )
        for message in self._stub.ListChangedPaths(request, metadata=as_tenant(scope.tenant_id)):
            yield from message.changes

    def read_blobs(self, scope: Scope, oids: Iterable[str]) -> Iterator[Blob]:
        """Give blobs in the order asked for."""
        parts: list[bytes] = []
        requests = self._blob_requests(scope, oids)
        for message in self._stub.ReadBlobs(requests, metadata=as_tenant(scope.tenant_id)):
            for piece in message.pieces:
                if piece.size < 0 or piece.size > self._max_file_bytes:
                    if piece.last:
                        yield Blob(piece.oid, piece.size, None)
                elif piece.last and not parts:
                    yield Blob(piece.oid, piece.size, piece.data)
                else:
                    parts.append(piece.data)
                    if piece.last:
                        yield Blob(piece.oid, piece.size, b"".join(parts))
                        parts = []

    def _blob_requests(self, scope: Scope, oids: Iterable[str]) -> Iterator[git_pb2.ReadBlobsRequest]:
        remaining = iter(oids)
        first = True
        while part := list(islice(remaining, _OIDS_A_MESSAGE)):
            yield git_pb2.ReadBlobsRequest(
                workspace_id=scope.workspace_id if first else "",
                oids=part,
                max_blob_bytes=self._max_file_bytes if first else 0,
            )
            first = False
