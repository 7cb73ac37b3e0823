"""Workspaces and their credentials."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa

from services.auth import names, remotes, ssh_keys, store
from services.auth.audit import Audit
from services.auth.forge_hosts import BASIC_USERS, ForgeHosts
from services.auth.models import Workspace
from services.auth.paging import Page, PageRequest
from services.auth.repeats import Repeat, once
from services.auth.ssh_keys import Purpose, SshKey
from services.auth.vault import Secret, Vault
from services.core.errors import FieldViolation, InvalidInputError, NotFoundError
from services.forges.models import Kind
from services.runtime.database import Database
from services.runtime.identity import Identity, Role

DEFAULT_BRANCH = "main"
LONGEST_TOKEN = 4096
# Seconds: a busy team's remote, and once a week.
SHORTEST_POLL = 5
LONGEST_POLL = 7 * 24 * 3600
_SHOWN = 20


@dataclass(frozen=True)
class Draft:
    """A workspace to be made. ``forge`` None lets the address decide."""

    name: str
    repository_url: str
    branch: str
    upstream_url: str
    forge: Kind | None
    partial_clone: bool = False
    poll_seconds: int | None = None


@dataclass(frozen=True)
class Change:
    """What to change; None leaves a field as it is. ``poll_seconds`` below 0 is as the installation has it."""

    repository_url: str | None = None
    branch: str | None = None
    upstream_url: str | None = None
    forge: Kind | None = None
    partial_clone: bool | None = None
    poll_seconds: int | None = None


@dataclass(frozen=True)
class Remote:
    """A workspace with what it takes to speak to its remote and its forge."""

    workspace: Workspace
    token: Secret
    username: str
    forge_api_url: str
    known_hosts: str = ""
    ssh_key: Secret = field(default_factory=lambda: Secret(""))
    signing_key: Secret = field(default_factory=lambda: Secret(""))


class Workspaces:
    """Makes, finds, changes and removes workspaces, and keeps their credentials in the vault."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        hosts: ForgeHosts,
        audit: Audit,
        clock: Callable[[], float],
        ids: Callable[[], str],
    ) -> None:
        """Take the vault, the forges' hosts, the clock in seconds and the maker of ids."""
        self._database = database
        self._vault = vault
        self._hosts = hosts
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def create(self, caller: Identity, draft: Draft, token: str, request_id: str = "") -> Workspace:
        """Add a workspace, with its token when one is given."""
        caller.require(Role.ADMIN)
        now = int(self._clock())
        secret = _token(token) if token else Secret("")
        wanted = self._drafted(draft, now, has_credential=bool(secret))
        repeat = Repeat(request_id, caller.tenant_id, "CreateWorkspace", (draft,))

        def make() -> Workspace:
            store.add_workspace(tx, caller.tenant_id, wanted)
            self._audit.record(tx, caller.tenant_id, caller.username, "workspace.create", wanted.name)
            if secret:
                self._store(tx, caller, wanted, secret, "")
            return wanted

        taken = store.taken(f"there is a workspace '{wanted.name}' already", "choose another name")
        with taken, self._database.begin(caller.tenant_id) as tx:
            return once(tx, repeat, now, Workspace, make)

    def get(self, caller: Identity, id_or_name: str) -> Workspace:
        """Find a workspace by id or name; the only one when neither is given."""
        caller.require(Role.VIEWER)
        with self._database.read(caller.tenant_id) as tx:
            return _find(tx, caller.tenant_id, id_or_name)

    def page(self, caller: Identity, request: PageRequest) -> Page[Workspace]:
        """Give the workspaces of the caller's tenant, by name."""
        caller.require(Role.VIEWER)
        with self._database.read(caller.tenant_id) as tx:
            found = store.list_workspaces(tx, caller.tenant_id, request)
        return Page.of(found, request, lambda workspace: workspace.name)

    def update(self, caller: Identity, id_or_name: str, change: Change, request_id: str = "") -> Workspace:
        """Change the fields that are set.

        A credential or ssh key is for the hosts it was stored for: it is forgotten when an address moves to
        another.
        """
        caller.require(Role.ADMIN)
        repeat = Repeat(request_id, caller.tenant_id, "UpdateWorkspace", (id_or_name, change))

        def make() -> Workspace:
            old = _find(tx, caller.tenant_id, id_or_name)
            new = self._changed(old, change)
            store.change_workspace(tx, caller.tenant_id, new)
            self._audit.record(tx, caller.tenant_id, caller.username, "workspace.update", new.name)
            if old.has_credential and not _origins(new) <= _origins(old):
                self._forget(tx, caller, new)
                new = dataclasses.replace(new, has_credential=False)
            if old.ssh_key and not _origins(new) <= _origins(old):
                self._forget_key(tx, caller, new, "ssh")
                new = dataclasses.replace(new, ssh_key="")
            return new

        with self._database.begin(caller.tenant_id) as tx:
            return once(tx, repeat, int(self._clock()), Workspace, make)

    def delete(self, caller: Identity, id_or_name: str) -> None:
        """Remove a workspace and its credential."""
        caller.require(Role.ADMIN)
        with self._database.begin(caller.tenant_id) as tx:
            workspace = _named(tx, caller.tenant_id, id_or_name)
            store.delete_workspace(tx, caller.tenant_id, workspace.id)
            self._audit.record(tx, caller.tenant_id, caller.username, "workspace.delete", workspace.name)

    def set_credential(self, caller: Identity, id_or_name: str, token: str, username: str) -> None:
        """Store a token in place of an older one."""
        caller.require(Role.ADMIN)
        secret, username = _token(token), _basic_user(username)
        with self._database.begin(caller.tenant_id) as tx:
            workspace = _named(tx, caller.tenant_id, id_or_name)
            self._store(tx, caller, workspace, secret, username)

    def delete_credential(self, caller: Identity, id_or_name: str) -> None:
        """Forget a workspace's token; without one nothing happens."""
        caller.require(Role.ADMIN)
        with self._database.begin(caller.tenant_id) as tx:
            workspace = _named(tx, caller.tenant_id, id_or_name)
            if workspace.has_credential:
                self._forget(tx, caller, workspace)

    def set_key(self, caller: Identity, id_or_name: str, purpose: Purpose, private: str, known_hosts: str) -> SshKey:
        """Store an SSH key in place of an older one; what is empty stays as it is stored.

        Host keys go with the key for ssh remotes, which is of no use without them.
        """
        caller.require(Role.ADMIN)
        given = ssh_keys.read_private(private, purpose) if private else None
        hosts = ssh_keys.checked_hosts(known_hosts)
        if hosts and purpose != "ssh":
            raise InvalidInputError("host keys are for ssh remotes", remedy="give them with the key for those")
        with self._database.begin(caller.tenant_id) as tx:
            workspace = _named(tx, caller.tenant_id, id_or_name)
            stored = store.keys(tx, caller.tenant_id, workspace.id).get(purpose)
            context = _key_context(caller.tenant_id, workspace.id, purpose)
            if given:
                ciphertext = self._vault.encrypt(given.private.reveal().encode(), context)
            elif stored:
                given, ciphertext = SshKey(Secret(""), stored.public), stored.ciphertext
            else:
                raise _incomplete("private_key", "there is no key yet", "give the private key, too")
            hosts = hosts or (stored.known_hosts if stored else "")
            if purpose == "ssh" and not hosts:
                raise _incomplete("known_hosts", "the host's own keys are missing", "give them with --known-hosts FILE")
            key = store.StoredKey(given.public, hosts, ciphertext)
            store.set_key(tx, caller.tenant_id, workspace.id, purpose, key, int(self._clock()))
            self._audit.record(tx, caller.tenant_id, caller.username, f"{purpose}-key.set", workspace.name)
        return given

    def delete_key(self, caller: Identity, id_or_name: str, purpose: Purpose) -> None:
        """Forget an SSH key; without one nothing happens."""
        caller.require(Role.ADMIN)
        with self._database.begin(caller.tenant_id) as tx:
            self._forget_key(tx, caller, _named(tx, caller.tenant_id, id_or_name), purpose)

    def resolve(self, caller: Identity, workspace_id: str) -> Remote:
        """Hand address and credential to the git or pr service; the SSH keys to git alone, which uses them."""
        caller.require_service("git", "pr")
        remote = self.remote(caller.tenant_id, workspace_id)
        return self._with_keys(remote, caller.tenant_id) if caller.service == "git" else remote

    def remote(self, tenant_id: str, id_or_name: str) -> Remote:
        """Give a workspace with its credential, for use within auth; the caller has been checked."""
        with self._database.read(tenant_id) as tx:
            workspace = _named(tx, tenant_id, id_or_name)
            stored = store.credential(tx, tenant_id, workspace.id)
        username, ciphertext = stored or ("", b"")
        token = self._vault.decrypt(ciphertext, _context(tenant_id, workspace.id)).decode() if ciphertext else ""
        api_url = self._hosts.api_url(workspace.forge, workspace.target_url)
        return Remote(workspace, Secret(token), username or BASIC_USERS[workspace.forge], api_url)

    def _with_keys(self, remote: Remote, tenant_id: str) -> Remote:
        with self._database.read(tenant_id) as tx:
            stored = store.keys(tx, tenant_id, remote.workspace.id)
        private = {
            purpose: Secret(
                self._vault.decrypt(key.ciphertext, _key_context(tenant_id, remote.workspace.id, purpose)).decode()
            )
            for purpose, key in stored.items()
        }
        return dataclasses.replace(
            remote,
            known_hosts=stored["ssh"].known_hosts if "ssh" in stored else "",
            ssh_key=private.get("ssh", Secret("")),
            signing_key=private.get("signing", Secret("")),
        )

    def _drafted(self, draft: Draft, now: int, *, has_credential: bool) -> Workspace:
        name = names.workspace(draft.name)
        repository = remotes.checked(draft.repository_url)
        upstream = remotes.checked(draft.upstream_url, "upstream_url") if draft.upstream_url else ""
        forge = self._hosts.chosen(draft.forge, upstream or repository)
        branch = names.branch(draft.branch or DEFAULT_BRANCH)
        made = Workspace(self._ids(), name, repository, branch, upstream, forge, has_credential, now)
        poll_seconds = _poll_seconds(draft.poll_seconds)
        return dataclasses.replace(made, partial_clone=draft.partial_clone, poll_seconds=poll_seconds)

    def _changed(self, old: Workspace, change: Change) -> Workspace:
        new = old
        if change.repository_url is not None:
            new = dataclasses.replace(new, repository_url=remotes.checked(change.repository_url))
        if change.upstream_url is not None:
            upstream = remotes.checked(change.upstream_url, "upstream_url") if change.upstream_url else ""
            new = dataclasses.replace(new, upstream_url=upstream)
        if change.branch is not None:
            new = dataclasses.replace(new, branch=names.branch(change.branch))
        if change.partial_clone is not None:
            new = dataclasses.replace(new, partial_clone=change.partial_clone)
        if change.poll_seconds is not None:
            new = dataclasses.replace(new, poll_seconds=_poll_seconds(change.poll_seconds))
        moved = remotes.origin(new.target_url) != remotes.origin(old.target_url)
        if change.forge is not None or moved:
            new = dataclasses.replace(new, forge=self._hosts.chosen(change.forge, new.target_url))
        return new

    def _store(self, tx: sa.Connection, caller: Identity, workspace: Workspace, token: Secret, username: str) -> None:
        ciphertext = self._vault.encrypt(token.reveal().encode(), _context(caller.tenant_id, workspace.id))
        store.set_credential(tx, caller.tenant_id, workspace.id, username, ciphertext, int(self._clock()))
        self._audit.record(tx, caller.tenant_id, caller.username, "credential.set", workspace.name)

    def _forget(self, tx: sa.Connection, caller: Identity, workspace: Workspace) -> None:
        store.delete_credential(tx, caller.tenant_id, workspace.id)
        self._audit.record(tx, caller.tenant_id, caller.username, "credential.delete", workspace.name)

    def _forget_key(self, tx: sa.Connection, caller: Identity, workspace: Workspace, purpose: Purpose) -> None:
        if store.delete_key(tx, caller.tenant_id, workspace.id, purpose):
            self._audit.record(tx, caller.tenant_id, caller.username, f"{purpose}-key.delete", workspace.name)


