"""The tables of auth. ``migrations`` makes them; a test holds the two together.

Times are seconds since the epoch; 0 in ``expires_at`` and ``revoked_at`` means never.
"""

from typing import Final

import sqlalchemy as sa

from services.runtime.requests import requests_table

metadata: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    },
)


def _tenant_key() -> list[sa.Column[str]]:
    return [sa.Column("tenant_id", sa.Text, primary_key=True), sa.Column("id", sa.Text, primary_key=True)]


tenants: Final = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

users: Final = sa.Table(
    "users",
    metadata,
    *_tenant_key(),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("tenant_id", "username"),
)

memberships: Final = sa.Table(
    "memberships",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("role", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
)

sessions: Final = sa.Table(
    "sessions",
    metadata,
    *_tenant_key(),
    # SHA-256 of the token; the only way in, before the tenant is known.
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger, nullable=False),
    sa.Index(None, "tenant_id", "user_id", "id"),
)

workspaces: Final = sa.Table(
    "workspaces",
    metadata,
    *_tenant_key(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("repository_url", sa.Text, nullable=False),
    sa.Column("branch", sa.Text, nullable=False),
    sa.Column("upstream_url", sa.Text, nullable=False),
    sa.Column("forge", sa.Text, nullable=False),
    sa.Column("partial_clone", sa.Boolean, nullable=False),
    # Null: as the installation has it.
    sa.Column("poll_seconds", sa.Integer, nullable=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("tenant_id", "name"),
)

credentials: Final = sa.Table(
    "credentials",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant_id", "workspace_id"],
        ["workspaces.tenant_id", "workspaces.id"],
        ondelete="CASCADE",
    ),
)

# SSH keys: at most one of each purpose, "ssh" for signing in to remotes and "signing" for signing commits.
workspace_keys: Final = sa.Table(
    "workspace_keys",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("known_hosts", sa.Text, nullable=False),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant_id", "workspace_id"],
        ["workspaces.tenant_id", "workspaces.id"],
        ondelete="CASCADE",
    ),
)

audit_log: Final = sa.Table(
    "audit_log",
    metadata,
    *_tenant_key(),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
)

# Answers already given, so that a repeated request is not done twice.
requests: Final = requests_table(metadata)

signing_keys: Final = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("private_key", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

# A known text under the master key: tells a wrong key at start, before it does harm.
canary: Final = sa.Table(
    "canary",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
)
