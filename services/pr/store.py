"""Publications in the database. Every write names the state it expects, so that no step is done twice."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from services.core.errors import InvalidInputError, MovedError, NotFoundError
from services.core.publication.content import Author, Remark
from services.pr.model import SETTLED, Intent, Item, Publication, State
from services.pr.tables import publication_items as items
from services.pr.tables import publications
from services.runtime import paging
from services.runtime.database import Database
from services.runtime.jobs import Job, JobQueue

KIND: Final = "publication"
# So long the call that wants something of a publication is given to do it itself.
GUARD_SECONDS: Final = 60.0
_LONGEST_NUMBER: Final = 18


class OvertakenError(MovedError):
    """A publication is not in the state any more that a change was made for; nothing was written."""


class Store:
    """The publications of all tenants, each asked for by its tenant."""

    def __init__(self, database: Database, queue: JobQueue, clock: Callable[[], float]) -> None:
        """Take the migrated database, the queue on its jobs table, and the clock."""
        self._database = database
        self._queue = queue
        self._clock = clock

    def now(self) -> int:
        """Give the time in whole seconds."""
        return int(self._clock())

    def add(self, publication: Publication) -> Publication:
        """Store a publication with its job, or give the one that its request id made before.

        Raises InvalidInputError when the request id was used for something else.
        """
        try:
            with self._database.begin(publication.tenant_id) as tx:
                earlier = self._earlier(tx, publication)
                if earlier is None:
                    tx.execute(sa.insert(publications).values(**_columns(publication)))
                    self._put(tx, publication, GUARD_SECONDS)
        except sa.exc.IntegrityError:
            # Another call with this request id was faster.
            with self._database.read(publication.tenant_id) as tx:
                earlier = self._earlier(tx, publication)
        return earlier or publication

    def get(self, tenant_id: str, publication_id: str) -> Publication:
        """Give a publication; raise NotFoundError when the tenant has none of this id."""
        found = self.load(tenant_id, publication_id)
        if found is None or found.intent is Intent.DISCARD:
            raise _unknown(publication_id)
        return found

    def load(self, tenant_id: str, publication_id: str) -> Publication | None:
        """Give a publication, also one that is being discarded; None when there is none."""
        where = (publications.c.tenant_id == tenant_id) & (publications.c.id == publication_id)
        with self._database.read(tenant_id) as tx:
            row = tx.execute(sa.select(publications).where(where)).mappings().first()
        return _publication(row) if row is not None else None

    def find(self, tenant_id: str, workspace_id: str, name: str) -> Publication:
        """Give a publication by id or by the number of its pull request.

        Raises NotFoundError, or InvalidInputError when a number means several without a workspace.
        """
        if not (name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER):
            found = self.get(tenant_id, name)
            if workspace_id and found.workspace_id != workspace_id:
                raise _unknown(name)
            return found
        where = [publications.c.tenant_id == tenant_id, publications.c.pr_number == int(name)]
        if workspace_id:
            where.append(publications.c.workspace_id == workspace_id)
        with self._database.read(tenant_id) as tx:
            rows = tx.execute(sa.select(publications).where(*where).limit(2)).mappings().all()
        if not rows or name.strip("0") == "":
            raise _unknown(name)
        if len(rows) > 1:
            raise InvalidInputError(
                f"several workspaces have a pull request {name}",
                remedy="name the workspace, or the publication's id",
            )
        return _publication(rows[0])

    def page(
        self,
        tenant_id: str,
        workspace_id: str,
        *,
        open_only: bool,
        size: int,
        token: str,
    ) -> tuple[list[Publication], str]:
        """Give a page, newest first, and the token of the next one ("" on the last)."""
        size, after = paging.size(size), paging.decode(token, (str,))
        where = [publications.c.tenant_id == tenant_id, publications.c.intent != Intent.DISCARD]
        if workspace_id:
            where.append(publications.c.workspace_id == workspace_id)
        if open_only:
            where.append(publications.c.state.not_in(sorted(SETTLED)))
        if after:
            where.append(publications.c.id < after[0])
        query = sa.select(publications).where(*where).order_by(publications.c.id.desc()).limit(size + 1)
        with self._database.read(tenant_id) as tx:
            found = [_publication(row) for row in tx.execute(query).mappings()]
        return found[:size], paging.encode([found[size - 1].id]) if len(found) > size else ""

    def items(self, publication: Publication, *, content: bool = False) -> list[Item]:
        """Give the records of a publication in order, with their files' content only where asked."""
        columns = [column for column in items.c if content or column is not items.c.content]
        query = sa.select(*columns).where(_of(items.c, publication)).order_by(items.c.position)
        with self._database.read(publication.tenant_id) as tx:
            return [_item(row) for row in tx.execute(query).mappings()]

    def plan(self, publication: Publication, planned: Sequence[Item], job: Job | None, **values: Any) -> Publication:
        """Go from requested to planned: fix the records with their files, and let the work go on now."""
        with self._database.begin(publication.tenant_id) as tx:
            self._guard(tx, job)
            changed = self._change(tx, publication, state=State.PLANNED, **values)
            tx.execute(sa.insert(items), [_item_columns(publication, n, item) for n, item in enumerate(planned)])
            self._queue.schedule(tx, publication.tenant_id, publication.id)
        return changed

    def advance(self, publication: Publication, job: Job | None, **values: Any) -> Publication:
        """Write fields, provided that state and intent are as in ``publication``; give it as it is now.

        Raises OvertakenError when they are not, LostLeaseError when the job is somebody else's by now.
        """
        with self._database.begin(publication.tenant_id) as tx:
            self._guard(tx, job)
            return self._change(tx, publication, **values)

    def begin_look(self, publication: Publication) -> Publication:
        """Count a look at the forge that begins now; give the publication with its number."""
        mine = (publications.c.tenant_id == publication.tenant_id) & (publications.c.id == publication.id)
        with self._database.begin(publication.tenant_id) as tx:
            tx.execute(sa.update(publications).where(mine).values(looks=publications.c.looks + 1))
            looks = tx.execute(sa.select(publications.c.looks).where(mine)).scalar_one()
        return dataclasses.replace(publication, looks=looks)

    def note(self, publication: Publication, job: Job | None, **values: Any) -> Publication:
        """Write what a look has seen, as ``advance`` does; nothing where a later look has begun since."""
        mine = (publications.c.tenant_id == publication.tenant_id) & (publications.c.id == publication.id)
        with self._database.begin(publication.tenant_id) as tx:
            self._guard(tx, job)
            newest = tx.execute(sa.select(publications.c.looks).where(mine).with_for_update()).scalar()
            return self._change(tx, publication, **values) if newest == publication.looks else publication

    def want(self, publication: Publication, intent: Intent, **values: Any) -> Publication:
        """Say what is to become of a publication. The caller does it; its job does should the caller die."""
        with self._database.begin(publication.tenant_id) as tx:
            changed = self._change(tx, publication, intent=intent, **values)
            self._put(tx, publication, GUARD_SECONDS)
            self._queue.schedule(tx, publication.tenant_id, publication.id, GUARD_SECONDS)
        return changed

    def set_blobs(self, publication: Publication, blobs: Mapping[int, str]) -> None:
        """Note the blob of each record's file, by record key."""
        with self._database.begin(publication.tenant_id) as tx:
            for record_key, blob in blobs.items():
                where = _of(items.c, publication) & (items.c.record_key == record_key)
                tx.execute(sa.update(items).where(where).values(blob_oid=blob))

    def set_merged(self, publication: Publication, merged: Mapping[int, int], job: Job | None) -> Publication:
        """Note when the target branch was seen to hold records, by record key."""
        with self._database.begin(publication.tenant_id) as tx:
            self._guard(tx, job)
            for record_key, at in merged.items():
                where = _of(items.c, publication) & (items.c.record_key == record_key)
                tx.execute(sa.update(items).where(where).values(merged_at=at))
            count = sa.select(sa.func.count()).where(_of(items.c, publication), items.c.merged_at > 0)
            return self._change(tx, publication, merged_count=tx.execute(count).scalar_one())

    def settle(self, publication: Publication, state: State, job: Job | None, error: str = "") -> Publication:
        """End a publication; the files' content is not needed any more."""
        with self._database.begin(publication.tenant_id) as tx:
            self._guard(tx, job)
            values = {"intent": Intent.GO_ON, "error": error, "needs_person": False}
            changed = self._change(tx, publication, state=state, **values)
            tx.execute(sa.update(items).where(_of(items.c, publication)).values(content=None))
        return changed

    def forget(self, publication: Publication) -> None:
        """Remove a publication that came to nothing before it was planned, with its job."""
        with self._database.begin(publication.tenant_id) as tx:
            self._queue.remove(tx, publication.tenant_id, publication.id)
            tx.execute(sa.delete(items).where(_of(items.c, publication)))
            tx.execute(
                sa.delete(publications).where(
                    publications.c.tenant_id == publication.tenant_id,
                    publications.c.id == publication.id,
                ),
            )

    def _guard(self, tx: sa.Connection, job: Job | None) -> None:
        if job is not None:
            self._queue.guard(tx, job)

    def _change(self, tx: sa.Connection, publication: Publication, **values: Any) -> Publication:
        values["updated_at"] = self.now()
        statement = sa.update(publications).where(
            publications.c.tenant_id == publication.tenant_id,
            publications.c.id == publication.id,
            publications.c.state == publication.state,
            publications.c.intent == publication.intent,
        )
        if tx.execute(statement.values(**values)).rowcount != 1:
            raise OvertakenError(
                f"the publication {publication.id} has moved on meanwhile",
                remedy="look at it again",
                metadata={"publication_id": publication.id},
            )
        return dataclasses.replace(publication, **values)

    def _earlier(self, tx: sa.Connection, publication: Publication) -> Publication | None:
        if publication.request_id is None:
            return None
        where = (publications.c.tenant_id == publication.tenant_id) & (
            publications.c.request_id == publication.request_id
        )
        row = tx.execute(sa.select(publications).where(where)).mappings().first()
        if row is None:
            return None
        earlier = _publication(row)
        if not earlier.asked_like(publication):
            raise InvalidInputError(
                f"the request id {publication.request_id!r} was used for another request",
                remedy="use a new id for each request",
                reason="REQUEST_ID_REUSED",
            )
        return earlier

    def _put(self, tx: sa.Connection, publication: Publication, delay: float) -> None:
        self._queue.put(
            tx,
            tenant_id=publication.tenant_id,
            key=publication.id,
            workspace=publication.workspace_id,
            kind=KIND,
            delay=delay,
        )


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        f"there is no publication {name!r}",
        remedy="see `lockstep publications list`",
        metadata={"publication": name},
    )


