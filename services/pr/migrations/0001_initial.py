"""The first tables of pr."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "pr_0001"
down_revision = None
branch_labels = None
depends_on = None

# Jobs are not among them: a worker looks for what is due in all tenants.
_TENANT_TABLES: Final = ("publications", "publication_items", "pull_requests")


def upgrade() -> None:
    """Make the tables, and on PostgreSQL the policies that keep tenants apart."""
    _publications()
    _items()
    _pull_requests()
    _jobs()
    if op.get_bind().dialect.name == "postgresql":
        for table in _TENANT_TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY own_tenant ON {table} USING (tenant_id = current_setting('lockstep.tenant', true))",
            )


def downgrade() -> None:
    """Remove the tables."""
    for table in ("jobs", "pull_requests", "publication_items", "publications"):
        op.drop_table(table)


def _publications() -> None:
    op.create_table(
        "publications",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("workspace_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("intent", sa.String(16), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=True),
        sa.Column("record_ids", sa.JSON, nullable=False),
        sa.Column("wanted_title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("creator_name", sa.Text, nullable=False),
        sa.Column("creator_email", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("generated", sa.Text, nullable=False),
        sa.Column("branch", sa.String(255), nullable=False),
        sa.Column("base_oid", sa.String(64), nullable=False),
        sa.Column("commit_oid", sa.String(64), nullable=False),
        sa.Column("pr_number", sa.BigInteger, nullable=False),
        sa.Column("pr_url", sa.Text, nullable=False),
        sa.Column("records_count", sa.BigInteger, nullable=False),
        sa.Column("merged_count", sa.BigInteger, nullable=False),
        sa.Column("forge_merged_at", sa.BigInteger, nullable=False),
        sa.Column("looks", sa.BigInteger, nullable=False),
        sa.Column("merger_name", sa.Text, nullable=False),
        sa.Column("merger_email", sa.Text, nullable=False),
        sa.Column("merge_time", sa.BigInteger, nullable=False),
        sa.Column("merge_oid", sa.String(64), nullable=False),
        sa.Column("review_override", sa.Text, nullable=False),
        sa.Column("awaiting_review", sa.JSON, nullable=False),
        sa.Column("expected_revision", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("needs_person", sa.Boolean, nullable=False),
        sa.UniqueConstraint("tenant_id", "request_id", name="publications_request"),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("publications_workspace", "publications", ["tenant_id", "workspace_id", "id"])


def _items() -> None:
    op.create_table(
        "publication_items",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("publication_id", sa.String(26), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("record_key", sa.BigInteger, nullable=False),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("collection", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("old_path", sa.LargeBinary, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=True),
        sa.Column("blob_oid", sa.String(64), nullable=False),
        sa.Column("merged_at", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("date", sa.Text, nullable=False),
        sa.Column("changed", sa.JSON, nullable=False),
        sa.Column("quality", sa.Double, nullable=True),
        sa.Column("remarks", sa.JSON, nullable=False),
        sa.Column("authors", sa.JSON, nullable=False),
        sa.Column("conflicts_settled", sa.Integer, nullable=False),
        sa.Column("review", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "publication_id", "position"),
    )


def _pull_requests() -> None:
    op.create_table(
        "pull_requests",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("workspace_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("head_branch", sa.String(255), nullable=False),
        sa.Column("head_oid", sa.String(64), nullable=False),
        sa.Column("base_branch", sa.String(255), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("merge_commit_oid", sa.String(64), nullable=False),
        sa.UniqueConstraint("tenant_id", "workspace_id", "head_branch", name="pull_requests_head"),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "number"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("run_at", sa.Double, nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("every_seconds", sa.Integer, nullable=False),
        sa.UniqueConstraint("tenant_id", "key", name="jobs_key"),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("jobs_due", "jobs", ["run_at", "id"])
    op.create_index("jobs_lane", "jobs", ["tenant_id", "workspace"])
