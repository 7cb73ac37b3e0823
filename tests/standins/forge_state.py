"""What a stand-in forge knows: users, tokens, repositories and pull requests over real branches."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tests.standins import forge_repositories as repositories

Permission = Literal["admin", "write", "read", "none"]
Method = Literal["merge", "squash", "rebase"]
_RANK = {"none": 0, "read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True)
class User:
    """A person with an account."""

    id: int
    username: str
    name: str
    email: str


@dataclass
class Token:
    """A personal access token. ``permissions`` are by repository path; others get ``permission``."""

    value: str
    user: User
    scopes: tuple[str, ...]
    expires_at: float
    permission: Permission
    permissions: dict[str, Permission]

    def may(self, wanted: Permission, path: str) -> bool:
        """Say whether it allows this on a repository."""
        return _RANK[self.permissions.get(path, self.permission)] >= _RANK[wanted]


@dataclass
class Repository:
    """A bare repository with its settings."""

    id: int
    path: str
    bare: Path
    default_branch: str
    is_private: bool
    fork_of: "Repository | None"
    created_at: str


@dataclass
class PullRequest:
    """A pull request. While it is open its head follows the branch."""

    number: int
    target: Repository
    source: Repository
    head_branch: str
    base_branch: str
    title: str
    body: str
    author: User
    created_at: str
    state: Literal["open", "merged", "closed"] = "open"
    head_oid: str = ""
    merge_commit_oid: str = ""
    method: str = ""
    merged_by: User | None = None
    settled_at: str = ""

    def refresh(self) -> "PullRequest":
        """Take in what was pushed to the branch since."""
        if self.state == "open":
            self.head_oid = repositories.oid_of(self.source.bare, self.head_branch) or self.head_oid
        return self


class RefusedError(Exception):
    """A rule of the forge says no; ``field`` names what is wrong, "" for the pull request as such."""

    def __init__(self, words: str, field_name: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.field_name = field_name


@dataclass
class ForgeState:
    """All of a stand-in's state; ``lock`` serialises requests."""

    root: Path
    head_ref: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    pulls: dict[str, list[PullRequest]] = field(default_factory=dict)

    def add_user(self, username: str, *, name: str = "", email: str = "") -> User:
        """Give the user of a name, made when new."""
        if username not in self.users:
            name, email = name or username.title(), email or f"{username}@example.org"
            self.users[username] = User(len(self.users) + 101, username, name, email)
        return self.users[username]

    def add_token(
        self,
        value: str,
        username: str,
        *,
        scopes: tuple[str, ...],
        expires_at: float,
        permission: Permission,
        permissions: Mapping[str, Permission] | None,
    ) -> Token:
        """Issue a token."""
        user = self.add_user(username)
        token = Token(value, user, scopes, expires_at, permission, dict(permissions or {}))
        self.tokens[value] = token
        return token

    def token_of(self, value: str) -> Token | None:
        """Give a token that is valid now."""
        token = self.tokens.get(value)
        return None if token is None or 0 < token.expires_at < time.time() else token

    def add_repository(
        self, path: str, *, default_branch: str, is_private: bool, fork_of: Repository | None = None
    ) -> Repository:
        """Make a repository; a fork starts with the branches of its origin."""
        bare = self.root / f"{path}.git"
        repositories.create(bare, default_branch)
        if fork_of is not None:
            repositories.git(bare, "fetch", "--quiet", str(fork_of.bare), "+refs/heads/*:refs/heads/*")
        repository = Repository(len(self.repositories) + 1001, path, bare, default_branch, is_private, fork_of, now())
        self.repositories[path.lower()] = repository
        self.pulls[repository.path] = []
        return repository

    def repository(self, path: str | int) -> Repository | None:
        """Find a repository by path, in any case of letters, or by id."""
        if isinstance(path, int):
            return next((one for one in self.repositories.values() if one.id == path), None)
        return self.repositories.get(path.lower())

    def open_pull(
        self,
        target: Repository,
        source: Repository,
        *,
        head_branch: str,
        base_branch: str,
        title: str,
        body: str,
        author: User,
    ) -> PullRequest:
        """Open a pull request; raises RefusedError as forges do."""
        head = repositories.oid_of(source.bare, head_branch)
        base = repositories.oid_of(target.bare, base_branch)
        if not head:
            raise RefusedError("invalid", "head")
        if not base:
            raise RefusedError("invalid", "base")
        if not title.strip():
            raise RefusedError("missing_field", "title")
        for pull in self.pulls[target.path]:
            if pull.state == "open" and (pull.source.path, pull.head_branch, pull.base_branch) == (
                source.path,
                head_branch,
                base_branch,
            ):
                raise RefusedError(f"already exists {pull.number}")
        number = len(self.pulls[target.path]) + 1
        repositories.take_in(target.bare, source.bare, head_branch, self.head_ref.format(number))
        if not repositories.is_ahead(target.bare, base, head):
            raise RefusedError(f"No commits between {base_branch} and {head_branch}")
        pull = PullRequest(number, target, source, head_branch, base_branch, title, body, author, now(), head_oid=head)
        self.pulls[target.path].append(pull)
        return pull

    def pull(self, repository: Repository, number: int) -> PullRequest | None:
        """Find a pull request, as it is now."""
        pulls = self.pulls[repository.path]
        return pulls[number - 1].refresh() if 0 < number <= len(pulls) else None

    def merge(self, pull: PullRequest, method: Method, *, by: User, delete_branch: bool) -> str:
        """Press a merge button; gives the base branch's new commit."""
        if pull.refresh().state != "open":
            raise RefusedError("not open")
        repositories.take_in(pull.target.bare, pull.source.bare, pull.head_branch, self.head_ref.format(pull.number))
        message = f"Merge pull request #{pull.number} from {pull.head_branch}\n\n{pull.title}\n"
        if method == "squash":
            message = f"{pull.title} (#{pull.number})\n\n{pull.body}\n"
        pull.merge_commit_oid, pull.head_oid = repositories.merge(
            pull.target.bare, pull.base_branch, pull.head_oid, method=method, message=message
        )
        pull.state, pull.method, pull.merged_by, pull.settled_at = "merged", method, by, now()
        if delete_branch:
            repositories.git(pull.source.bare, "update-ref", "-d", f"refs/heads/{pull.head_branch}")
        return pull.merge_commit_oid

    def close(self, pull: PullRequest) -> None:
        """Close without merging."""
        if pull.refresh().state == "open":
            pull.state, pull.settled_at = "closed", now()


def now() -> str:
    """Give the time as forges write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
