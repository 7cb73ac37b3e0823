"""Files as they are and were in Git. A file is named by its path, or by the record that is kept in it.

Commits may be given by name: a branch, a tag, a commit or the beginning of one; nothing means the target
branch as last fetched.
"""

import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway import convert, convert_files, models
from gateway.api.records import CollectionName, PageSize
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import LONG_SECONDS, Services, call, stream
from gateway.sessions import Caller, SignedIn, Stubs
from protos.auth.v1 import auth_pb2
from protos.git.v1 import git_pb2
from protos.sync.v1 import sync_pb2
from services.core.errors import FieldViolation, InvalidInputError, NotFoundError

router = APIRouter(route_class=ExactRoute, tags=["files"])
_DIFF_BYTES: Final = 5 * 1024 * 1024
_RENAMES_LOOKED_AT: Final = 1000

Revision = Annotated[str, Query(description="Commit, branch or tag; the target branch as last fetched when empty.")]


async def named_path(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    path: Annotated[str, Query(description="Path from the repository's root.")] = "",
    record: Annotated[str, Query(description="Id of a record, instead of a path.")] = "",
    collection: CollectionName = "",
) -> bytes:
    """Give the path that a request names; raise NotFoundError for a record that is in no file."""
    if bool(path) == bool(record):
        message = "a file is named by its path or by its record"
        raise InvalidInputError(
            message, remedy="give one of path and record", violations=[FieldViolation("path", message)]
        )
    if path:
        return path.encode()
    return await _path_of(services, caller, workspace, record, collection)


NamedPath = Annotated[bytes, Depends(named_path)]


