import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.auth import tables
from services.runtime.database import Database
from services.runtime.ids import new_id


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    """Alembic finds nothing to change between the migrated database and tables.py."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _without_version_table}
        )
        assert compare_metadata(context, tables.metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    """Every start migrates; the second time finds all done."""
    database.migrate()


def test_every_tenant_table_begins_its_key_with_the_tenant() -> None:
    """A row of a tenant cannot be named without its tenant."""
    shared = {"tenants", "signing_keys", "canary"}
    for table in tables.metadata.sorted_tables:
        if table.name not in shared:
            assert next(iter(table.primary_key.columns)).name == "tenant_id", table.name


def test_row_level_security_hides_other_tenants_from_a_role_that_owns_nothing(database: Database) -> None:
    """On PostgreSQL, a query that forgets the tenant sees the rows of its own tenant only."""
    if database.dialect != "postgresql":
        return
    one, other = new_id(), new_id()
    with database.begin(one) as tx:
        for tenant in (one, other):
            row = {"tenant_id": tenant, "id": new_id(), "username": "a", "name": "", "email": "", "created_at": 1}
            tx.execute(sa.insert(tables.users).values(row))
        tx.execute(sa.text("CREATE ROLE reader"))
        tx.execute(sa.text("GRANT USAGE ON SCHEMA auth TO reader"))
        tx.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA auth TO reader"))
    with database.read(one) as tx:
        tx.execute(sa.text("SET LOCAL ROLE reader"))
        assert tx.execute(sa.select(tables.users.c.tenant_id)).scalars().all() == [one]
    with database.begin(one) as tx:
        tx.execute(sa.text("DROP OWNED BY reader"))
        tx.execute(sa.text("DROP ROLE reader"))


def _without_version_table(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name == "alembic_version")
