"""The git service as an import needs it."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2, git_pb2_grpc
from protos.sync.v1 import sync_pb2
from services.core.errors import BusyError, InvalidInputError, NotFoundError, StateError, UnavailableError
from services.runtime.clients import as_tenant
from services.sync.store import Scope

_OIDS_A_CALL: Final = 10_000
_OID: Final = 40


class Change(NamedTuple):
    """One path that differs. ``status`` is git's letter: A, M, D, R or T; blob (hex) and mode are empty for D."""

    status: str
    path: bytes
    blob: str
    mode: int
    old_path: bytes


class Blob(NamedTuple):
    """A blob's content; ``data`` is None when it is too large or missing (``size`` -1)."""

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

    def last_change(self, scope: Scope, commit: str, path: bytes) -> sync_pb2.Change | None:
        """Give who changed a file last, up to a commit; None where git cannot say (any more)."""
        request = git_pb2.ListPathHistoryRequest(
            workspace_id=scope.workspace_id, commit_oid=commit, path=path, page_size=1
        )
        try:
            found = self._stub.ListPathHistory(request, metadata=as_tenant(scope.tenant_id)).versions
        except (NotFoundError, StateError, UnavailableError, InvalidInputError, BusyError):
            # History may have been rewritten, or the remote be away: what was merged is known all the same.
            return None
        made = found[0].commit
        return sync_pb2.Change(author=made.author.name, time=made.time, commit_oid=made.oid)

    def read_file(self, scope: Scope, commit: str, path: bytes) -> git_pb2.ReadFileResponse:
        """Give a file at a commit; raise NotFoundError when it is not there."""
        request = git_pb2.ReadFileRequest(workspace_id=scope.workspace_id, commit_oid=commit, path=path)
        return self._stub.ReadFile(request, metadata=as_tenant(scope.tenant_id))

    def changed_paths(
        self,
        scope: Scope,
        old: str,
        new: str,
        folders: Iterable[str],
    ) -> Iterator[Change]:
        """Give what differs between two commits below folders; all files of ``new`` when ``old`` is empty."""
        request = git_pb2.ListChangedPathsRequest(
            workspace_id=scope.workspace_id,
            old_oid=old,
            new_oid=new,
            folders=[folder.encode() for folder in folders],
            find_renames=bool(old),
        )
        for message in self._stub.ListChangedPaths(request, metadata=as_tenant(scope.tenant_id)):
            yield from changes_in(message)

    def read_blobs(self, scope: Scope, oids: Iterable[str]) -> Iterator[Blob]:
        """Give blobs in the order asked for."""
        remaining, limit = iter(oids), self._max_file_bytes
        while part := list(islice(remaining, _OIDS_A_CALL)):
            request = git_pb2.ReadBlobsRequest(workspace_id=scope.workspace_id, oids=part, max_blob_bytes=limit)
            yield from blobs_in(self._stub.ReadBlobs(request, metadata=as_tenant(scope.tenant_id)), limit)


def changes_in(message: git_pb2.ListChangedPathsResponse) -> Iterator[Change]:
    """Give the changes that the columns of a message stand for."""
    old_paths = iter(message.old_paths.split(b"\0"))
    modes = iter(message.new_modes)
    blobs, at = message.new_blobs.decode(), 0
    for status, path in zip(message.statuses.decode(), message.paths.split(b"\0"), strict=False):
        old = next(old_paths) if status == "R" else b""
        if status == "D":
            yield Change(status, path, "", 0, old)
        else:
            yield Change(status, path, blobs[at : at + _OID], next(modes), old)
            at += _OID


def blobs_in(messages: Iterable[git_pb2.ReadBlobsResponse], limit: int) -> Iterator[Blob]:
    """Give the blobs in a stream of messages; those above ``limit`` bytes come without content."""
    parts: list[bytes] = []
    size = missing = 0
    for message in messages:
        data = message.data
        at = min(missing, len(data))
        if missing:
            parts.append(data[:at])
            missing -= at
            if not missing:
                yield Blob(size, b"".join(parts))
                parts = []
        for size in message.sizes:
            if size < 0 or size > limit:
                yield Blob(size, None)
                continue
            end = at + size
            if end > len(data):
                parts, missing = [data[at:]], end - len(data)
            else:
                yield Blob(size, data[at:end])
            at = end