def _poll_seconds(given: int | None) -> int | None:
    if given is None or given < 0:
        return None
    if given and not SHORTEST_POLL <= given <= LONGEST_POLL:
        message = f"{given} seconds are no interval to look at a remote in"
        raise InvalidInputError(
            message,
            remedy=f"give 0 for never, or {SHORTEST_POLL} to {LONGEST_POLL}",
            violations=[FieldViolation("poll_seconds", message)],
        )
    return given


def _find(tx: sa.Connection, tenant_id: str, id_or_name: str) -> Workspace:
    if id_or_name:
        return _named(tx, tenant_id, id_or_name)
    found = store.list_workspaces(tx, tenant_id, PageRequest(_SHOWN, ""))
    if len(found) == 1:
        return found[0]
    message = "more than one workspace could be meant" if found else "there is no workspace yet"
    raise NotFoundError(message, remedy=_others(found))


def _named(tx: sa.Connection, tenant_id: str, id_or_name: str) -> Workspace:
    found = store.find_workspaces(tx, tenant_id, id_or_name)
    if found:
        return found[0]
    others = store.list_workspaces(tx, tenant_id, PageRequest(_SHOWN, ""))
    raise NotFoundError(f"there is no workspace '{id_or_name[:80]}'", remedy=_others(others))


