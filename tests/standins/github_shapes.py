"""GitHub's answers, with every field that its own description requires."""

from typing import Any

from tests.standins import forge_repositories as repositories
from tests.standins.forge_state import ForgeState, PullRequest, Repository, Token, User

_USER_LINKS = [
    "events",
    "followers",
    "following",
    "gists",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
]
_REPOSITORY_LINKS = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
]
_NUMBERS = [
    "forks",
    "forks_count",
    "open_issues",
    "open_issues_count",
    "size",
    "stargazers_count",
    "watchers",
    "watchers_count",
    "network_count",
    "subscribers_count",
]


class Shapes:
    """Writes users, repositories and pull requests as GitHub does; ``api`` is the base of all links."""

    def __init__(self, url: str, api: str, state: ForgeState) -> None:
        self.url, self.api, self.state = url, api, state

    def user(self, username: str) -> dict[str, Any]:
        """Write the short form of a user, or of an organisation."""
        known = self.state.users.get(username)
        own = f"{self.api}/users/{username}"
        return {
            "login": username,
            "id": known.id if known else 9000 + len(username),
            "node_id": f"U_{username}",
            "avatar_url": f"{self.url}/avatars/{username}",
            "gravatar_id": "",
            "url": own,
            "html_url": f"{self.url}/{username}",
            **{f"{name}_url": f"{own}/{name}" for name in _USER_LINKS},
            "type": "User" if known else "Organization",
            "site_admin": False,
        }

    def account(self, user: User, created_at: str) -> dict[str, Any]:
        """Write the long form of the token's own user."""
        counts = "followers following public_gists public_repos private_gists total_private_repos"
        counts += " owned_private_repos disk_usage collaborators"
        return {
            **self.user(user.username),
            "user_view_type": "private",
            "name": user.name,
            "email": user.email,
            **dict.fromkeys(("bio", "blog", "company", "hireable", "location")),
            **dict.fromkeys(counts.split(), 0),
            "created_at": created_at,
            "updated_at": created_at,
            "two_factor_authentication": True,
        }

    def repository(self, repository: Repository, token: Token | None) -> dict[str, Any]:
        """Write a repository."""
        owner, _, name = repository.path.partition("/")
        own = f"{self.api}/repos/{repository.path}"
        found: dict[str, Any] = {
            "id": repository.id,
            "node_id": f"R_{repository.id}",
            "name": name,
            "full_name": repository.path,
            "owner": self.user(owner),
            "private": repository.is_private,
            "html_url": f"{self.url}/{repository.path}",
            "description": None,
            "fork": repository.fork_of is not None,
            "url": own,
            **{f"{link}_url": f"{own}/{link}" for link in _REPOSITORY_LINKS},
            "clone_url": f"{self.url}/{repository.path}.git",
            "git_url": f"git://127.0.0.1/{repository.path}.git",
            "ssh_url": f"git@127.0.0.1:{repository.path}.git",
            "svn_url": f"{self.url}/{repository.path}",
            "default_branch": repository.default_branch,
            **dict.fromkeys(_NUMBERS, 0),
            **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
            **dict.fromkeys(("has_pages", "has_discussions", "archived", "disabled"), False),
            **dict.fromkeys(("homepage", "language", "mirror_url", "license")),
            **dict.fromkeys(("pushed_at", "created_at", "updated_at"), repository.created_at),
        }
        if token is not None:
            path = repository.path
            found["permissions"] = {
                "admin": token.may("admin", path),
                "maintain": token.may("admin", path),
                "push": token.may("write", path),
                "triage": token.may("write", path),
                "pull": not repository.is_private or token.may("read", path),
            }
        return found

    def pull(self, pull: PullRequest, token: Token | None, *, is_full: bool) -> dict[str, Any]:
        """Write a pull request, in full or as lists have it."""
        own = f"{self.api}/repos/{pull.target.path}/pulls/{pull.number}"
        issue = f"{self.api}/repos/{pull.target.path}/issues/{pull.number}"
        page = f"{self.url}/{pull.target.path}/pull/{pull.number}"
        statuses = f"{self.api}/repos/{pull.target.path}/statuses/{pull.head_oid}"
        links = {
            "self": own,
            "html": page,
            "issue": issue,
            "comments": f"{issue}/comments",
            "review_comments": f"{own}/comments",
            "review_comment": f"{self.api}/repos/{pull.target.path}/pulls/comments{{/number}}",
            "commits": f"{own}/commits",
            "statuses": statuses,
        }
        is_merged = pull.state == "merged"
        base_oid = repositories.oid_of(pull.target.bare, pull.base_branch)
        found: dict[str, Any] = {
            "url": own,
            "id": pull.target.id * 1000 + pull.number,
            "node_id": f"PR_{pull.target.id}_{pull.number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            "commits_url": links["commits"],
            "review_comments_url": links["review_comments"],
            "review_comment_url": links["review_comment"],
            "comments_url": links["comments"],
            "statuses_url": statuses,
            "number": pull.number,
            "state": "open" if pull.state == "open" else "closed",
            "locked": False,
            "title": pull.title,
            "user": self.user(pull.author.username),
            "body": pull.body or None,
            "created_at": pull.created_at,
            "updated_at": pull.settled_at or pull.created_at,
            "closed_at": pull.settled_at or None,
            "merged_at": pull.settled_at if is_merged else None,
            # GitHub gives an open pull request a trial merge; its own commit will do here.
            "merge_commit_sha": pull.merge_commit_oid or pull.head_oid,
            "assignee": None,
            "labels": [],
            "milestone": None,
            "draft": False,
            "head": self._end(pull.source, pull.head_branch, pull.head_oid, token),
            "base": self._end(pull.target, pull.base_branch, base_oid, token),
            "_links": {name: {"href": link} for name, link in links.items()},
            "author_association": "CONTRIBUTOR",
            "auto_merge": None,
        }
        if is_full:
            merger = pull.merged_by
            found |= {
                **dict.fromkeys(("additions", "deletions", "changed_files", "comments", "review_comments"), 0),
                "commits": 1,
                "mergeable": None if pull.state == "open" else False,
                "mergeable_state": "unknown",
                "merged": is_merged,
                "merged_by": self.user(merger.username) if merger else None,
                "maintainer_can_modify": False,
            }
        return found

    def _end(self, repository: Repository, branch: str, oid: str, token: Token | None) -> dict[str, Any]:
        owner = repository.path.partition("/")[0]
        return {
            "label": f"{owner}:{branch}",
            "ref": branch,
            "sha": oid,
            "user": self.user(owner),
            "repo": self.repository(repository, token),
        }
