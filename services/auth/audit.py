"""Who did what: one row in the transaction of the deed itself."""

from collections.abc import Callable

import sqlalchemy as sa

from services.auth import tables
from services.auth.models import AuditEvent
from services.auth.paging import Page, PageRequest
from services.runtime.database import Database
from services.runtime.identity import Identity, Role


class Audit:
    """Writes and lists the audit log."""

    def __init__(self, database: Database, clock: Callable[[], float], ids: Callable[[], str]) -> None:
        """Take the database, the clock in seconds and the maker of ids."""
        self._database = database
        self._clock = clock
        self._ids = ids

    def record(self, tx: sa.Connection, tenant_id: str, actor: str, action: str, subject: str) -> None:
        """Add a row. ``action`` is like workspace.create, ``subject`` the name of what it was done to."""
        tx.execute(
            sa.insert(tables.audit_log).values(
                tenant_id=tenant_id,
                id=self._ids(),
                time=int(self._clock()),
                actor=actor,
                action=action,
                subject=subject,
            ),
        )

    def page(self, caller: Identity, request: PageRequest) -> Page[AuditEvent]:
        """Give the events of the caller's tenant, newest first."""
        caller.require(Role.VIEWER)
        log = tables.audit_log
        query = sa.select(log).where(log.c.tenant_id == caller.tenant_id).order_by(log.c.id.desc())
        if request.after:
            query = query.where(log.c.id < request.after)
        with self._database.read(caller.tenant_id) as tx:
            rows = tx.execute(query.limit(request.size + 1)).all()
        found = [AuditEvent(row.id, row.time, row.actor, row.action, row.subject) for row in rows]
        return Page.of(found, request, lambda event: event.id)
