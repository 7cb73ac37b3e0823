"""The workspace that a route names, by id or name."""

from typing import Annotated

from fastapi import Depends, Path

from gateway.grpc_clients import call
from gateway.sessions import SignedIn, Stubs
from protos.auth.v1 import auth_pb2


async def named_workspace(
    caller: SignedIn,
    services: Stubs,
    workspace: Annotated[str, Path(description="Id or name of the workspace.")],
) -> auth_pb2.Workspace:
    """Give the workspace; raise NotFoundError where the tenant has none of that name."""
    request = auth_pb2.GetWorkspaceRequest(workspace=workspace)
    found: auth_pb2.Workspace = (await call(services.auth.GetWorkspace, request, caller.identity)).workspace
    return found


InWorkspace = Annotated[auth_pb2.Workspace, Depends(named_workspace)]
