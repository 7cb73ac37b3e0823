"""The first tables of the sync service."""

import sqlalchemy as sa
from alembic import op

revision = "sync_0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "workspaces",
    "collections",
    "records",
    "record_revisions",
    "conflicts",
    "quarantine",
    "reservations",
    "sync_runs",
    "requests",
)


def upgrade() -> None:
    """Make the tables, and on PostgreSQL the policies that keep tenants apart."""
    op.create_table(
        "collections",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("imported_commit", sa.String(length=64), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "id"),
        sa.UniqueConstraint("tenant_id", "workspace_id", "name", name="collections_name"),
    )
    op.create_table(
        "conflicts",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("record_key", sa.BigInteger(), nullable=False),
        sa.Column("pointer", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("ours", sa.Text(), nullable=True),
        sa.Column("theirs", sa.Text(), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("resolved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "id"),
    )
    op.create_index("conflicts_record", "conflicts", ["tenant_id", "workspace_id", "record_key"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("collection_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("blob", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("column", sa.Integer(), nullable=False),
        sa.Column("pointer", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("other_paths", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "collection_id", "path"),
    )
    op.create_table(
        "record_revisions",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("record_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "record_key", "revision"),
    )
    op.create_table(
        "records",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("base_blob", sa.String(length=64), nullable=False),
        sa.Column("base_raw", sa.LargeBinary(), nullable=False),
        sa.Column("dirty", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("file_rejected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("open_conflicts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("conflicts_settled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("publication_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("authors", sa.Text(), server_default="[]", nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(length=16), server_default="import", nullable=False),
        sa.Column("updated_by", sa.Text(), server_default="git", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "key"),
        sa.UniqueConstraint("tenant_id", "workspace_id", "collection_id", "id", name="records_id"),
    )
    op.create_index(
        "records_open",
        "records",
        ["tenant_id", "workspace_id"],
        unique=False,
        sqlite_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
        postgresql_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
    )
    op.create_index("records_path", "records", ["tenant_id", "workspace_id", "path"], unique=False)
    op.create_table(
        "requests",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "method", "request_id"),
    )
    op.create_table(
        "reservations",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("publication_id", sa.String(length=64), nullable=False),
        sa.Column("record_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("base_commit", sa.String(length=64), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("merged_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("merged_commit", sa.String(length=64), server_default="", nullable=False),
        sa.Column("released_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "publication_id", "record_key"),
    )
    op.create_table(
        "sync_runs",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("commit", sa.String(length=64), server_default="", nullable=False),
        sa.Column("old_commit", sa.String(length=64), server_default="", nullable=False),
        sa.Column("counts", sa.Text(), server_default="{}", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "id"),
    )
    op.create_table(
        "workspaces",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("imported_commit", sa.String(length=64), server_default="", nullable=False),
        sa.Column("next_key", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_sync", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            own = "tenant_id = current_setting('lockstep.tenant', true)"
            op.execute(f"CREATE POLICY own_tenant ON {table} USING ({own})")


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("workspaces")
    op.drop_table("sync_runs")
    op.drop_table("reservations")
    op.drop_table("requests")
    op.drop_index("records_path", table_name="records")
    op.drop_index(
        "records_open",
        table_name="records",
        sqlite_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
        postgresql_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
    )
    op.drop_table("records")
    op.drop_table("record_revisions")
    op.drop_table("quarantine")
    op.drop_index("conflicts_record", table_name="conflicts")
    op.drop_table("conflicts")
    op.drop_table("collections")
