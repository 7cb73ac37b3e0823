"""SSH keys of workspaces."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0002"
down_revision = "auth_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and on PostgreSQL the policy that keeps tenants apart."""
    op.create_table(
        "workspace_keys",
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("known_hosts", sa.Text, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "purpose", name="pk_workspace_keys"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "workspace_id"],
            ["workspaces.tenant_id", "workspaces.id"],
            name="fk_workspace_keys_workspaces",
            ondelete="CASCADE",
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE workspace_keys ENABLE ROW LEVEL SECURITY")
        own = "tenant_id = current_setting('lockstep.tenant', true)"
        op.execute(f"CREATE POLICY own_tenant ON workspace_keys USING ({own})")


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("workspace_keys")
