"""What the git service needs from outside: where a workspace's remotes are and how to sign in there."""

from dataclasses import dataclass, field
from typing import Protocol


class Token:
    """A secret that shows itself only when asked. Its repr, str and format are blank."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Take the secret; an empty one means that there is none."""
        self._value = value

    def reveal(self) -> str:
        """Give the secret, to be handed to git's environment and nowhere else."""
        return self._value

    def __bool__(self) -> bool:
        """Say whether there is a secret."""
        return bool(self._value)

    def __repr__(self) -> str:
        """Show that there is a secret, not which."""
        return "Token(redacted)" if self._value else "Token()"

    __str__ = __repr__


@dataclass(frozen=True)
class RemoteAddress:
    """The remotes of a workspace.

    ``target_url`` is imported from and proposed to, ``push_url`` is pushed to; both are the same where
    there is no fork. ``branch`` is the target branch. Token and user name are for both, and so are the key and
    the host keys, lines of a known_hosts file, where they are reached over ssh. ``signing_key`` signs commits.
    Keys are in OpenSSH form; an empty one means that there is none. ``partial_clone`` leaves the contents of
    files at the remote until they are read.
    """

    target_url: str
    push_url: str
    branch: str
    username: str
    token: Token
    ssh_key: Token = field(default_factory=lambda: Token(""))
    known_hosts: str = ""
    signing_key: Token = field(default_factory=lambda: Token(""))
    partial_clone: bool = False


class Workspaces(Protocol):
    """Knows the workspaces of all tenants."""

    def resolve(self, tenant_id: str, workspace_id: str) -> RemoteAddress:
        """Give the remotes of a workspace; raise NotFoundError when the tenant has no such workspace."""
        ...

    def forget(self, tenant_id: str, workspace_id: str) -> None:
        """Drop what is remembered of a workspace, since a remote has just refused its token."""
        ...
