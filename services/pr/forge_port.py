"""Where the pull requests of a workspace are: at its forge, or, on plain Git, in our own table."""

from typing import Any

import sqlalchemy as sa

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from services.core.errors import MovedError, NotFoundError
from services.forges import select
from services.forges.models import Kind, PullRequest, State
from services.pr.model import Publication
from services.pr.ports import Connect, Place, PullRequests
from services.pr.tables import pull_requests
from services.runtime.clients import as_tenant
from services.runtime.database import Database

_KINDS: dict[int, Kind] = {auth_pb2.FORGE_GITHUB: "github", auth_pb2.FORGE_GITLAB: "gitlab"}


class AuthWorkspaces:
    """Asks auth where workspaces live, each time anew: a token may have been replaced."""

    def __init__(self, stub: auth_pb2_grpc.AuthServiceStub) -> None:
        """Take a stub that calls as the pr service."""
        self._stub = stub

    def resolve(self, tenant_id: str, workspace_id: str) -> Place:
        """Give a workspace's place."""
        request = auth_pb2.ResolveWorkspaceRequest(workspace_id=workspace_id)
        answer = self._stub.ResolveWorkspace(request, metadata=as_tenant(tenant_id))
        workspace = answer.workspace
        return Place(
            workspace_id=workspace_id,
            kind=_KINDS.get(workspace.forge, "plain"),
            branch=workspace.branch,
            target_url=workspace.upstream_url or workspace.repository_url,
            push_url=workspace.repository_url,
            api_url=answer.forge_api_url,
            token=answer.token,
        )


def connector(database: Database, public_url: str) -> Connect:
    """Give the function that finds a publication's pull requests."""

    def connect(place: Place, publication: Publication) -> PullRequests:
        if place.kind == "plain":
            url = f"{public_url.rstrip('/')}/publications/{publication.id}"
            return PlainPullRequests(database, publication, url)
        return select.connect(place.kind, place.target_url, place.push_url, place.token, place.api_url)

    return connect


class PlainPullRequests:
    """Pull requests kept in the table ``pull_requests``, numbered from 1 in each workspace."""

    def __init__(self, database: Database, publication: Publication, url: str) -> None:
        """Take the publication that the pull request is of, and the address of its page."""
        self._database = database
        self._publication = publication
        self._url = url

    def find_pull_request(self, head_branch: str) -> PullRequest | None:
        """Give the pull request from a branch."""
        with self._database.read(self._publication.tenant_id) as tx:
            row = tx.execute(self._select(pull_requests.c.head_branch == head_branch)).mappings().first()
        return _pull_request(row) if row is not None else None

    def create_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        """Open a pull request under the next number; MovedError when another took it at the same time."""
        highest = sa.select(sa.func.coalesce(sa.func.max(pull_requests.c.number), 0)).where(self._here())
        try:
            with self._database.begin(self._publication.tenant_id) as tx:
                number = tx.execute(highest).scalar_one() + 1
                tx.execute(
                    sa.insert(pull_requests).values(
                        tenant_id=self._publication.tenant_id,
                        workspace_id=self._publication.workspace_id,
                        number=number,
                        state="open",
                        url=self._url,
                        head_branch=head_branch,
                        head_oid=self._publication.commit_oid,
                        base_branch=base_branch,
                        title=title,
                        body=body,
                        merge_commit_oid="",
                    ),
                )
        except sa.exc.IntegrityError as error:
            raise MovedError("the number of the pull request was taken meanwhile") from error
        return self.read_pull_request(number)

    def update_pull_request(self, number: int, *, title: str, body: str) -> PullRequest:
        """Replace title and body."""
        return self._update(number, title=title, body=body)

    def read_pull_request(self, number: int) -> PullRequest:
        """Read one pull request."""
        with self._database.read(self._publication.tenant_id) as tx:
            row = tx.execute(self._select(pull_requests.c.number == number)).mappings().first()
        if row is None:
            raise NotFoundError(f"the workspace has no pull request {number}")
        return _pull_request(row)

    def close_pull_request(self, number: int) -> PullRequest:
        """Close a pull request without merging."""
        return self._update(number, state="closed")

    def merged(self, number: int, merge_commit_oid: str) -> PullRequest:
        """Note that a pull request is merged."""
        return self._update(number, state="merged", merge_commit_oid=merge_commit_oid)

    def _update(self, number: int, **values: Any) -> PullRequest:
        where = self._here() & (pull_requests.c.number == number)
        with self._database.begin(self._publication.tenant_id) as tx:
            tx.execute(sa.update(pull_requests).where(where).values(**values))
        return self.read_pull_request(number)

    def _select(self, where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        return sa.select(pull_requests).where(self._here(), where)

    def _here(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            pull_requests.c.tenant_id == self._publication.tenant_id,
            pull_requests.c.workspace_id == self._publication.workspace_id,
        )


def _pull_request(row: sa.RowMapping) -> PullRequest:
    state: State = row["state"]
    names = ("number", "url", "head_branch", "head_oid", "base_branch", "title", "body", "merge_commit_oid")
    return PullRequest(state=state, **{name: row[name] for name in names})