def _others(found: list[Workspace]) -> str:
    if not found:
        return "add one with `lockstep workspace add`"
    more = ", …" if len(found) > _SHOWN else ""
    return f"name one of: {', '.join(workspace.name for workspace in found[:_SHOWN])}{more}"


def _origins(workspace: Workspace) -> set[str]:
    urls = (workspace.repository_url, workspace.upstream_url)
    return {remotes.origin(url) for url in urls if url}


def _context(tenant_id: str, workspace_id: str) -> str:
    return f"credential/{tenant_id}/{workspace_id}"


def _key_context(tenant_id: str, workspace_id: str, purpose: str) -> str:
    return f"{purpose}-key/{tenant_id}/{workspace_id}"


def _incomplete(name: str, message: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(message, remedy=remedy, violations=[FieldViolation(name, message)])


def _token(text: str) -> Secret:
    token = text.strip()
    if not token or len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        message = "the token is empty or not a token"
        raise InvalidInputError(
            message, remedy="give the token alone, on one line", violations=[FieldViolation("token", message)]
        )
    return Secret(token)


def _basic_user(name: str) -> str:
    if ":" in name or not name.isprintable() or len(name) > names.LONGEST:
        message = "the user name of the credential has a colon or control signs"
        raise InvalidInputError(message, remedy="leave it empty", violations=[FieldViolation("username", message)])
    return name
