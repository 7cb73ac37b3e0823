"""The table that background work is kept in. Every service that has jobs owns one."""

import sqlalchemy as sa


def jobs_table(metadata: sa.MetaData) -> sa.Table:
    """Add the table ``jobs`` to a service's metadata.

    A row is one piece of work: ``key`` is unique in the tenant; ``workspace`` is the lane in which one job
    runs at a time; times are seconds since the epoch. A job is leased while ``lease_until`` lies ahead,
    and ``fence`` grows with every lease, so that a worker whose lease has ended can change nothing.
    ``every_seconds`` above 0 makes the row a schedule that re-arms itself.
    """
    return sa.Table(
        "jobs",
        metadata,
        sa.Column("tenant_id", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(26), primary_key=True),
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
        sa.Index("jobs_due", "run_at", "id"),
        sa.Index("jobs_lane", "tenant_id", "workspace"),
    )
