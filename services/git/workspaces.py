"""Workspaces as the auth service knows them, remembered for a few seconds."""

import time
from collections.abc import Callable
from typing import Final

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from services.git.ports import RemoteAddress, Token
from services.runtime.clients import UNARY_SECONDS, as_tenant

REMEMBERED_SECONDS: Final = 3.0
_MAX_REMEMBERED: Final = 1000


class AuthWorkspaces:
    """Asks auth, as the service "git". ``stub`` must sit on a channel that carries this service's identity."""

    def __init__(
        self,
        stub: auth_pb2_grpc.AuthServiceStub,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the stub and a clock in seconds."""
        self._stub = stub
        self._clock = clock
        self._held: dict[tuple[str, str], tuple[float, RemoteAddress]] = {}

    def resolve(self, tenant_id: str, workspace_id: str) -> RemoteAddress:
        """Give the remotes of a workspace, at most REMEMBERED_SECONDS old."""
        now = self._clock()
        held = self._held.get((tenant_id, workspace_id))
        if held and held[0] > now:
            return held[1]
        request = auth_pb2.ResolveWorkspaceRequest(workspace_id=workspace_id)
        answer = self._stub.ResolveWorkspace(request, timeout=UNARY_SECONDS, metadata=as_tenant(tenant_id))
        workspace = answer.workspace
        address = RemoteAddress(
            target_url=workspace.upstream_url or workspace.repository_url,
            push_url=workspace.repository_url,
            branch=workspace.branch,
            username=answer.username,
            token=Token(answer.token),
            ssh_key=Token(answer.ssh_private_key),
            known_hosts=answer.known_hosts,
            signing_key=Token(answer.signing_private_key),
            partial_clone=workspace.partial_clone,
        )
        if len(self._held) >= _MAX_REMEMBERED:
            self._held.clear()
        self._held[tenant_id, workspace_id] = (now + REMEMBERED_SECONDS, address)
        return address

    def forget(self, tenant_id: str, workspace_id: str) -> None:
        """Ask auth again the next time."""
        self._held.pop((tenant_id, workspace_id), None)
