"""GitHub and GitHub Enterprise; the only module that imports PyGithub.

PyGithub's own retries are off (they repeat POST after a 5xx), as is its spacing of calls. Each request
uses a connection of its own: one that the forge closed while idle would look like a lost answer. No
redirect is followed, and none of the links in answers: paths are built from the repository's address.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import quote, urlsplit

import github
from github import Auth
from github.GithubObject import NotSet
from github.PullRequest import PullRequest as GithubPullRequest
from github.Requester import (
    HTTPRequestsConnectionClass,
    HTTPSRequestsConnectionClass,
    Requester,
    RequestsResponse,
)

from services.core.errors import InvalidInputError
from services.forges import address
from services.forges.failures import Failures, Refusal, is_redirect
from services.forges.models import Permission, Profile, Project, PullRequest, State

TIMEOUT = 20
_EXPIRY_HEADER = "github-authentication-token-expiration"
_OFFSET = re.compile(r" (UTC|[+-]\d{4})$")


class _RedirectedError(Exception):
    def __init__(self, location: str) -> None:
        super().__init__()
        self.location = location


def _checked(response: RequestsResponse) -> RequestsResponse:
    # PyGithub takes a 307 for success and reads a pull request without a number from it.
    if is_redirect(response.status):
        raise _RedirectedError(response.headers.get("location") or "")
    return response


class _Http(HTTPRequestsConnectionClass):
    """Plain HTTP, which only loopback hosts get: without proxies, without redirects."""

    def getresponse(self) -> RequestsResponse:
        self.session.trust_env = not address.is_loopback(f"http://{self.host}")
        return _checked(super().getresponse())


class _Https(HTTPSRequestsConnectionClass):
    """HTTPS without redirects; proxies of the environment are used, except for loopback."""

    def getresponse(self) -> RequestsResponse:
        self.session.trust_env = not address.is_loopback(f"https://{self.host}")
        return _checked(super().getresponse())


Requester.injectConnectionClasses(_Http, _Https)


class GitHub:
    """A repository on GitHub, and the one that is pushed to when it is a fork."""

    def __init__(
        self, api_url: str, target: str, source: str, token: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Take the API's base URL and ``owner/name`` of the repositories proposed to and pushed to.

        Both may be empty when only ``profile`` is wanted.
        """
        for path in filter(None, (target, source)):
            if path.count("/") != 1:
                raise InvalidInputError(f"{path!r} is not owner/name", remedy="give https://host/owner/name.git")
        self._target, self._source = target, source
        self._failures = Failures("GitHub", urlsplit(api_url).netloc, token, clock)
        self._client = github.Github(
            base_url=api_url,
            auth=Auth.Token(token) if token else None,
            timeout=TIMEOUT,
            retry=None,
            per_page=100,
            seconds_between_requests=None,
            seconds_between_writes=None,
            user_agent="lockstep",
            lazy=True,
        )
        self._repository = self._client.get_repo(quote(target))

    def profile(self) -> Profile:
        """Say whose token it is; scopes and expiry come from the answer's headers."""
        with self._errors("account of the token"):
            user = self._client.get_user()
            headers = {name.lower(): str(value) for name, value in user.raw_headers.items()}
            scopes = (scope.strip() for scope in headers.get("x-oauth-scopes", "").split(","))
            return Profile(
                id=str(int(user.id)),
                username=user.login,
                name=user.name or user.login,
                email=user.email or "",
                scopes=tuple(filter(None, scopes)),
                expires_at=_expiry(headers.get(_EXPIRY_HEADER, "")),
            )

    def project(self) -> Project:
        """Describe the repository that is proposed to."""
        with self._errors(f"repository {self._target!r}"):
            repository = self._client.get_repo(quote(self._target))
            return Project(
                id=str(int(repository.id)),
                name=repository.name,
                path=repository.full_name,
                http_url=repository.clone_url,
                lfs_enabled=False,
                permission=_permission(repository.raw_data.get("permissions")),
                default_branch=repository.default_branch,
            )

    def find_pull_request(self, head_branch: str) -> PullRequest | None:
        """Look among all states. GitHub ignores a head it cannot read, so that answers are checked again."""
        owner = self._source.partition("/")[0]
        with self._errors(f"repository {self._target!r}"):
            page = self._repository.get_pulls(
                state="all", sort="created", direction="desc", head=f"{owner}:{head_branch}"
            ).get_page(0)
            return next(
                (_pull_request(pull) for pull in page if self._is_from(pull, owner, head_branch)),
                None,
            )

    def create_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        """Open a pull request; from a fork the head is ``owner:branch``."""
        owner = self._source.partition("/")[0]
        target_owner = self._target.partition("/")[0]
        is_fork = self._source.lower() != self._target.lower()
        # Within one organisation the owner alone does not tell the fork from the original.
        is_sibling = is_fork and owner.lower() == target_owner.lower()
        with self._errors(f"repository {self._target!r}"):
            return _pull_request(
                self._repository.create_pull(
                    base_branch,
                    f"{owner}:{head_branch}" if is_fork and not is_sibling else head_branch,
                    title=title,
                    body=body,
                    head_repo=self._source if is_sibling else NotSet,
                )
            )

    def update_pull_request(self, number: int, *, title: str, body: str) -> PullRequest:
        """Replace title and body in one request."""
        with self._errors(f"pull request {number} in {self._target!r}"):
            pull = self._repository.get_pull(number)
            pull.edit(title=title, body=body)
            return _pull_request(pull)

    def read_pull_request(self, number: int) -> PullRequest:
        """Read one pull request in one request."""
        with self._errors(f"pull request {number} in {self._target!r}"):
            return _pull_request(self._repository.get_pull(number))

    def close_pull_request(self, number: int) -> PullRequest:
        """Close in one request; GitHub answers alike when it is closed already."""
        with self._errors(f"pull request {number} in {self._target!r}"):
            pull = self._repository.get_pull(number)
            pull.edit(state="closed")
            return _pull_request(pull)

    def _is_from(self, pull: GithubPullRequest, owner: str, branch: str) -> bool:
        label = f"{owner}:{branch}".lower()
        repository = pull.head.repo
        if pull.head.ref != branch or (pull.head.label or "").lower() != label:
            return False
        return repository is None or repository.full_name.lower() == self._source.lower()

    @contextmanager
    def _errors(self, subject: str) -> Iterator[None]:
        try:
            yield
        except github.GithubException as error:
            headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
            raise self._failures.refused(subject, Refusal(error.status, _words(error), headers)) from None
        except _RedirectedError as error:
            raise self._failures.moved(subject, error.location) from None
        except OSError as error:
            # All failures of requests to get an answer are OSErrors.
            raise self._failures.unreachable(type(error).__name__) from None
        except (AttributeError, TypeError, KeyError, github.BadAttributeException):
            raise self._failures.unreadable(subject) from None


