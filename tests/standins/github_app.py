"""A stand-in for GitHub: account, repository and pull requests, over real branches."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from tests.standins.forge_server import Answer, Request, Route, StandIn
from tests.standins.forge_state import PullRequest, RefusedError, Repository, Token
from tests.standins.github_shapes import Shapes

_DOCUMENTATION = "https://docs.github.com/rest"
_MAX_TITLE, _MAX_BODY = 256, 65536


class _NoAnswerError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class GitHubStandIn(StandIn):
    """GitHub as an Enterprise server would be: its API is below ``/api/v3``."""

    kind = "github"
    api_prefix = "/api/v3"
    head_ref = "refs/pull/{}/head"
    default_scopes = ("repo",)

    @property
    def api_url(self) -> str:
        """Base URL of the API."""
        return f"{self.url}{self.api_prefix}"

    @property
    def shapes(self) -> Shapes:
        """What writes the answers."""
        return Shapes(self.url, self.api_url, self.state)

    def routes(self) -> list[tuple[str, str, Route]]:
        """Give the endpoints in use."""
        pulls = "/repos/{owner}/{repo}/pulls"
        return [
            ("GET", "/user", self._refusing(self._account)),
            ("GET", "/repos/{owner}/{repo}", self._refusing(self._repository)),
            ("GET", pulls, self._refusing(self._list)),
            ("POST", pulls, self._refusing(self._create)),
            ("GET", f"{pulls}/{{number}}", self._refusing(self._read)),
            ("PATCH", f"{pulls}/{{number}}", self._refusing(self._update)),
        ]

    def secret_of(self, headers: Mapping[str, str]) -> str:
        """Read ``Authorization: token …`` or ``Bearer …``."""
        return headers.get("authorization", "").partition(" ")[2]

    def failed(self, status: int, message: str, **more: object) -> Answer:
        """Write an error as GitHub does."""
        said = {"message": message, "documentation_url": _DOCUMENTATION, "status": str(status)}
        return Answer(status, {**said, **more})

    def _refusing(self, call: Route) -> Route:
        def answer(request: Request) -> Answer:
            try:
                return call(request)
            except _NoAnswerError as error:
                return self.failed(error.status, error.message)
            except RefusedError as error:
                return self._refused(error, request)

        return answer

    def _refused(self, error: RefusedError, request: Request) -> Answer:
        detail: dict[str, str] = {"resource": "PullRequest", "code": "custom", "message": error.words}
        if error.field_name:
            detail = {"resource": "PullRequest", "field": error.field_name, "code": error.words}
        elif error.words.startswith("already exists"):
            head = str(request.body["head"])
            label = head if ":" in head else f"{request.path['owner']}:{head}"
            detail["message"] = f"A pull request already exists for {label}."
        return self.failed(422, "Validation Failed", errors=[detail])

    def _account(self, request: Request) -> Answer:
        if request.token is None:
            raise _NoAnswerError(401, "Requires authentication")
        token = request.token
        headers = {"X-OAuth-Scopes": ", ".join(token.scopes)} if token.scopes else {}
        if token.expires_at:
            end = datetime.fromtimestamp(token.expires_at, UTC)
            headers["github-authentication-token-expiration"] = end.strftime("%Y-%m-%d %H:%M:%S UTC")
        return Answer(200, self.shapes.account(token.user, "2020-01-01T00:00:00Z"), headers)

    def _repository(self, request: Request) -> Answer:
        return Answer(200, self.shapes.repository(self._target(request), request.token))

    def _list(self, request: Request) -> Answer:
        target, query = self._target(request), request.query
        pulls = [pull.refresh() for pull in self.state.pulls[target.path]]
        state, head, base = query.get("state", "open"), query.get("head", ""), query.get("base", "")
        if state != "all":
            pulls = [pull for pull in pulls if (pull.state == "open") == (state == "open")]
        # As on GitHub, a head without an owner filters nothing.
        if ":" in head:
            pulls = [pull for pull in pulls if _label(pull) == head]
        if base:
            pulls = [pull for pull in pulls if pull.base_branch == base]
        if query.get("direction", "desc") == "desc":
            pulls.reverse()
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        shown = pulls[(page - 1) * size : page * size]
        headers = {}
        if len(pulls) > page * size:
            following = urlencode({**query, "page": page + 1})
            headers["Link"] = f'<{self.api_url}/repos/{target.path}/pulls?{following}>; rel="next"'
        return Answer(200, [self.shapes.pull(pull, request.token, is_full=False) for pull in shown], headers)

    def _create(self, request: Request) -> Answer:
        target, token, body = self._target(request), self._signed_in(request), request.body
        owner, _, branch = str(body["head"]).rpartition(":")
        source = self._source(target, owner, str(body.get("head_repo", "")))
        if not token.may("write", source.path):
            raise _NoAnswerError(403, "Resource not accessible by personal access token")
        _check_lengths(body)
        pull = self.state.open_pull(
            target,
            source,
            head_branch=branch,
            base_branch=str(body["base"]),
            title=str(body.get("title", "")),
            body=str(body.get("body") or ""),
            author=token.user,
        )
        return Answer(201, self.shapes.pull(pull, token, is_full=True))

    def _read(self, request: Request) -> Answer:
        return Answer(200, self.shapes.pull(self._pull(request), request.token, is_full=True))

    def _update(self, request: Request) -> Answer:
        pull, token, body = self._pull(request), self._signed_in(request), request.body
        if pull.author != token.user and not token.may("write", pull.target.path):
            raise _NoAnswerError(403, "Must have write access")
        _check_lengths(body)
        pull.title = str(body.get("title", pull.title))
        pull.body = str(body.get("body", pull.body) or "")
        if body.get("state") == "closed":
            self.state.close(pull)
        return Answer(200, self.shapes.pull(pull, token, is_full=True))

    def _target(self, request: Request) -> Repository:
        found = self.state.repository(f"{request.path['owner']}/{request.path['repo']}")
        token = request.token
        if found is None or not (not found.is_private or (token and token.may("read", found.path))):
            raise _NoAnswerError(404, "Not Found")
        return found

    def _source(self, target: Repository, owner: str, head_repo: str) -> Repository:
        if not owner and not head_repo:
            return target
        for one in self.state.repositories.values():
            is_related = one is target or one.fork_of is target or target.fork_of is one
            is_named = one.path == head_repo if head_repo else one.path.partition("/")[0] == owner
            if is_related and is_named:
                return one
        raise RefusedError("invalid", "head")

    def _pull(self, request: Request) -> PullRequest:
        number = request.path["number"]
        found = self.state.pull(self._target(request), int(number)) if number.isdigit() else None
        if found is None:
            raise _NoAnswerError(404, "Not Found")
        return found

    def _signed_in(self, request: Request) -> Token:
        if request.token is None:
            raise _NoAnswerError(401, "Requires authentication")
        return request.token


def _label(pull: PullRequest) -> str:
    return f"{pull.source.path.partition('/')[0]}:{pull.head_branch}"


def _check_lengths(body: Mapping[str, object]) -> None:
    if len(str(body.get("title", ""))) > _MAX_TITLE:
        raise RefusedError("too_long", "title")
    if len(str(body.get("body") or "")) > _MAX_BODY:
        raise RefusedError("too_long", "body")
