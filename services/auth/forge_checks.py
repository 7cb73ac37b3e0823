"""Asks forges whose a token is and what a repository is like."""

from urllib.parse import urlsplit

from services.auth.forge_hosts import ForgeHosts
from services.auth.ports import ForgeDesk
from services.auth.workspaces import Workspaces
from services.core.errors import FieldViolation, InvalidInputError, StateError
from services.forges import select
from services.forges.address import is_loopback
from services.forges.models import Kind, Profile, Project
from services.runtime.identity import Identity, Role


class RealForges:
    """The forges over the network."""

    def profile(self, kind: Kind, base_url: str, token: str) -> Profile:
        """Ask the host named by its web base."""
        return select.read_profile(kind, token, base_url)

    def project(self, kind: Kind, target_url: str, push_url: str, token: str, api_url: str) -> Project:
        """Ask for the repository that is proposed to."""
        return select.connect(kind, target_url, push_url, token, api_url).project()


class ForgeChecks:
    """Checks tokens and repositories for the people of a tenant."""

    def __init__(self, forges: ForgeDesk, hosts: ForgeHosts, workspaces: Workspaces) -> None:
        """Take the forges, which of them are on, and the workspaces."""
        self._forges = forges
        self._hosts = hosts
        self._workspaces = workspaces

    def profile(self, caller: Identity, kind: Kind | None, token: str, base_url: str) -> Profile:
        """Say whose token it is. Only administrators may name a host that is not the configured one."""
        caller.require(Role.VIEWER)
        kind = kind or (self._hosts.guess(base_url) if base_url else None)
        if kind is None or kind == "plain":
            message = "plain Git has no API to check a token at" if kind else "the kind of forge is missing"
            raise InvalidInputError(
                message, remedy="name github or gitlab", violations=[FieldViolation("forge", message)]
            )
        configured = self._hosts.configured(kind)
        base = base_url.strip().rstrip("/") or configured
        if base != configured.rstrip("/"):
            caller.require(Role.ADMIN)
            _require_web_base(base)
        return self._forges.profile(kind, base, _present(token))

    def project(self, caller: Identity, id_or_name: str) -> Project:
        """Describe a workspace's repository as its forge sees it, asked with the workspace's token."""
        workspace = self._workspaces.get(caller, id_or_name)
        remote = self._workspaces.remote(caller.tenant_id, workspace.id)
        kind = self._hosts.chosen(workspace.forge, workspace.target_url)
        if kind == "plain":
            raise StateError(
                f"the repository of workspace '{workspace.name}' is plain Git, which has no API to ask",
                remedy="`lockstep git-status` says whether the remote can be reached",
                reason="PLAIN_FORGE",
            )
        token = remote.token.reveal()
        return self._forges.project(kind, workspace.target_url, workspace.repository_url, token, remote.forge_api_url)


def _present(token: str) -> str:
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        message = "the token is empty or not a token"
        raise InvalidInputError(message, remedy="give the token alone", violations=[FieldViolation("token", message)])
    return token


def _require_web_base(base: str) -> None:
    try:
        parts = urlsplit(base)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(base))
        good = safe and parts.hostname and not parts.username and not parts.query and not parts.fragment
    except ValueError:
        good = None
    if not good:
        message = "base_url is not the https address of a forge"
        raise InvalidInputError(
            message,
            remedy="give one such as https://git.example.org",
            violations=[FieldViolation("base_url", message)],
        )