def _of(columns: Any, publication: Publication) -> sa.ColumnElement[bool]:
    return sa.and_(columns.tenant_id == publication.tenant_id, columns.publication_id == publication.id)


def _columns(publication: Publication) -> dict[str, Any]:
    lists = {name: list(getattr(publication, name)) for name in ("record_ids", "awaiting_review")}
    return {**vars(publication), **lists}


def _publication(row: sa.RowMapping) -> Publication:
    values = dict(row)
    values["state"] = State(values["state"])
    values["intent"] = Intent(values["intent"])
    values["record_ids"] = tuple(values["record_ids"])
    values["awaiting_review"] = tuple(values["awaiting_review"])
    return Publication(**values)


def _item_columns(publication: Publication, position: int, item: Item) -> dict[str, Any]:
    return {
        **vars(item),
        "tenant_id": publication.tenant_id,
        "publication_id": publication.id,
        "position": position,
        "changed": list(item.changed),
        "remarks": [vars(remark) for remark in item.remarks],
        "authors": [vars(author) for author in item.authors],
    }


def _item(row: sa.RowMapping) -> Item:
    values = {key: value for key, value in row.items() if key not in ("tenant_id", "publication_id", "position")}
    values["changed"] = tuple(values["changed"])
    values["remarks"] = tuple(Remark(**remark) for remark in values["remarks"])
    values["authors"] = tuple(Author(**author) for author in values["authors"])
    values.setdefault("content", None)
    return Item(**values)
