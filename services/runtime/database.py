"""One database for SQLite (standalone) and PostgreSQL (server): the same Core code on both.

Writes on SQLite begin IMMEDIATE, so two writers queue instead of failing half-way; readers are never
blocked (WAL). On PostgreSQL every service has a schema of its own, and the tenant of a transaction is
set for row-level security. Driver errors that mean "not reachable" become UnavailableError here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from services.core.errors import BusyError, InvalidInputError, UnavailableError

WRITE: Final = "lockstep_write"
BUSY_MILLISECONDS: Final = 30_000
_ALEMBIC: Final = Path(__file__).parent / "alembic"
_SERVICES: Final = Path(__file__).parent.parent
_MIGRATION_LOCK: Final = 0x10C5


class Database:
    """The tables of one service. Thread-safe."""

    def __init__(self, engine: sa.Engine, service: str, metadata: sa.MetaData) -> None:
        """Take an engine made by ``open``."""
        self.engine = engine
        self.service = service
        self.metadata = metadata

    @classmethod
    def open(cls, url: str, service: str, metadata: sa.MetaData) -> "Database":
        """Connect to ``url``; ``service`` ("sync", "pr", "auth") names its schema and its migrations."""
        parsed = sa.engine.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_MILLISECONDS / 1000})
            _configure_sqlite(engine)
        else:
            engine = sa.create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_size=16,
                max_overflow=16,
                pool_pre_ping=True,
                connect_args={"options": f"-csearch_path={service}", "connect_timeout": 10},
            )
        return cls(engine, service, metadata)

    @property
    def dialect(self) -> str:
        """Give "sqlite" or "postgresql"."""
        return self.engine.dialect.name

    @contextmanager
    def begin(self, tenant_id: str) -> Iterator[sa.Connection]:
        """Give a transaction that writes; it commits at the end, or not at all."""
        with _translated(self), self.engine.connect() as plain:
            connection = plain.execution_options(**{WRITE: True})
            with connection.begin():
                self.enter(connection, tenant_id)
                yield connection

    @contextmanager
    def read(self, tenant_id: str) -> Iterator[sa.Connection]:
        """Give a transaction that reads one consistent state."""
        options: dict[str, Any] = {}
        if self.dialect == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with _translated(self), self.engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                self.enter(connection, tenant_id)
                yield connection

    def migrate(self) -> None:
        """Bring the tables to this version; several processes may ask at once."""
        with _translated(self), self.engine.connect() as plain:
            connection = plain
            if self.dialect == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
                connection.execute(sa.text(f'CREATE SCHEMA IF NOT EXISTS "{self.service}"'))
            connection.commit()
            connection = connection.execution_options(**{WRITE: True})
            try:
                config = self.alembic_config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
            finally:
                if self.dialect == "postgresql":
                    connection.rollback()
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
                    connection.commit()

    def alembic_config(self) -> Config:
        """Give Alembic's settings for this service's migrations."""
        config = Config()
        config.set_main_option("script_location", str(_ALEMBIC))
        config.set_main_option("version_locations", str(_SERVICES / self.service / "migrations"))
        config.set_main_option("path_separator", "newline")
        config.attributes["metadata"] = self.metadata
        config.attributes["schema"] = self.service if self.dialect == "postgresql" else None
        return config

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def enter(self, connection: sa.Connection, tenant_id: str) -> None:
        """Go on in another tenant within the same transaction; row-level security goes by it."""
        if self.dialect == "postgresql":
            connection.execute(sa.text("SELECT set_config('lockstep.tenant', :tenant, true)"), {"tenant": tenant_id})


def sqlite_url(path: Path) -> str:
    """Give the URL of a SQLite file."""
    return f"sqlite:///{path}"


def _configure_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def configure(raw: Any, _record: object) -> None:
        # SQLAlchemy emits BEGIN itself below; the driver must not do so on its own.
        raw.isolation_level = None
        # A record with its base is larger than the default page; only a new file takes this.
        raw.execute("PRAGMA page_size=16384")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        raw.execute("PRAGMA cache_size=-24576")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get(WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _translated(database: Database) -> Iterator[None]:
    try:
        yield
    except sa.exc.DataError as error:
        # Names and searches come as they are typed; PostgreSQL has no text with NUL, so nothing can have it.
        if "NUL" not in str(error.orig):
            raise
        raise InvalidInputError("a text holds the character NUL", remedy="leave it out; nothing was changed") from None
    except sa.exc.OperationalError as error:
        text = str(error.orig)
        if "locked" in text:
            raise BusyError("the database is busy with another change", retry_after=1.0) from error
        if "disk is full" in text or "No space left" in text:
            raise UnavailableError("the disk is full", remedy="free some space; nothing was changed") from error
        raise UnavailableError(
            f"the database of {database.service} does not answer",
            remedy="run `lockstep doctor`; nothing was changed",
        ) from error
