"""Values of auth to messages, and messages to values."""

from typing import Final

from protos.auth.v1 import auth_pb2
from services.auth import models
from services.auth.ssh_keys import Purpose
from services.auth.workspaces import Change, Draft, Remote
from services.core.errors import FieldViolation, InvalidInputError
from services.forges.models import Kind, Profile, Project

_FORGES: Final[dict[Kind, auth_pb2.Forge.ValueType]] = {
    "plain": auth_pb2.FORGE_PLAIN,
    "github": auth_pb2.FORGE_GITHUB,
    "gitlab": auth_pb2.FORGE_GITLAB,
}
_PURPOSES: Final[dict[auth_pb2.KeyKind.ValueType, Purpose]] = {
    auth_pb2.KEY_KIND_SSH: "ssh",
    auth_pb2.KEY_KIND_SIGNING: "signing",
}
_KINDS: Final = {number: kind for kind, number in _FORGES.items()}


def kind(forge: auth_pb2.Forge.ValueType) -> Kind | None:
    """Give the kind of forge, None where it is not said; InvalidInputError for an unknown number."""
    if forge != auth_pb2.FORGE_UNSPECIFIED and forge not in _KINDS:
        message = f"there is no kind of forge {forge}"
        raise InvalidInputError(
            message, remedy="name plain, github or gitlab", violations=[FieldViolation("forge", message)]
        )
    return _KINDS.get(forge)


def purpose(kind: auth_pb2.KeyKind.ValueType) -> Purpose:
    """Give what an SSH key is for; InvalidInputError where it is not said."""
    if kind not in _PURPOSES:
        message = "it is not said what the key is for"
        raise InvalidInputError(message, remedy="name ssh or signing", violations=[FieldViolation("kind", message)])
    return _PURPOSES[kind]


def draft(request: auth_pb2.CreateWorkspaceRequest) -> Draft:
    """Give the workspace that is asked for."""
    return Draft(
        name=request.name,
        repository_url=request.repository_url,
        branch=request.branch,
        upstream_url=request.upstream_url,
        forge=kind(request.forge),
        partial_clone=request.partial_clone,
        poll_seconds=request.poll_seconds if request.HasField("poll_seconds") else None,
    )


def change(request: auth_pb2.UpdateWorkspaceRequest) -> Change:
    """Give the fields that are set."""
    return Change(
        repository_url=request.repository_url if request.HasField("repository_url") else None,
        branch=request.branch if request.HasField("branch") else None,
        upstream_url=request.upstream_url if request.HasField("upstream_url") else None,
        forge=kind(request.forge) if request.HasField("forge") else None,
        partial_clone=request.partial_clone if request.HasField("partial_clone") else None,
        poll_seconds=request.poll_seconds if request.HasField("poll_seconds") else None,
    )


def tenant(value: models.Tenant) -> auth_pb2.Tenant:
    """Give a tenant's message."""
    return auth_pb2.Tenant(id=value.id, name=value.name, created_at=value.created_at)


def user(value: models.User) -> auth_pb2.User:
    """Give a user's message."""
    return auth_pb2.User(
        id=value.id,
        username=value.username,
        name=value.name,
        email=value.email,
        role=auth_pb2.Role.ValueType(int(value.role)),
        created_at=value.created_at,
    )


def session(value: models.Session) -> auth_pb2.Session:
    """Give a session's message."""
    return auth_pb2.Session(id=value.id, label=value.label, created_at=value.created_at, expires_at=value.expires_at)


def workspace(value: models.Workspace) -> auth_pb2.Workspace:
    """Give a workspace's message."""
    return auth_pb2.Workspace(
        id=value.id,
        name=value.name,
        repository_url=value.repository_url,
        branch=value.branch,
        upstream_url=value.upstream_url,
        forge=_FORGES[value.forge],
        has_credential=value.has_credential,
        created_at=value.created_at,
        ssh_public_key=value.ssh_key,
        signing_public_key=value.signing_key,
        partial_clone=value.partial_clone,
        poll_seconds=value.poll_seconds,
    )


def remote(value: Remote) -> auth_pb2.ResolveWorkspaceResponse:
    """Give address and credential; the one message with a forge's token and private keys in it."""
    return auth_pb2.ResolveWorkspaceResponse(
        workspace=workspace(value.workspace),
        token=value.token.reveal(),
        username=value.username,
        forge_api_url=value.forge_api_url,
        ssh_private_key=value.ssh_key.reveal(),
        known_hosts=value.known_hosts,
        signing_private_key=value.signing_key.reveal(),
    )


def profile(value: Profile) -> auth_pb2.ValidateForgeTokenResponse:
    """Give what a forge says of a token."""
    return auth_pb2.ValidateForgeTokenResponse(
        id=value.id,
        username=value.username,
        name=value.name,
        email=value.email,
        scopes=value.scopes,
        expires_at=value.expires_at,
    )


def project(value: Project) -> auth_pb2.ForgeProject:
    """Give what a forge says of a repository."""
    return auth_pb2.ForgeProject(
        id=value.id,
        name=value.name,
        path=value.path,
        http_url=value.http_url,
        lfs_enabled=value.lfs_enabled,
        permission=value.permission,
        default_branch=value.default_branch,
    )


def event(value: models.AuditEvent) -> auth_pb2.AuditEvent:
    """Give an audit event's message."""
    return auth_pb2.AuditEvent(
        id=value.id, time=value.time, actor=value.actor, action=value.action, subject=value.subject
    )
