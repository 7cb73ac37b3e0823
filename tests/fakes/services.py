"""In-memory git, sync and auth services: real gRPC servicers over one ``World``."""

import time
from collections.abc import Iterator

import grpc

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2, git_pb2_grpc
from protos.sync.v1 import sync_pb2, sync_pb2_grpc
from services.core.errors import MovedError, NotFoundError, StateError
from services.runtime.context import caller
from tests.fakes.world import Commit, Record, World


class FakeGit(git_pb2_grpc.GitServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def Fetch(self, request: git_pb2.FetchRequest, context: grpc.ServicerContext) -> Iterator[git_pb2.FetchResponse]:
        self.world.enter("Fetch")
        head = self.world.branches["main"]
        self.world.mirror |= {oid for oid in self.world.commits if self.world.holds(head, oid)}
        yield git_pb2.FetchResponse(result=git_pb2.FetchResult(new_oid=head))

    def ListRemoteRefs(
        self, request: git_pb2.ListRemoteRefsRequest, context: grpc.ServicerContext
    ) -> git_pb2.ListRemoteRefsResponse:
        self.world.enter("ListRemoteRefs")
        refs = [
            git_pb2.ListRemoteRefsResponse.Ref(name=f"refs/heads/{name}".encode(), oid=oid)
            for name, oid in sorted(self.world.branches.items())
            if f"refs/heads/{name}" in request.patterns
        ]
        return git_pb2.ListRemoteRefsResponse(refs=refs)

    def CreateCommit(
        self, request_iterator: Iterator[git_pb2.CreateCommitRequest], context: grpc.ServicerContext
    ) -> git_pb2.CreateCommitResponse:
        caller().require_service("pr")
        self.world.enter("CreateCommit")
        header = next(request_iterator).header
        edits = [edit for message in request_iterator for edit in message.edits.edits]
        tree = self.world.tree(header.base_oid)
        for edit in edits:
            if edit.delete:
                del tree[edit.path]
            else:
                tree[edit.path] = edit.content
        message = f"{header.message}@{header.time} {header.committer.email} {self.world.signing_key}"
        made = Commit((header.base_oid,), tuple(sorted(tree.items())), message, header.author.email)
        oid = self.world.add(made)
        self.world.kept[header.keep_as] = oid
        blobs = ["" if edit.delete else f"{len(edit.content):040x}" for edit in edits]
        return git_pb2.CreateCommitResponse(commit_oid=oid, blob_oids=blobs)

    def CreateMergeCommit(
        self, request: git_pb2.CreateMergeCommitRequest, context: grpc.ServicerContext
    ) -> git_pb2.CreateMergeCommitResponse:
        self.world.enter("CreateMergeCommit")
        self._known(request.theirs_oid)
        if self.world.holds(request.ours_oid, request.theirs_oid):
            return git_pb2.CreateMergeCommitResponse(commit_oid=request.ours_oid)
        base = self.world.tree(self.world.base(request.ours_oid, request.theirs_oid))
        tree = self.world.tree(request.ours_oid)
        for path, content in self.world.tree(request.theirs_oid).items():
            if base.get(path) != content:
                tree[path] = content
        parents = (request.ours_oid, request.theirs_oid)
        made = Commit(parents, tuple(sorted(tree.items())), f"{request.message}@{request.time}", "")
        return git_pb2.CreateMergeCommitResponse(commit_oid=self.world.add(made))

    def Push(self, request: git_pb2.PushRequest, context: grpc.ServicerContext) -> Iterator[git_pb2.PushResponse]:
        self.world.enter("Push")
        self._known(request.new_oid)
        yield git_pb2.PushResponse(progress=common_pb2.Progress(phase="push"))
        now = self.world.branches.get(request.branch, "")
        if now not in (request.expected_old_oid, request.new_oid):
            raise MovedError(f"{request.branch} has moved", reason="STALE_REF")
        self.world.branches[request.branch] = request.new_oid
        yield git_pb2.PushResponse(result=git_pb2.PushResult(moved=now != request.new_oid))

    def DeleteBranch(
        self, request: git_pb2.DeleteBranchRequest, context: grpc.ServicerContext
    ) -> git_pb2.DeleteBranchResponse:
        self.world.enter("DeleteBranch")
        now = self.world.branches.get(request.branch)
        if now is not None and now != request.expected_old_oid:
            raise MovedError(f"{request.branch} has moved", reason="STALE_REF")
        self.world.branches.pop(request.branch, None)
        return git_pb2.DeleteBranchResponse(deleted=now is not None)

    def ListCommits(
        self, request: git_pb2.ListCommitsRequest, context: grpc.ServicerContext
    ) -> git_pb2.ListCommitsResponse:
        self.world.enter("ListCommits")
        found, queue = [], [request.to_oid]
        while queue:
            oid = queue.pop(0)
            if not self.world.holds(request.from_oid, oid):
                found.append(git_pb2.Commit(oid=oid, parent_oids=self.world.commits[oid].parents))
                queue += self.world.commits[oid].parents
        return git_pb2.ListCommitsResponse(commits=found)

    def _known(self, oid: str) -> None:
        if oid not in self.world.mirror:
            raise StateError(f"the commit {oid} is not in the mirror", reason="UNKNOWN_COMMIT")


class FakeSync(sync_pb2_grpc.SyncServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def ReserveRecords(
        self, request: sync_pb2.ReserveRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.ReserveRecordsResponse]:
        caller().require_service("pr")
        self.world.enter("ReserveRecords")
        with self.world.lock:
            if request.publication_id not in self.world.reserved:
                taken = [self._take(name) for name in request.record_ids or list(self.world.pending)]
                if not taken:
                    raise StateError("nothing is pending", reason="NOTHING_TO_PUBLISH", remedy="edit a record")
                self.world.reserved[request.publication_id] = (self.world.imported, taken)
        base_oid, records = self.world.reserved[request.publication_id]
        yield sync_pb2.ReserveRecordsResponse(base_commit_oid=base_oid)
        for record in records:
            yield sync_pb2.ReserveRecordsResponse(records=[_reserved(record)])

    def RunImport(
        self, request: sync_pb2.RunImportRequest, context: grpc.ServicerContext
    ) -> Iterator[sync_pb2.RunImportResponse]:
        self.world.enter("RunImport")
        yield sync_pb2.RunImportResponse(progress=common_pb2.Progress(phase="fetch"))
        tree = self.world.main()
        for publication, (_, records) in self.world.reserved.items():
            for record in records:
                if tree.get(record.path) == (None if record.delete else record.content):
                    self.world.merged.setdefault((publication, record.key), int(time.time()))
        self.world.imported = self.world.branches["main"]
        yield sync_pb2.RunImportResponse(run=sync_pb2.Run(id="r", state=sync_pb2.RUN_STATE_SUCCEEDED))

    def GetReservations(
        self, request: sync_pb2.GetReservationsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.GetReservationsResponse:
        self.world.enter("GetReservations")
        _, records = self.world.reserved[request.publication_id]
        found = []
        for record in records:
            at = self.world.merged.get((request.publication_id, record.key), 0)
            known = sync_pb2.Reservation(record_key=record.key, record_id=record.record_id)
            known.merged, known.merged_at = at > 0, at
            found.append(known)
        return sync_pb2.GetReservationsResponse(reservations=found)

    def ReleaseRecords(
        self, request: sync_pb2.ReleaseRecordsRequest, context: grpc.ServicerContext
    ) -> sync_pb2.ReleaseRecordsResponse:
        self.world.enter("ReleaseRecords")
        _, records = self.world.reserved.pop(request.publication_id, ("", []))
        given = [record for record in records if (request.publication_id, record.key) not in self.world.merged]
        self.world.pending |= {record.record_id: record for record in given}
        return sync_pb2.ReleaseRecordsResponse(released=len(given))

    def _take(self, record_id: str) -> Record:
        if record_id not in self.world.pending:
            raise NotFoundError(f"there is no pending record {record_id!r}")
        return self.world.pending.pop(record_id)


class FakeAuth(auth_pb2_grpc.AuthServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def ResolveWorkspace(
        self, request: auth_pb2.ResolveWorkspaceRequest, context: grpc.ServicerContext
    ) -> auth_pb2.ResolveWorkspaceResponse:
        caller().require_service("pr")
        self.world.enter("ResolveWorkspace")
        workspace = auth_pb2.Workspace(
            id=request.workspace_id,
            repository_url="https://forge.test/team/records.git",
            branch="main",
            forge=auth_pb2.Forge.ValueType(self.world.forge),
        )
        return auth_pb2.ResolveWorkspaceResponse(workspace=workspace, token=self.world.token)


def _reserved(record: Record) -> sync_pb2.ReservedRecord:
    name, email = record.author
    return sync_pb2.ReservedRecord(
        record_key=record.key,
        record_id=record.record_id,
        collection="events",
        revision=2,
        path=record.path,
        old_path=record.old_path,
        file_content=b"" if record.delete else record.content,
        delete=record.delete,
        create=record.create,
        title=record.title,
        date=record.date,
        changed=["/title"],
        quality=-1,
        authors=[common_pb2.Person(name=name, email=email)],
    )