@router.get("/workspaces/{workspace}/files/history", response_model=models.FileHistory)
async def file_history(
    path: NamedPath,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    commit: Revision = "",
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List the commits that changed a file, newest first, through its renames."""
    request = git_pb2.ListPathHistoryRequest(
        workspace_id=workspace.id,
        commit_oid=await _resolved(services, caller, workspace, commit),
        path=path,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.git.ListPathHistory, request, caller.identity, LONG_SECONDS)
    versions = [convert_files.version(item) for item in found.versions]
    return answer(models.FileHistory(path=convert.shown(path), versions=versions, next_page=found.next_page_token))


@router.get("/workspaces/{workspace}/files/content", response_model=models.FileContent)
async def file_content(
    path: NamedPath, workspace: InWorkspace, caller: SignedIn, services: Stubs, commit: Revision = ""
) -> Response:
    """Read a file at a commit."""
    oid = await _resolved(services, caller, workspace, commit)
    return answer(convert_files.content(path, oid, await _read(services, caller, workspace, oid, path)))


@router.get("/workspaces/{workspace}/files/blame", response_model=models.Blame)
async def file_blame(
    path: NamedPath,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    commit: Revision = "",
    first: Annotated[int, Query(ge=0, description="First line, from 1.")] = 0,
    last: Annotated[int, Query(ge=0, description="Last line.")] = 0,
) -> Response:
    """Say who last changed each line of a file, through its renames."""
    oid = await _resolved(services, caller, workspace, commit)
    request = git_pb2.BlameRequest(
        workspace_id=workspace.id, commit_oid=oid, path=path, first_line=first, last_line=last
    )
    hunks: list[git_pb2.BlameHunk] = []
    async for message in stream(services.git.Blame, request, caller.identity):
        hunks += message.hunks
    return answer(convert_files.blame(path, oid, hunks))


@router.get("/workspaces/{workspace}/files/diff", response_model=models.Diff)
async def diff_commits(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    old: Annotated[str, Query(description="Older commit, branch or tag.")],
    new: Revision = "",
    path: Annotated[list[str] | None, Query(description="Files and folders to look at; all when left out.")] = None,
    context: Annotated[int, Query(ge=0, le=100, description="Unchanged lines around a change.")] = 3,
) -> Response:
    """Compare two commits, line by line."""
    request = git_pb2.DiffRequest(
        workspace_id=workspace.id,
        old_oid=await _resolved(services, caller, workspace, old),
        new_oid=await _resolved(services, caller, workspace, new),
        paths=[item.encode() for item in path or ()],
        find_renames=True,
        context_lines=context,
        max_bytes=_DIFF_BYTES,
    )
    return await _diff(services, caller, request)


@router.post("/workspaces/{workspace}/files/diff", response_model=models.Diff)
async def diff_content(body: models.DiffRequest, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Compare a file at a commit with content that is in none."""
    request = git_pb2.DiffRequest(
        workspace_id=workspace.id,
        old_oid=await _resolved(services, caller, workspace, body.commit),
        content=git_pb2.TreeEdit(path=body.path.encode(), content=body.content.encode()),
        max_bytes=_DIFF_BYTES,
    )
    return await _diff(services, caller, request)


@router.get("/workspaces/{workspace}/tags", response_model=models.TagPage)
async def list_tags(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    annotations: bool = False,  # noqa: FBT001, FBT002  a query parameter
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """Ask the remote for its tags, now."""
    request = git_pb2.ListTagsRequest(
        workspace_id=workspace.id,
        remote=git_pb2.REMOTE_TARGET,
        with_annotations=annotations,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.git.ListTags, request, caller.identity, LONG_SECONDS)
    return answer(
        models.TagPage(tags=[convert_files.tag(item) for item in found.tags], next_page=found.next_page_token)
    )


@router.post("/workspaces/{workspace}/files/restorations", response_model=models.RestoredPath, status_code=201)
async def restore_path(
    body: models.PathRestoration, request: Request, workspace: InWorkspace, caller: SignedIn, services: Stubs
) -> Response:
    """Commit a file or folder as it was at an earlier commit, as the caller, on a branch; administrators only.

    The branch is a new one unless the target branch itself is named. Records are better put back by
    ``record-restorations``: that is an edit like any other, and goes through review.
    """
    head_request = git_pb2.GetStatusRequest(workspace_id=workspace.id)
    head = (await call(services.git.GetStatus, head_request, caller.identity)).remote_oid
    old = await _resolved(services, caller, workspace, body.commit)
    branch = body.branch or _branch_for(body.path, old)
    message = git_pb2.RestorePathRequest(
        workspace_id=workspace.id,
        base_oid=head,
        from_oid=old,
        path=body.path.encode(),
        message=body.message,
        time=int(request.app.state.clock()),
        push_branch=branch,
        expected_old_oid=head if branch == workspace.branch else "",
    )
    done = await call(services.git.RestorePath, message, caller.identity, LONG_SECONDS)
    return answer(models.RestoredPath(commit=done.commit_oid, branch=branch, pushed=done.pushed), 201)


@router.post("/workspaces/{workspace}/record-restorations/{record:path}", response_model=models.Record)
async def restore_record(
    record: str, body: models.RecordRestoration, workspace: InWorkspace, caller: SignedIn, services: Stubs
) -> Response:
    """Put a record back to an earlier revision, or to what its file held at a commit. It is an edit: publish it."""
    if bool(body.commit) == bool(body.revision):
        message = "a record is put back to a commit or to a revision"
        raise InvalidInputError(
            message, remedy="give one of commit and revision", violations=[FieldViolation("commit", message)]
        )
    if body.revision:
        restoring = sync_pb2.RestoreRecordRequest(
            workspace_id=workspace.id,
            record_id=record,
            collection=body.collection,
            revision=body.revision,
            expected_revision=body.expected_revision,
            request_id=caller.request_id,
        )
        return answer(convert.record((await call(services.sync.RestoreRecord, restoring, caller.identity)).record))
    commit = await _resolved(services, caller, workspace, body.commit)
    path = await _path_of(services, caller, workspace, record, body.collection)
    path = await _path_at(services, caller, workspace, path, commit)
    file = await _read(services, caller, workspace, commit, path)
    request = sync_pb2.UpdateRecordRequest(
        workspace_id=workspace.id,
        record_id=record,
        collection=body.collection,
        file_content=file.content,
        expected_revision=body.expected_revision,
        request_id=caller.request_id,
    )
    changed = await call(services.sync.UpdateRecord, request, caller.identity)
    return answer(convert.record(changed.record))


async def _resolved(services: Services, caller: Caller, workspace: auth_pb2.Workspace, revision: str) -> str:
    request = git_pb2.ResolveRevisionRequest(workspace_id=workspace.id, revision=revision)
    return str((await call(services.git.ResolveRevision, request, caller.identity, LONG_SECONDS)).commit_oid)


async def _read(
    services: Services, caller: Caller, workspace: auth_pb2.Workspace, commit: str, path: bytes
) -> git_pb2.ReadFileResponse:
    request = git_pb2.ReadFileRequest(workspace_id=workspace.id, commit_oid=commit, path=path)
    found: git_pb2.ReadFileResponse = await call(services.git.ReadFile, request, caller.identity)
    return found


async def _diff(services: Services, caller: Caller, request: git_pb2.DiffRequest) -> Response:
    pieces, truncated = [], False
    async for message in stream(services.git.Diff, request, caller.identity):
        pieces.append(message.data)
        truncated = message.truncated
    patch = b"".join(pieces).decode("utf-8", "replace")
    return answer(models.Diff(old=request.old_oid, new=request.new_oid, patch=patch, truncated=truncated))


async def _path_of(
    services: Services, caller: Caller, workspace: auth_pb2.Workspace, record: str, collection: str
) -> bytes:
    request = sync_pb2.GetRecordRequest(workspace_id=workspace.id, record_id=record, collection=collection)
    path = (await call(services.sync.GetRecord, request, caller.identity)).record.path
    if not path:
        raise NotFoundError(f"the record '{record}' is in no file yet", remedy="publish it first", reason="NO_FILE")
    return bytes(path)


async def _path_at(
    services: Services, caller: Caller, workspace: auth_pb2.Workspace, path: bytes, commit: str
) -> bytes:
    """Give what a file was called in a commit that is one of its versions; its present path otherwise."""
    request = git_pb2.ListPathHistoryRequest(
        workspace_id=workspace.id,
        commit_oid=await _resolved(services, caller, workspace, ""),
        path=path,
        page_size=_RENAMES_LOOKED_AT,
    )
    found = await call(services.git.ListPathHistory, request, caller.identity, LONG_SECONDS)
    return next((bytes(version.path) for version in found.versions if version.commit.oid == commit), path)


def _branch_for(path: str, commit: str) -> str:
    """Give the name of a branch that the same restoration asks for again."""
    return f"lockstep/restore-{hashlib.sha256(f'{path}@{commit}'.encode()).hexdigest()[:12]}"