def _pull_request(pull: GithubPullRequest) -> PullRequest:
    is_merged = pull.merged_at is not None
    state: State = "merged" if is_merged else "closed" if pull.state == "closed" else "open"
    return PullRequest(
        number=int(pull.number),
        url=pull.html_url,
        state=state,
        head_branch=pull.head.ref,
        head_oid=pull.head.sha,
        base_branch=pull.base.ref,
        title=pull.title,
        body=pull.body or "",
        # Of an open pull request it is a trial merge that is on no branch.
        merge_commit_oid=(pull.merge_commit_sha or "") if is_merged else "",
    )


def _permission(granted: object) -> Permission:
    if not isinstance(granted, Mapping):
        return "read"
    if granted.get("admin") or granted.get("maintain"):
        return "admin"
    if granted.get("push"):
        return "write"
    return "read" if granted.get("pull") else "none"


def _expiry(text: str) -> int:
    """Read "2026-12-01 09:30:00 UTC" or "… -0500" as seconds since the epoch; 0 when it is neither."""
    text = _OFFSET.sub(lambda found: "+0000" if found[1] == "UTC" else found[1], text.strip())
    try:
        return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S%z").timestamp())
    except ValueError:
        return 0


def _words(error: github.GithubException) -> str:
    data = error.data
    if not isinstance(data, Mapping):
        return ""
    words = [str(data.get("message", ""))]
    for detail in data.get("errors") or ():
        if isinstance(detail, Mapping):
            words.append(str(detail.get("message") or f"{detail.get('field', '')} {detail.get('code', '')}"))
        else:
            words.append(str(detail))
    return "; ".join(filter(None, words))
