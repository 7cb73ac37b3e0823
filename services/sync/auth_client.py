"""The auth service as polling needs it."""

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from services.runtime.clients import as_tenant
from services.sync.store import Scope


class AuthIntervals:
    """Asks auth how often a workspace wants to be looked at."""

    def __init__(self, stub: auth_pb2_grpc.AuthServiceStub, usual_seconds: int) -> None:
        """Take a stub on a channel that calls as "sync", and the interval of workspaces that name none."""
        self._stub = stub
        self._usual = usual_seconds

    def seconds(self, scope: Scope) -> int:
        """Give the seconds between two looks, 0 for never; raise NotFoundError when the workspace is gone."""
        request = auth_pb2.GetWorkspaceRequest(workspace=scope.workspace_id)
        found = self._stub.GetWorkspace(request, metadata=as_tenant(scope.tenant_id)).workspace
        return found.poll_seconds if found.HasField("poll_seconds") else self._usual
