"""A sync service in this process that dies at any statement, and starts again with nothing but its database."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from services.runtime.context import Call, enter
from services.runtime.database import Database
from services.runtime.identity import Identity
from services.sync.git_client import GitClient
from services.sync.importer import Importer
from services.sync.servicer import SyncServicer
from services.sync.tables import metadata
from tests.integration.sync.world import NOW

_ids: Final = itertools.count()


class PowerCutError(BaseException):
    """The process is gone: no handler of its own may do anything about it."""


class Service:
    """The sync service on a database. ``crashes`` counts how often it died."""

    def __init__(self, url: str, git: GitClient) -> None:
        """Migrate the database and start."""
        self._url = url
        self._git = git
        self._left = -1
        self._dead = False
        self.crashes = 0
        self._start()
        self.database.migrate()

    def cut(self, after: int) -> None:
        """Let it die after so many statements from now on; before the next one, or before its transaction ends."""
        self._left = after

    def call(self, identity: Identity, method: str, request: Any) -> Any:
        """Call a method; when the service dies meanwhile, start it again and ask again, as clients do."""
        if self._left >= 0 and "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = f"r{next(_ids)}"
        try:
            return self._call(identity, method, request)
        except PowerCutError:
            self.close()
            self._start()
            return self._call(identity, method, request)

    def close(self) -> None:
        """Leave the database."""
        self.database.close()

    def _call(self, identity: Identity, method: str, request: Any) -> Any:
        enter(Call(identity))
        try:
            answer = getattr(self.servicer, method)(request, None)
            return list(answer) if isinstance(answer, Iterator) else answer
        finally:
            enter(None)

    def _start(self) -> None:
        self._left, self._dead = -1, False
        self.database = Database.open(self._url, "sync", metadata)
        engine = self.database.engine
        if self.database.dialect == "sqlite":
            # Thousands of small transactions, and no power cut that reaches the disk.
            sa.event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA synchronous=OFF"))
        sa.event.listen(engine, "before_cursor_execute", lambda *_: self._pass())
        sa.event.listen(engine, "commit", lambda _: self._pass())
        importer = Importer(self.database, self._git, lambda: NOW)
        self.servicer = SyncServicer(self.database, self._git, importer, lambda: NOW)

    def _pass(self) -> None:
        """Die here, when it is time to; once dead, not even cleaning up reaches the database."""
        if self._left == 0:
            self._dead, self._left = True, -1
            self.crashes += 1
        if self._dead:
            raise PowerCutError
        self._left -= self._left > 0


class Direct:
    """Calls a service as somebody."""

    def __init__(self, service: Service, identity: Identity) -> None:
        """Take the service and who calls."""
        self._service = service
        self._identity = identity

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        """Give a method."""
        return lambda request: self._service.call(self._identity, name, request)
