"""Workspaces, their credentials and their collections."""

from fastapi import APIRouter, Response

from gateway import convert, models
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import Services, call
from gateway.sessions import Caller, SignedIn, Stubs
from protos.auth.v1 import auth_pb2
from protos.git.v1 import git_pb2
from protos.sync.v1 import sync_pb2
from services.core.errors import LockstepError, NotFoundError

router = APIRouter(route_class=ExactRoute, tags=["workspaces"])
PAGE = 200


@router.get("/workspaces", response_model=list[models.Workspace])
async def list_workspaces(caller: SignedIn, services: Stubs) -> Response:
    """List all workspaces by name."""
    found = [convert.workspace(item) for item in await all_workspaces(services, caller)]
    return answer([item.model_dump() for item in found])


@router.post("/workspaces", response_model=models.Workspace, status_code=201)
async def create_workspace(body: models.NewWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Add a workspace with its collections: all of it, or nothing."""
    request = auth_pb2.CreateWorkspaceRequest(
        name=body.name,
        repository_url=body.repo,
        branch=body.branch,
        upstream_url=body.upstream,
        forge=convert.FORGES[body.forge] if body.forge else auth_pb2.FORGE_UNSPECIFIED,
        token=body.token,
        partial_clone=body.partial_clone,
        poll_seconds=body.poll_seconds,
        request_id=caller.request_id,
    )
    made = (await call(services.auth.CreateWorkspace, request, caller.identity)).workspace
    try:
        for number, collection in enumerate(body.collections):
            adding = sync_pb2.CreateCollectionRequest(
                workspace_id=made.id,
                collection=convert.collection_message(collection),
                request_id=f"{caller.request_id}-{number}" if caller.request_id else "",
            )
            await call(services.sync.CreateCollection, adding, caller.identity)
    except LockstepError:
        await _remove(services, caller, made.id, force=True)
        raise
    return answer(convert.workspace(made), 201)


@router.get("/workspaces/{workspace}", response_model=models.Workspace)
async def get_workspace(workspace: InWorkspace) -> Response:
    """Read one workspace."""
    return answer(convert.workspace(workspace))


@router.patch("/workspaces/{workspace}", response_model=models.Workspace)
async def change_workspace(
    body: models.WorkspaceChange,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Change the fields that are given."""
    request = auth_pb2.UpdateWorkspaceRequest(
        workspace=workspace.id,
        repository_url=body.repo,
        branch=body.branch,
        upstream_url=body.upstream,
        forge=convert.FORGES[body.forge] if body.forge else None,
        partial_clone=body.partial_clone,
        poll_seconds=body.poll_seconds,
        request_id=caller.request_id,
    )
    changed = (await call(services.auth.UpdateWorkspace, request, caller.identity)).workspace
    if _remote(changed) != _remote(workspace):
        # The mirror is a cache of the old remote; git asks auth for the new one when it has none.
        await call(services.git.DropMirror, git_pb2.DropMirrorRequest(workspace_id=workspace.id), caller.identity)
    await _look_again(services, caller, workspace.id, asked=body.poll_seconds is not None)
    return answer(convert.workspace(changed))


@router.delete("/workspaces/{workspace}", status_code=204)
async def delete_workspace(
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    force: bool = False,  # noqa: FBT001, FBT002  a query parameter
) -> Response:
    """Remove a workspace with its records; refused while edits are pending unless forced. Git keeps its files."""
    await _remove(services, caller, workspace.id, force=force)
    return Response(status_code=204)


@router.put("/workspaces/{workspace}/credential", status_code=204)
async def set_credential(
    body: models.Credential,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Store the token for remote and forge; it is never shown again."""
    request = auth_pb2.SetCredentialRequest(workspace=workspace.id, token=body.token, username=body.username)
    await call(services.auth.SetCredential, request, caller.identity)
    await _look_again(services, caller, workspace.id)
    return Response(status_code=204)


@router.delete("/workspaces/{workspace}/credential", status_code=204)
async def delete_credential(workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Forget the token for remote and forge."""
    request = auth_pb2.DeleteCredentialRequest(workspace=workspace.id)
    await call(services.auth.DeleteCredential, request, caller.identity)
    return Response(status_code=204)


@router.put("/workspaces/{workspace}/keys/{kind}", response_model=models.PublicKey)
async def set_key(
    kind: models.KeyName,
    body: models.WorkspaceKey,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Store the SSH key for remotes, or the one that commits are signed with; it is never shown again."""
    request = auth_pb2.SetWorkspaceKeyRequest(
        workspace=workspace.id,
        kind=convert.KEY_KINDS[kind],
        private_key=body.private_key,
        known_hosts=body.known_hosts,
    )
    stored = await call(services.auth.SetWorkspaceKey, request, caller.identity)
    await _look_again(services, caller, workspace.id)
    return answer(models.PublicKey(public_key=stored.public_key, fingerprint=stored.fingerprint))


@router.delete("/workspaces/{workspace}/keys/{kind}", status_code=204)
async def delete_key(kind: models.KeyName, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Forget an SSH key."""
    request = auth_pb2.DeleteWorkspaceKeyRequest(workspace=workspace.id, kind=convert.KEY_KINDS[kind])
    await call(services.auth.DeleteWorkspaceKey, request, caller.identity)
    return Response(status_code=204)


@router.get("/workspaces/{workspace}/project", response_model=models.Project)
async def get_project(workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Ask the forge about the repository that is proposed to."""
    request = auth_pb2.CheckRepositoryRequest(workspace=workspace.id)
    project = (await call(services.auth.CheckRepository, request, caller.identity)).project
    fields = models.Project.model_fields
    return answer(models.Project(**{name: getattr(project, name) for name in fields}))


@router.get("/workspaces/{workspace}/remote", response_model=list[str])
async def list_branches(workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Ask the remote for its branches, now."""
    request = git_pb2.ListRemoteRefsRequest(workspace_id=workspace.id, remote=git_pb2.REMOTE_TARGET)
    found = await call(services.git.ListRemoteRefs, request, caller.identity)
    return answer([convert.shown(ref.name).removeprefix("refs/heads/") for ref in found.refs])


@router.get("/workspaces/{workspace}/collections", response_model=list[models.Collection])
async def list_collections(workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """List the collections by name."""
    found = await _collections(services, caller, workspace.id)
    return answer([convert.collection(item).model_dump(by_alias=True) for item in found])


@router.post("/workspaces/{workspace}/collections", response_model=models.Collection, status_code=201)
async def create_collection(
    body: models.NewCollection,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Add a collection; the next import reads its folder."""
    request = sync_pb2.CreateCollectionRequest(
        workspace_id=workspace.id,
        collection=convert.collection_message(body),
        request_id=caller.request_id,
    )
    made = await call(services.sync.CreateCollection, request, caller.identity)
    return answer(convert.collection(made.collection), 201)


@router.put("/workspaces/{workspace}/collections/{collection}", response_model=models.Collection)
async def replace_collection(
    collection: str,
    body: models.NewCollection,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Replace the settings of a collection, named by id or name; the next import reads the folder again."""
    found = await _collections(services, caller, workspace.id)
    known = next((item for item in found if collection in (item.id, item.name)), None)
    if known is None:
        names = ", ".join(item.name for item in found) or "none"
        raise NotFoundError(f"there is no collection '{collection}'", remedy=f"the collections are: {names}")
    request = sync_pb2.UpdateCollectionRequest(
        workspace_id=workspace.id,
        collection=convert.collection_message(body, known.id),
        request_id=caller.request_id,
    )
    changed = await call(services.sync.UpdateCollection, request, caller.identity)
    return answer(convert.collection(changed.collection))


@router.delete("/workspaces/{workspace}/collections/{collection}", status_code=204)
async def delete_collection(
    collection: str,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    force: bool = False,  # noqa: FBT001, FBT002  a query parameter
) -> Response:
    """Remove a collection with its records; refused while edits are pending unless forced."""
    request = sync_pb2.DeleteCollectionRequest(workspace_id=workspace.id, collection=collection, force=force)
    await call(services.sync.DeleteCollection, request, caller.identity)
    return Response(status_code=204)


async def all_workspaces(services: Services, caller: Caller) -> list[auth_pb2.Workspace]:
    """Give all workspaces of the caller's tenant, page by page."""
    found: list[auth_pb2.Workspace] = []
    token = ""
    while True:
        request = auth_pb2.ListWorkspacesRequest(page_size=PAGE, page_token=token)
        page = await call(services.auth.ListWorkspaces, request, caller.identity)
        found += page.workspaces
        token = page.next_page_token
        if not token:
            return found


def _remote(workspace: auth_pb2.Workspace) -> tuple[str, str, str, bool]:
    return workspace.repository_url, workspace.upstream_url, workspace.branch, workspace.partial_clone


async def _look_again(services: Services, caller: Caller, workspace_id: str, *, asked: bool = False) -> None:
    """Let polling that has failed go by new settings now, rather than after its pause, which may be an hour."""
    asking = sync_pb2.GetPollingRequest(workspace_id=workspace_id)
    failed = (await call(services.sync.GetPolling, asking, caller.identity)).polling.error
    if failed or asked:
        soon = sync_pb2.RequestImportRequest(workspace_id=workspace_id)
        await call(services.sync.RequestImport, soon, caller.identity)


async def _collections(services: Services, caller: Caller, workspace_id: str) -> list[sync_pb2.Collection]:
    request = sync_pb2.ListCollectionsRequest(workspace_id=workspace_id)
    return list((await call(services.sync.ListCollections, request, caller.identity)).collections)


async def _remove(services: Services, caller: Caller, workspace_id: str, *, force: bool) -> None:
    """Remove a workspace everywhere; what may refuse comes first, the name that finds the rest comes last."""
    data = sync_pb2.DeleteWorkspaceDataRequest(workspace_id=workspace_id, force=force)
    await call(services.sync.DeleteWorkspaceData, data, caller.identity)
    await call(services.git.DropMirror, git_pb2.DropMirrorRequest(workspace_id=workspace_id), caller.identity)
    await call(
        services.auth.DeleteWorkspace,
        auth_pb2.DeleteWorkspaceRequest(workspace=workspace_id),
        caller.identity,
    )
