"""GitLab; the only module that imports python-gitlab.

python-gitlab neither limits time nor tells the headers of a refusal by itself: a hook keeps the last
answer. It waits out rate limits in place unless told not to, and follows redirects with the token; here
neither happens.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypedDict
from urllib.parse import urlsplit

import gitlab
from gitlab.exceptions import GitlabError, GitlabParsingError

from services.forges import address
from services.forges.failures import Failures, Refusal, is_redirect
from services.forges.models import Permission, Profile, Project, PullRequest, State

TIMEOUT = 20
_MAINTAINER, _DEVELOPER, _REPORTER = 40, 30, 20
_STATES: dict[str, State] = {"opened": "open", "locked": "open", "merged": "merged", "closed": "closed"}


class _Once(TypedDict):
    obey_rate_limit: bool


_ONCE: _Once = {"obey_rate_limit": False}


class _LastAnswer:
    """Status and headers of the last answer, kept by a hook of the HTTP session."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}

    def __call__(self, response: Any, *_: object, **__: object) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}


class GitLab:
    """A project on GitLab, and the one that is pushed to when it is a fork."""

    def __init__(
        self, api_url: str, target: str, source: str, token: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Take GitLab's web base and the paths of the projects proposed to and pushed to.

        Both paths may be empty when only ``profile`` is wanted.
        """
        self._target, self._source = target, source
        self._failures = Failures("GitLab", urlsplit(api_url).netloc, token, clock)
        self._answer = _LastAnswer()
        self._client = gitlab.Gitlab(
            api_url.rstrip("/").removesuffix("/api/v4"),
            private_token=token or None,
            timeout=TIMEOUT,
            retry_transient_errors=False,
            per_page=100,
            user_agent="lockstep",
        )
        session = self._client.session
        session.hooks["response"].append(self._answer)
        session.max_redirects = 0
        session.trust_env = not address.is_loopback(api_url)
        self._requests = self._client.projects.get(target, lazy=True).mergerequests
        self._ids: dict[str, int] = {}

    def profile(self) -> Profile:
        """Say whose token it is; scopes and expiry are unknown for tokens that are not personal ones."""
        with self._errors("account of the token"):
            user = _fields(self._client.http_get("/user", **_ONCE))
            try:
                token = _fields(self._client.http_get("/personal_access_tokens/self", **_ONCE))
            except GitlabError as error:
                if error.response_code not in {400, 401, 403, 404}:
                    raise
                token = {}
            return Profile(
                id=str(user["id"]),
                username=user["username"],
                name=user.get("name") or user["username"],
                email=user.get("email") or "",
                scopes=tuple(token.get("scopes") or ()),
                expires_at=_expiry(token.get("expires_at") or ""),
            )

    def project(self) -> Project:
        """Describe the project that is proposed to."""
        with self._errors(f"repository {self._target!r}"):
            found = self._client.projects.get(self._target, **_ONCE).attributes
            return Project(
                id=str(found["id"]),
                name=found["name"],
                path=found["path_with_namespace"],
                http_url=found["http_url_to_repo"],
                lfs_enabled=bool(found.get("lfs_enabled")),
                permission=_permission(found),
                default_branch=found.get("default_branch") or "",
            )

    def find_pull_request(self, head_branch: str) -> PullRequest | None:
        """Look among all states; a branch of the same name in another fork does not count."""
        with self._errors(f"repository {self._target!r}"):
            page = self._requests.list(
                source_branch=head_branch,
                state="all",
                scope="all",
                order_by="created_at",
                sort="desc",
                get_all=False,
                **_ONCE,
            )
            for found in (item.attributes for item in page):
                is_ours = found["source_project_id"] == self._source_id(found)
                if is_ours and found["source_branch"] == head_branch:
                    return _pull_request(found)
            return None

    def create_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        """Open a merge request; from a fork it is made in the fork's project, for the target's."""
        wanted: dict[str, object] = {
            "source_branch": head_branch,
            "target_branch": base_branch,
            "title": title,
            "description": body,
        }
        requests, subject = self._requests, f"repository {self._target!r}"
        if self._is_fork():
            with self._errors(subject):
                wanted["target_project_id"] = self._id(self._target)
            requests, subject = (
                self._client.projects.get(self._source, lazy=True).mergerequests,
                (f"repository {self._source!r}"),
            )
        with self._errors(subject):
            return _pull_request(requests.create(wanted, **_ONCE).attributes)

    def update_pull_request(self, number: int, *, title: str, body: str) -> PullRequest:
        """Replace title and body in one request."""
        with self._errors(f"pull request {number} in {self._target!r}"):
            return _pull_request(self._requests.update(number, {"title": title, "description": body}, **_ONCE))

    def read_pull_request(self, number: int) -> PullRequest:
        """Read one merge request in one request."""
        with self._errors(f"pull request {number} in {self._target!r}"):
            return _pull_request(self._requests.get(number, **_ONCE).attributes)

    def close_pull_request(self, number: int) -> PullRequest:
        """Close; GitLab refuses that for a request that is closed or merged, which is then read instead."""
        with self._errors(f"pull request {number} in {self._target!r}"):
            try:
                return _pull_request(self._requests.update(number, {"state_event": "close"}, **_ONCE))
            except GitlabError as error:
                if error.response_code not in {400, 405, 409, 422}:
                    raise
                found = _pull_request(self._requests.get(number, **_ONCE).attributes)
                if found.state == "open":
                    raise
                return found

    def _is_fork(self) -> bool:
        return self._source.lower() != self._target.lower()

    def _source_id(self, found: Mapping[str, Any]) -> object:
        return self._id(self._source) if self._is_fork() else found["target_project_id"]

    def _id(self, path: str) -> int:
        if path not in self._ids:
            self._ids[path] = int(self._client.projects.get(path, **_ONCE).attributes["id"])
        return self._ids[path]

    @contextmanager
    def _errors(self, subject: str) -> Iterator[None]:
        self._answer.status = 0
        try:
            yield
        except GitlabParsingError:
            raise self._failures.unreadable(subject) from None
        except GitlabError as error:
            status = error.response_code or self._answer.status
            refusal = Refusal(status, _words(error.error_message), self._answer.headers)
            raise self._failures.refused(subject, refusal) from None
        except OSError as error:
            # All failures of requests to get an answer are OSErrors, a redirect not followed too.
            if is_redirect(self._answer.status):
                raise self._failures.moved(subject, self._answer.headers.get("location", "")) from None
            raise self._failures.unreachable(type(error).__name__) from None
        except (AttributeError, TypeError, KeyError, ValueError):
            raise self._failures.unreadable(subject) from None
        finally:
            # Kept open, it could be closed by the forge while idle, which would look like a lost answer.
            self._client.session.close()


def _fields(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise GitlabParsingError
    return answer


def _pull_request(found: Mapping[str, Any]) -> PullRequest:
    state = _STATES[found["state"]]
    head = found.get("sha") or ""
    merged = found.get("merge_commit_sha") or found.get("squash_commit_sha") or head
    return PullRequest(
        number=int(found["iid"]),
        url=found["web_url"],
        state=state,
        head_branch=found["source_branch"],
        head_oid=head,
        base_branch=found["target_branch"],
        title=found["title"],
        body=found.get("description") or "",
        merge_commit_oid=merged if state == "merged" else "",
    )


def _permission(found: Mapping[str, Any]) -> Permission:
    granted = found.get("permissions") or {}
    level = max(
        ((granted.get(kind) or {}).get("access_level") or 0 for kind in ("project_access", "group_access")),
        default=0,
    )
    if level >= _MAINTAINER:
        return "admin"
    if level >= _DEVELOPER:
        return "write"
    return "read" if level >= _REPORTER or found.get("visibility") in {"public", "internal"} else "none"


def _expiry(day: str) -> int:
    """Give the start of a day (UTC), which is when GitLab ends a token; 0 for a token without end."""
    try:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) if day else 0
    except ValueError:
        return 0


def _words(message: object) -> str:
    if isinstance(message, Mapping):
        return "; ".join(f"{field} {_words(what)}" for field, what in message.items())
    if isinstance(message, list | tuple):
        return ", ".join(_words(part) for part in message)
    return "" if message is None else str(message)
