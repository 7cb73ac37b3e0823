"""The migrations make the tables that the code uses."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.pr.tables import metadata
from services.runtime.database import Database


def test_migrations_and_tables_do_not_differ(database_url: str) -> None:
    """Alembic finds nothing to add, and migrating again changes nothing."""
    database = Database.open(database_url, "pr", metadata)
    database.migrate()
    database.migrate()
    with database.read("") as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()
