"""The RPCs of the git service: message in, domain call, message out."""

from collections.abc import Callable, Iterator

import grpc

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.git import (
    blame,
    blobs,
    convert,
    convert_files,
    history,
    making,
    names,
    pushing,
    restoring,
    revisions,
    tags,
    versions,
)
from services.git.mirror import Mirror, Parts
from services.runtime.context import caller
from services.runtime.identity import Role

_WRITERS = ("sync", "pr")


class GitServicer(git_pb2_grpc.GitServiceServicer):
    """Answers for the mirrors of all tenants; a call reaches those of its own tenant only.

    Writing is for the services sync and pr; people may read what they are viewers of.
    """

    def __init__(self, parts: Parts, close: Callable[[], None]) -> None:
        """Take what mirrors are worked with, and what to do at the end."""
        self.parts = parts
        self.close = close

    def Fetch(self, request: git_pb2.FetchRequest, context: grpc.ServicerContext) -> Iterator[git_pb2.FetchResponse]:
        """Bring a mirror up to date."""
        yield from convert.fetched(self._write(request.workspace_id).fetch())

    def GetStatus(self, request: git_pb2.GetStatusRequest, context: grpc.ServicerContext) -> git_pb2.GetStatusResponse:
        """Ask the remote where it is."""
        mirror = self._read(request.workspace_id)
        imported = names.optional_oid(request.imported_oid, "imported_oid")
        head = mirror.remote_head()
        return git_pb2.GetStatusResponse(remote_oid=head, commits_behind=history.behind(mirror, head, imported))

    def ListRemoteRefs(
        self,
        request: git_pb2.ListRemoteRefsRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.ListRemoteRefsResponse:
        """Ask a remote for its refs."""
        mirror = self._read(request.workspace_id)
        patterns = names.ref_patterns(request.patterns) or ["refs/heads/*"]
        found = mirror.remote_refs(convert.remote(mirror, request.remote), patterns)
        refs = [git_pb2.ListRemoteRefsResponse.Ref(name=name, oid=oid) for name, oid in sorted(found.items())]
        return git_pb2.ListRemoteRefsResponse(refs=refs)

    def ListChangedPaths(
        self,
        request: git_pb2.ListChangedPathsRequest,
        context: grpc.ServicerContext,
    ) -> Iterator[git_pb2.ListChangedPathsResponse]:
        """Compare two trees."""
        mirror = self._read(request.workspace_id)
        old, new = names.optional_oid(request.old_oid, "old_oid"), names.oid(request.new_oid, "new_oid")
        folders = convert.folders(request.folders)
        found = history.changed_paths(mirror, old, new, folders, find_renames=request.find_renames)
        yield from convert.changes(found)

    def ReadBlobs(
        self,
        request: git_pb2.ReadBlobsRequest,
        context: grpc.ServicerContext,
    ) -> Iterator[git_pb2.ReadBlobsResponse]:
        """Stream blobs."""
        mirror = self._read(request.workspace_id)
        limit = request.max_blob_bytes or blobs.MAX_BLOB_BYTES
        yield from map(convert.blob_batch, blobs.read_blobs(mirror, convert.oids(request), limit))

    def ReadFile(self, request: git_pb2.ReadFileRequest, context: grpc.ServicerContext) -> git_pb2.ReadFileResponse:
        """Read one file."""
        mirror = self._read(request.workspace_id)
        commit = names.oid(request.commit_oid, "commit_oid")
        file = history.read_file(mirror, commit, names.readable_path(request.path))
        return git_pb2.ReadFileResponse(content=file.content, blob_oid=file.blob, mode=file.mode)

    def CreateCommit(
        self,
        request_iterator: Iterator[git_pb2.CreateCommitRequest],
        context: grpc.ServicerContext,
    ) -> git_pb2.CreateCommitResponse:
        """Build a commit by editing trees."""
        workspace_id, header, edits = convert.header_and_edits(request_iterator)
        made = making.create_commit(self._write(workspace_id), header, edits)
        return git_pb2.CreateCommitResponse(commit_oid=made.commit, tree_oid=made.tree, blob_oids=made.blobs)

    def CreateMergeCommit(
        self,
        request: git_pb2.CreateMergeCommitRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.CreateMergeCommitResponse:
        """Merge two commits."""
        mirror = self._write(request.workspace_id)
        ours, theirs = names.oid(request.ours_oid, "ours_oid"), names.oid(request.theirs_oid, "theirs_oid")
        author = convert.person(request.author, "author")
        committer = convert.person(request.committer, "committer") if request.HasField("committer") else author
        commit = making.create_merge(mirror, ours, theirs, request.message, author, committer, request.time)
        return git_pb2.CreateMergeCommitResponse(commit_oid=commit)

    def Push(self, request: git_pb2.PushRequest, context: grpc.ServicerContext) -> Iterator[git_pb2.PushResponse]:
        """Move a branch of a remote."""
        mirror = self._write(request.workspace_id)
        branch, new = names.branch(request.branch), names.oid(request.new_oid, "new_oid")
        old = names.optional_oid(request.expected_old_oid, "expected_old_oid")
        remote = convert.remote(mirror, request.remote)
        yield from convert.pushed(pushing.push(mirror, remote, branch, new, old))

    def CreateBranch(
        self,
        request: git_pb2.CreateBranchRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.CreateBranchResponse:
        """Create a branch on a remote."""
        mirror = self._write(request.workspace_id)
        branch, oid = names.branch(request.branch), names.oid(request.oid, "oid")
        remote = convert.remote(mirror, request.remote, git_pb2.REMOTE_PUSH)
        return git_pb2.CreateBranchResponse(created=pushing.create_branch(mirror, remote, branch, oid))

    def DeleteBranch(
        self,
        request: git_pb2.DeleteBranchRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.DeleteBranchResponse:
        """Delete a branch on a remote."""
        mirror = self._write(request.workspace_id)
        branch, old = names.branch(request.branch), names.oid(request.expected_old_oid, "expected_old_oid")
        remote = convert.remote(mirror, request.remote, git_pb2.REMOTE_PUSH)
        return git_pb2.DeleteBranchResponse(deleted=pushing.delete_branch(mirror, remote, branch, old))

    def ListCommits(
        self,
        request: git_pb2.ListCommitsRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.ListCommitsResponse:
        """List commits."""
        mirror = self._read(request.workspace_id)
        to, since = names.oid(request.to_oid, "to_oid"), names.optional_oid(request.from_oid, "from_oid")
        path = names.readable_path(request.path) if request.path else b""
        page, token = history.list_commits(mirror, to, since, path, request.page_size, request.page_token)
        return git_pb2.ListCommitsResponse(commits=[convert.commit(c) for c in page], next_page_token=token)

    def ResolveRevision(
        self,
        request: git_pb2.ResolveRevisionRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.ResolveRevisionResponse:
        """Find the commit that a name stands for."""
        mirror = self._read(request.workspace_id)
        return git_pb2.ResolveRevisionResponse(commit_oid=revisions.resolve(mirror, request.revision))

    def ListPathHistory(
        self,
        request: git_pb2.ListPathHistoryRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.ListPathHistoryResponse:
        """List the versions of a file."""
        mirror = self._read(request.workspace_id)
        commit, path = names.oid(request.commit_oid, "commit_oid"), names.readable_path(request.path)
        page, token = versions.path_history(mirror, commit, path, request.page_size, request.page_token)
        found = map(convert_files.version, page)
        return git_pb2.ListPathHistoryResponse(versions=found, next_page_token=token)

    def Diff(self, request: git_pb2.DiffRequest, context: grpc.ServicerContext) -> Iterator[git_pb2.DiffResponse]:
        """Compare two commits, or a commit and content, line by line."""
        yield from convert_files.diff(self._read(request.workspace_id), request)

    def Blame(self, request: git_pb2.BlameRequest, context: grpc.ServicerContext) -> Iterator[git_pb2.BlameResponse]:
        """Say who last changed each line."""
        mirror = self._read(request.workspace_id)
        commit, path = names.oid(request.commit_oid, "commit_oid"), names.readable_path(request.path)
        hunks = blame.blame(mirror, commit, path, request.first_line, request.last_line)
        yield from convert_files.blamed(hunks)

    def ListTags(self, request: git_pb2.ListTagsRequest, context: grpc.ServicerContext) -> git_pb2.ListTagsResponse:
        """Ask a remote for its tags."""
        mirror = self._read(request.workspace_id)
        remote = convert.remote(mirror, request.remote)
        size, token = request.page_size, request.page_token
        page, token = tags.list_tags(mirror, remote, annotations=request.with_annotations, size=size, token=token)
        return git_pb2.ListTagsResponse(tags=map(convert_files.tag, page), next_page_token=token)

    def RestorePath(
        self,
        request: git_pb2.RestorePathRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.RestorePathResponse:
        """Build a commit with a path as it was, and push it where that is asked for."""
        mirror = self._restore(request.workspace_id)
        header = convert_files.restoring_header(request, caller())
        place = convert_files.place(mirror, request)
        done = restoring.restore_path(mirror, header, request.from_oid, request.path, place)
        return git_pb2.RestorePathResponse(commit_oid=done.commit, tree_oid=done.tree, pushed=done.pushed)

    def DropMirror(
        self,
        request: git_pb2.DropMirrorRequest,
        context: grpc.ServicerContext,
    ) -> git_pb2.DropMirrorResponse:
        """Forget a mirror."""
        identity = caller()
        if not identity.service:
            # Who removes or re-addresses a workspace; the mirror itself is only a cache.
            identity.require(Role.ADMIN)
            Mirror(self.parts, identity.tenant_id, request.workspace_id).drop()
        else:
            self._write(request.workspace_id).drop()
        return git_pb2.DropMirrorResponse()

    def _read(self, workspace_id: str) -> Mirror:
        identity = caller()
        if identity.service:
            identity.require_service(*_WRITERS)
        identity.require(Role.VIEWER)
        return Mirror(self.parts, identity.tenant_id, workspace_id)

    def _restore(self, workspace_id: str) -> Mirror:
        identity = caller()
        if identity.service:
            return self._write(workspace_id)
        identity.require(Role.ADMIN)
        return Mirror(self.parts, identity.tenant_id, workspace_id)

    def _write(self, workspace_id: str) -> Mirror:
        identity = caller()
        identity.require_service(*_WRITERS)
        return Mirror(self.parts, identity.tenant_id, workspace_id)
