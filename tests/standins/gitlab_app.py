"""A stand-in for GitLab: account, token, project and merge requests, over real branches."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.standins.forge_server import Answer, Request, Route, StandIn
from tests.standins.forge_state import PullRequest, RefusedError, Repository, Token, User

_STATES = {"open": "opened", "merged": "merged", "closed": "closed"}
_LEVELS = (("admin", 40), ("write", 30), ("read", 20))
_MAX_TITLE = 255


class _NoAnswerError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class GitLabStandIn(StandIn):
    """GitLab as a self-managed server; projects may be nested in groups."""

    kind = "gitlab"
    api_prefix = "/api/v4"
    head_ref = "refs/merge-requests/{}/head"
    default_scopes = ("api", "write_repository")

    @property
    def api_url(self) -> str:
        """Web base of the server, which is what clients of its API take."""
        return self.url

    def routes(self) -> list[tuple[str, str, Route]]:
        """Give the endpoints in use."""
        requests = "/projects/{id}/merge_requests"
        return [
            ("GET", "/user", _refusing(self._account)),
            ("GET", "/personal_access_tokens/self", _refusing(self._token)),
            ("GET", "/projects/{id}", _refusing(self._show_project)),
            ("GET", requests, _refusing(self._list)),
            ("POST", requests, _refusing(self._create)),
            ("GET", f"{requests}/{{iid}}", _refusing(self._read)),
            ("PUT", f"{requests}/{{iid}}", _refusing(self._update)),
        ]

    def secret_of(self, headers: Mapping[str, str]) -> str:
        """Read ``PRIVATE-TOKEN`` or ``Authorization: Bearer …``."""
        return headers.get("private-token") or headers.get("authorization", "").partition(" ")[2]

    def failed(self, status: int, message: str, **more: object) -> Answer:
        """Write an error as GitLab does."""
        return _failure(401, "Unauthorized") if status == 401 else _failure(status, message)

    def _account(self, request: Request) -> Answer:
        user = _signed_in(request).user
        return Answer(200, {**self._user(user), "email": user.email, "commit_email": user.email, "bio": ""})

    def _token(self, request: Request) -> Answer:
        token = _signed_in(request)
        end = datetime.fromtimestamp(token.expires_at, UTC).date().isoformat() if token.expires_at else None
        found = {
            "id": 42,
            "name": "lockstep",
            "revoked": False,
            "created_at": "2026-01-01T00:00:00.000Z",
            "scopes": list(token.scopes),
            "user_id": token.user.id,
            "active": True,
            "expires_at": end,
        }
        return Answer(200, found)

    def _show_project(self, request: Request) -> Answer:
        return Answer(200, self._project_json(self._project(request, request.path["id"]), request.token))

    def _list(self, request: Request) -> Answer:
        target, query = self._project(request, request.path["id"]), request.query
        pulls = [pull.refresh() for pull in self.state.pulls[target.path]]
        if query.get("state", "all") != "all":
            pulls = [pull for pull in pulls if _STATES[pull.state] == query["state"]]
        if branch := query.get("source_branch"):
            pulls = [pull for pull in pulls if pull.head_branch == branch]
        if query.get("sort", "desc") == "desc":
            pulls.reverse()
        size, page = int(query.get("per_page", 20)), int(query.get("page", 1))
        shown = pulls[(page - 1) * size : page * size]
        headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Total": str(len(pulls))}
        return Answer(200, [self._request(pull) for pull in shown], headers)

    def _create(self, request: Request) -> Answer:
        source, body = self._project(request, request.path["id"]), request.body
        token = _signed_in(request)
        if not token.may("write", source.path):
            raise _NoAnswerError(403, "403 Forbidden")
        missing = [name for name in ("source_branch", "target_branch", "title") if not body.get(name)]
        if missing:
            return _failure(400, ", ".join(f"{name} is missing" for name in missing), key="error")
        target = self._project(request, str(body.get("target_project_id", source.id)))
        _check_lengths(body)
        pull = self.state.open_pull(
            target,
            source,
            head_branch=str(body["source_branch"]),
            base_branch=str(body["target_branch"]),
            title=str(body["title"]),
            body=str(body.get("description") or ""),
            author=token.user,
        )
        return Answer(201, self._request(pull))

    def _read(self, request: Request) -> Answer:
        return Answer(200, self._request(self._pull(request)))

    def _update(self, request: Request) -> Answer:
        pull, token, body = self._pull(request), _signed_in(request), request.body
        if pull.author != token.user and not token.may("write", pull.target.path):
            raise _NoAnswerError(403, "403 Forbidden")
        _check_lengths(body)
        pull.title = str(body.get("title", pull.title))
        pull.body = str(body.get("description", pull.body) or "")
        if body.get("state_event") == "close":
            if pull.state != "open":
                raise _NoAnswerError(422, f"Cannot transition state via :close from :{_STATES[pull.state]}")
            self.state.close(pull)
        return Answer(200, self._request(pull))

    def _project(self, request: Request, name: str) -> Repository:
        found = self.state.repository(int(name) if name.isdigit() else name)
        token = request.token
        if found is None or (found.is_private and not (token and token.may("read", found.path))):
            raise _NoAnswerError(404, "404 Project Not Found")
        return found

    def _pull(self, request: Request) -> PullRequest:
        iid = request.path["iid"]
        project = self._project(request, request.path["id"])
        found = self.state.pull(project, int(iid)) if iid.isdigit() else None
        if found is None:
            raise _NoAnswerError(404, "404 Not found")
        return found

    def _user(self, user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "username": user.username,
            "name": user.name,
            "state": "active",
            "avatar_url": None,
            "web_url": f"{self.url}/{user.username}",
        }

    def _project_json(self, project: Repository, token: Token | None) -> dict[str, Any]:
        level = next((level for name, level in _LEVELS if token and token.may(name, project.path)), 0)  # type: ignore[arg-type]
        access = {"access_level": level, "notification_level": 3} if level else None
        namespace, _, name = project.path.rpartition("/")
        return {
            "id": project.id,
            "name": name.title(),
            "path": name,
            "path_with_namespace": project.path,
            "name_with_namespace": project.path.replace("/", " / "),
            "namespace": {"full_path": namespace, "kind": "group"},
            "default_branch": project.default_branch,
            "visibility": "private" if project.is_private else "public",
            "http_url_to_repo": f"{self.url}/{project.path}.git",
            "ssh_url_to_repo": f"git@127.0.0.1:{project.path}.git",
            "web_url": f"{self.url}/{project.path}",
            "created_at": project.created_at,
            "lfs_enabled": True,
            "archived": False,
            "permissions": {"project_access": access, "group_access": None},
        }

    def _request(self, pull: PullRequest) -> dict[str, Any]:
        is_merged = pull.state == "merged"
        return {
            "id": pull.target.id * 1000 + pull.number,
            "iid": pull.number,
            "project_id": pull.target.id,
            "title": pull.title,
            "description": pull.body,
            "state": _STATES[pull.state],
            "created_at": pull.created_at,
            "updated_at": pull.settled_at or pull.created_at,
            "merged_at": pull.settled_at if is_merged else None,
            "closed_at": pull.settled_at if pull.state == "closed" else None,
            "merge_user": self._user(pull.merged_by) if pull.merged_by else None,
            "author": self._user(pull.author),
            "source_branch": pull.head_branch,
            "target_branch": pull.base_branch,
            "source_project_id": pull.source.id,
            "target_project_id": pull.target.id,
            "sha": pull.head_oid,
            # After a fast-forward GitLab has neither of the two.
            "merge_commit_sha": pull.merge_commit_oid if pull.method == "merge" else None,
            "squash_commit_sha": pull.merge_commit_oid if pull.method == "squash" else None,
            "draft": False,
            "web_url": f"{self.url}/{pull.target.path}/-/merge_requests/{pull.number}",
        }


def _refusing(call: Route) -> Route:
    def answer(request: Request) -> Answer:
        try:
            return call(request)
        except _NoAnswerError as error:
            return _failure(error.status, error.message)
        except RefusedError as error:
            return _refused(error)

    return answer


def _refused(error: RefusedError) -> Answer:
    if error.words.startswith("already exists"):
        number = error.words.split()[-1]
        return _failure(409, [f"Another open merge request already exists for this source branch: !{number}"])
    if error.field_name == "head":
        return _failure(400, {"base": ['Validation failed: Source branch "…" does not exist']})
    if error.field_name == "base":
        return _failure(400, {"target_branch": ["does not exist"]})
    if error.field_name:
        return _failure(400, {error.field_name: ["is too long (maximum is 255 characters)"]})
    return _failure(422, [error.words])


def _failure(status: int, message: object, *, key: str = "message") -> Answer:
    return Answer(status, {key: f"{status} {message}" if status == 401 else message})


def _signed_in(request: Request) -> Token:
    if request.token is None:
        raise _NoAnswerError(401, "Unauthorized")
    return request.token


def _check_lengths(body: Mapping[str, object]) -> None:
    if len(str(body.get("title", ""))) > _MAX_TITLE:
        raise RefusedError("too long", "title")
