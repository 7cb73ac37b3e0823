"""AuthService: message in, call, message out."""

from collections.abc import Callable

import grpc

from protos.auth.v1 import auth_pb2 as pb
from protos.auth.v1 import auth_pb2_grpc
from services.auth import convert
from services.auth.audit import Audit
from services.auth.forge_checks import ForgeChecks
from services.auth.keyring import VerificationKey
from services.auth.paging import PageRequest
from services.auth.sessions import Sessions
from services.auth.ssh_keys import fingerprint
from services.auth.tenants import Person, Tenants
from services.auth.vault import Secret
from services.auth.workspaces import Workspaces
from services.runtime.context import caller


class AuthServicer(auth_pb2_grpc.AuthServiceServicer):
    """Answers the calls of ``lockstep.auth.v1.AuthService``."""

    def __init__(
        self,
        tenants: Tenants,
        sessions: Sessions,
        workspaces: Workspaces,
        checks: ForgeChecks,
        audit: Audit,
        verification_keys: Callable[[], tuple[VerificationKey, ...]],
    ) -> None:
        """Take the parts that do the work."""
        self._tenants = tenants
        self._sessions = sessions
        self._workspaces = workspaces
        self._checks = checks
        self._audit = audit
        self._verification_keys = verification_keys

    def ExchangeSession(
        self, request: pb.ExchangeSessionRequest, context: grpc.ServicerContext
    ) -> pb.ExchangeSessionResponse:
        """Turn a token into a signed identity."""
        identity, ends, user, tenant_id = self._sessions.exchange(request.session_token)
        return pb.ExchangeSessionResponse(
            identity=identity.reveal(), expires_at=ends, user=convert.user(user), tenant_id=tenant_id
        )

    def IssueServiceIdentity(
        self, request: pb.IssueServiceIdentityRequest, context: grpc.ServicerContext
    ) -> pb.IssueServiceIdentityResponse:
        """Give a service its identity."""
        identity, ends = self._sessions.service_identity(request.service_proof, request.tenant_id)
        return pb.IssueServiceIdentityResponse(identity=identity.reveal(), expires_at=ends)

    def ListVerificationKeys(
        self, request: pb.ListVerificationKeysRequest, context: grpc.ServicerContext
    ) -> pb.ListVerificationKeysResponse:
        """List the public keys."""
        keys = [pb.VerificationKey(key_id=k.key_id, public_key=k.public_key) for k in self._verification_keys()]
        return pb.ListVerificationKeysResponse(keys=keys)

    def CreateTenant(self, request: pb.CreateTenantRequest, context: grpc.ServicerContext) -> pb.CreateTenantResponse:
        """Make a tenant."""
        admin = Person(request.admin_username, request.admin_name, request.admin_email)
        tenant, token = self._tenants.create(caller(), request.name, admin, request.request_id)
        return pb.CreateTenantResponse(tenant=convert.tenant(tenant), admin_token=_shown(token))

    def ListTenants(self, request: pb.ListTenantsRequest, context: grpc.ServicerContext) -> pb.ListTenantsResponse:
        """List tenants."""
        page = self._tenants.page(caller(), PageRequest.of(request.page_size, request.page_token))
        return pb.ListTenantsResponse(tenants=map(convert.tenant, page.items), next_page_token=page.next_token)

    def CreateUser(self, request: pb.CreateUserRequest, context: grpc.ServicerContext) -> pb.CreateUserResponse:
        """Add a user."""
        person = Person(request.username, request.name, request.email)
        user, token = self._tenants.create_user(caller(), person, int(request.role), request.request_id)
        return pb.CreateUserResponse(user=convert.user(user), token=_shown(token))

    def ListUsers(self, request: pb.ListUsersRequest, context: grpc.ServicerContext) -> pb.ListUsersResponse:
        """List users."""
        page = self._tenants.users(caller(), PageRequest.of(request.page_size, request.page_token))
        return pb.ListUsersResponse(users=map(convert.user, page.items), next_page_token=page.next_token)

    def CreateSession(
        self, request: pb.CreateSessionRequest, context: grpc.ServicerContext
    ) -> pb.CreateSessionResponse:
        """Make an access token."""
        token, session = self._sessions.create(caller(), request.label, request.ttl_seconds)
        return pb.CreateSessionResponse(token=token.reveal(), session=convert.session(session))

    def RevokeSession(
        self, request: pb.RevokeSessionRequest, context: grpc.ServicerContext
    ) -> pb.RevokeSessionResponse:
        """End a session."""
        self._sessions.revoke(caller(), request.session_id, request.session_token)
        return pb.RevokeSessionResponse()

    def ListSessions(self, request: pb.ListSessionsRequest, context: grpc.ServicerContext) -> pb.ListSessionsResponse:
        """List the caller's sessions."""
        page = self._sessions.page(caller(), PageRequest.of(request.page_size, request.page_token))
        return pb.ListSessionsResponse(sessions=map(convert.session, page.items), next_page_token=page.next_token)

    def CreateWorkspace(
        self, request: pb.CreateWorkspaceRequest, context: grpc.ServicerContext
    ) -> pb.CreateWorkspaceResponse:
        """Add a workspace."""
        draft = convert.draft(request)
        workspace = self._workspaces.create(caller(), draft, request.token, request.request_id)
        return pb.CreateWorkspaceResponse(workspace=convert.workspace(workspace))

    def GetWorkspace(self, request: pb.GetWorkspaceRequest, context: grpc.ServicerContext) -> pb.GetWorkspaceResponse:
        """Read a workspace."""
        workspace = self._workspaces.get(caller(), request.workspace)
        return pb.GetWorkspaceResponse(workspace=convert.workspace(workspace))

    def ListWorkspaces(
        self, request: pb.ListWorkspacesRequest, context: grpc.ServicerContext
    ) -> pb.ListWorkspacesResponse:
        """List workspaces."""
        page = self._workspaces.page(caller(), PageRequest.of(request.page_size, request.page_token))
        workspaces = map(convert.workspace, page.items)
        return pb.ListWorkspacesResponse(workspaces=workspaces, next_page_token=page.next_token)

    def UpdateWorkspace(
        self, request: pb.UpdateWorkspaceRequest, context: grpc.ServicerContext
    ) -> pb.UpdateWorkspaceResponse:
        """Change a workspace."""
        change = convert.change(request)
        workspace = self._workspaces.update(caller(), request.workspace, change, request.request_id)
        return pb.UpdateWorkspaceResponse(workspace=convert.workspace(workspace))

    def DeleteWorkspace(
        self, request: pb.DeleteWorkspaceRequest, context: grpc.ServicerContext
    ) -> pb.DeleteWorkspaceResponse:
        """Remove a workspace."""
        self._workspaces.delete(caller(), request.workspace)
        return pb.DeleteWorkspaceResponse()

    def SetCredential(
        self, request: pb.SetCredentialRequest, context: grpc.ServicerContext
    ) -> pb.SetCredentialResponse:
        """Store a token."""
        self._workspaces.set_credential(caller(), request.workspace, request.token, request.username)
        return pb.SetCredentialResponse()

    def DeleteCredential(
        self, request: pb.DeleteCredentialRequest, context: grpc.ServicerContext
    ) -> pb.DeleteCredentialResponse:
        """Forget a token."""
        self._workspaces.delete_credential(caller(), request.workspace)
        return pb.DeleteCredentialResponse()

    def SetWorkspaceKey(
        self, request: pb.SetWorkspaceKeyRequest, context: grpc.ServicerContext
    ) -> pb.SetWorkspaceKeyResponse:
        """Store an SSH key."""
        kind = convert.purpose(request.kind)
        key = self._workspaces.set_key(caller(), request.workspace, kind, request.private_key, request.known_hosts)
        return pb.SetWorkspaceKeyResponse(public_key=key.public, fingerprint=fingerprint(key.public))

    def DeleteWorkspaceKey(
        self, request: pb.DeleteWorkspaceKeyRequest, context: grpc.ServicerContext
    ) -> pb.DeleteWorkspaceKeyResponse:
        """Forget an SSH key."""
        self._workspaces.delete_key(caller(), request.workspace, convert.purpose(request.kind))
        return pb.DeleteWorkspaceKeyResponse()

    def ResolveWorkspace(
        self, request: pb.ResolveWorkspaceRequest, context: grpc.ServicerContext
    ) -> pb.ResolveWorkspaceResponse:
        """Hand address and credential to a service."""
        return convert.remote(self._workspaces.resolve(caller(), request.workspace_id))

    def ValidateForgeToken(
        self, request: pb.ValidateForgeTokenRequest, context: grpc.ServicerContext
    ) -> pb.ValidateForgeTokenResponse:
        """Say whose token it is."""
        kind = convert.kind(request.forge)
        return convert.profile(self._checks.profile(caller(), kind, request.token, request.base_url))

    def CheckRepository(
        self, request: pb.CheckRepositoryRequest, context: grpc.ServicerContext
    ) -> pb.CheckRepositoryResponse:
        """Describe a workspace's repository."""
        project = self._checks.project(caller(), request.workspace)
        return pb.CheckRepositoryResponse(project=convert.project(project))

    def ListAuditEvents(
        self, request: pb.ListAuditEventsRequest, context: grpc.ServicerContext
    ) -> pb.ListAuditEventsResponse:
        """List what was done."""
        page = self._audit.page(caller(), PageRequest.of(request.page_size, request.page_token))
        return pb.ListAuditEventsResponse(events=map(convert.event, page.items), next_page_token=page.next_token)


def _shown(token: Secret | None) -> str:
    return token.reveal() if token else ""
