"""The git service as publications need it."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core.publication.content import Author
from services.pr.model import Item, Publication
from services.runtime.clients import Metadata, as_tenant

Remote: TypeAlias = git_pb2.Remote.ValueType
TARGET: Final = git_pb2.REMOTE_TARGET
PUSH: Final = git_pb2.REMOTE_PUSH
_MESSAGE_BYTES: Final = 1024 * 1024
_MOST_COMMITS: Final = 1000


class GitClient:
    """Calls the git service as the pr service, in the tenant and workspace of a publication."""

    def __init__(self, stub: git_pb2_grpc.GitServiceStub) -> None:
        """Take a stub on a channel of ``services.runtime.clients``."""
        self._stub = stub

    def fetch(self, publication: Publication) -> None:
        """Bring the mirror up to date with the target branch."""
        request = git_pb2.FetchRequest(workspace_id=publication.workspace_id)
        for _ in self._stub.Fetch(request, metadata=_as(publication)):
            pass

    def head(self, publication: Publication, remote: Remote, branch: str) -> str:
        """Ask a remote where a branch is; "" when there is none."""
        name = f"refs/heads/{branch}"
        request = git_pb2.ListRemoteRefsRequest(
            workspace_id=publication.workspace_id,
            remote=remote,
            patterns=[name],
        )
        answer = self._stub.ListRemoteRefs(request, metadata=_as(publication))
        return next((ref.oid for ref in answer.refs if ref.name == name.encode()), "")

    def commit(
        self, publication: Publication, items: Sequence[Item], author: Author, message: str
    ) -> tuple[str, dict[int, str]]:
        """Build the publication's commit; give it, and the blob of each file by record key.

        The time is the publication's, so the same publication gives the same commit.
        """
        edits = _edits(items)
        header = git_pb2.CommitHeader(
            workspace_id=publication.workspace_id,
            base_oid=publication.base_oid,
            message=message,
            author=_person(author),
            committer=_person(publication.creator),
            time=publication.created_at,
            keep_as=f"publications/{publication.id}",
        )
        answer = self._stub.CreateCommit(_messages(header, edits), metadata=_as(publication))
        blobs = {edit.path: oid for edit, oid in zip(edits, answer.blob_oids, strict=True)}
        written = {item.record_key: blobs[item.path] for item in items if item.action != "delete"}
        return answer.commit_oid, written

    def push(self, publication: Publication, remote: Remote, branch: str, *, new: str, old: str) -> None:
        """Move a branch from ``old`` ("" for none) to ``new``; raise MovedError when it is elsewhere."""
        request = git_pb2.PushRequest(
            workspace_id=publication.workspace_id,
            remote=remote,
            branch=branch,
            new_oid=new,
            expected_old_oid=old,
        )
        for _ in self._stub.Push(request, metadata=_as(publication)):
            pass

    def delete_branch(self, publication: Publication) -> None:
        """Delete the publication's branch while it holds only our commit."""
        request = git_pb2.DeleteBranchRequest(
            workspace_id=publication.workspace_id,
            remote=PUSH,
            branch=publication.branch,
            expected_old_oid=publication.commit_oid,
        )
        self._stub.DeleteBranch(request, metadata=_as(publication))

    def merge(self, publication: Publication, *, ours: str, theirs: str, message: str) -> str:
        """Give the commit that merges ``theirs`` into ``ours``; ``ours`` when it holds theirs already."""
        request = git_pb2.CreateMergeCommitRequest(
            workspace_id=publication.workspace_id,
            ours_oid=ours,
            theirs_oid=theirs,
            message=message,
            author=_person(publication.merger),
            time=publication.merge_time,
        )
        return self._stub.CreateMergeCommit(request, metadata=_as(publication)).commit_oid

    def descends(self, publication: Publication, newer: str) -> bool:
        """Say whether a commit holds the publication's commit among its ancestors."""
        request = git_pb2.ListCommitsRequest(
            workspace_id=publication.workspace_id,
            to_oid=newer,
            from_oid=publication.commit_oid,
            page_size=_MOST_COMMITS,
        )
        answer = self._stub.ListCommits(request, metadata=_as(publication))
        return any(publication.commit_oid in commit.parent_oids for commit in answer.commits)


def _as(publication: Publication) -> Metadata:
    return as_tenant(publication.tenant_id)


def _person(author: Author) -> common_pb2.Person:
    return common_pb2.Person(name=author.name, email=author.email)


def _edits(items: Sequence[Item]) -> list[git_pb2.TreeEdit]:
    written = {item.path for item in items if item.action != "delete"}
    left = {item.old_path or item.path for item in items if item.old_path or item.action == "delete"}
    # A path that one record leaves and another takes is written once; git keeps no trace of the exchange.
    edits = [git_pb2.TreeEdit(path=path, delete=True) for path in sorted(left - written)]
    edits += [
        git_pb2.TreeEdit(path=item.path, content=item.content or b"") for item in items if item.action != "delete"
    ]
    return edits


def _messages(header: git_pb2.CommitHeader, edits: Sequence[git_pb2.TreeEdit]) -> Iterator[git_pb2.CreateCommitRequest]:
    yield git_pb2.CreateCommitRequest(header=header)
    batch, size = git_pb2.CommitEdits(), 0
    for edit in edits:
        weight = edit.ByteSize()
        if batch.edits and size + weight > _MESSAGE_BYTES:
            yield git_pb2.CreateCommitRequest(edits=batch)
            batch, size = git_pb2.CommitEdits(), 0
        batch.edits.append(edit)
        size += weight
    if batch.edits:
        yield git_pb2.CreateCommitRequest(edits=batch)
