"""What auth knows, as values. Times are seconds since the epoch."""

from dataclasses import dataclass

from services.forges.models import Kind
from services.runtime.identity import Role


@dataclass(frozen=True)
class Tenant:
    """A team."""

    id: str
    name: str
    created_at: int


@dataclass(frozen=True)
class User:
    """A person of a tenant."""

    id: str
    username: str
    name: str
    email: str
    role: Role
    created_at: int


@dataclass(frozen=True)
class Session:
    """A sign-in or an access token. ``expires_at`` 0 means never."""

    id: str
    user_id: str
    label: str
    created_at: int
    expires_at: int


@dataclass(frozen=True)
class Workspace:
    """One repository and branch of a tenant."""

    id: str
    name: str
    repository_url: str
    branch: str
    upstream_url: str
    forge: Kind
    has_credential: bool
    created_at: int
    # Public halves of the keys that are stored, as in an authorized_keys file.
    ssh_key: str = ""
    signing_key: str = ""
    partial_clone: bool = False
    # Seconds between two looks at the remote; 0 is never, None as the installation has it.
    poll_seconds: int | None = None

    @property
    def target_url(self) -> str:
        """Give the repository that is proposed to and imported from."""
        return self.upstream_url or self.repository_url


@dataclass(frozen=True)
class AuditEvent:
    """One thing that was done."""

    id: str
    time: int
    actor: str
    action: str
    subject: str
