"""What a forge tells about tokens, repositories and pull requests, in words common to all forges."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["github", "gitlab", "plain"]
State = Literal["open", "merged", "closed"]
Permission = Literal["admin", "write", "read", "none"]


@dataclass(frozen=True)
class PullRequest:
    """A pull request (a merge request on GitLab) as it is now.

    ``number`` is the one people see (``iid`` on GitLab). ``head_oid`` is empty while the forge has not
    computed it yet. ``merge_commit_oid`` is set only when the request is merged: the merge commit, the
    squashed commit, or the last rebased commit.
    """

    number: int
    url: str
    state: State
    head_branch: str
    head_oid: str
    base_branch: str
    title: str
    body: str
    merge_commit_oid: str


@dataclass(frozen=True)
class Profile:
    """Whose token it is and what it may do.

    ``scopes`` is empty where the forge does not name them (fine-grained tokens); ``expires_at`` is in
    seconds since the epoch, 0 where the forge does not say; ``email`` may be empty.
    """

    id: str
    username: str
    name: str
    email: str
    scopes: tuple[str, ...]
    expires_at: int


@dataclass(frozen=True)
class Project:
    """A repository as its forge describes it.

    ``path`` is the full one, for example ``group/team/records``. ``lfs_enabled`` is False where the forge
    does not say. ``permission`` is what the token may do with the code.
    """

    id: str
    name: str
    path: str
    http_url: str
    lfs_enabled: bool
    permission: Permission
    default_branch: str
