"""The first tables of the sync service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

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
    "merges",
    "quarantine",
    "reservations",
    "reviews",
    "sync_runs",
    "run_changes",
    "requests",
    "search_texts",
    "search_marks",
    "search_state",
)

# Full text: one document a version of a record, never taken out (older SQLite cannot); the mapping in search_texts
# says which are current. The words come from the service, which has made them lower-case and ASCII where it can.
_SEARCH_SQLITE = (
    """
    CREATE VIRTUAL TABLE search_words
    USING fts5 (words, content='', detail=none, tokenize="ascii tokenchars '_'")
    """,
    "CREATE UNIQUE INDEX search_docid ON search_texts (docid)",
    """
    CREATE TRIGGER records_search_changed AFTER UPDATE OF content, id ON records
    WHEN NEW.content IS NOT OLD.content OR NEW.id IS NOT OLD.id
    BEGIN
    INSERT INTO search_marks SELECT NEW.tenant_id, NEW.workspace_id, NEW.key, 0 WHERE NOT EXISTS (
        SELECT 1 FROM search_marks m
        WHERE m.tenant_id = NEW.tenant_id AND m.workspace_id = NEW.workspace_id AND m.key = NEW.key
    );
    END
    """,
    """
    CREATE TRIGGER records_search_deleted AFTER DELETE ON records BEGIN
    DELETE FROM search_texts WHERE tenant_id = OLD.tenant_id AND workspace_id = OLD.workspace_id AND key = OLD.key;
    DELETE FROM search_marks WHERE tenant_id = OLD.tenant_id AND workspace_id = OLD.workspace_id AND key = OLD.key;
    END
    """,
)

# The costs let a search be looked at first: reading JSON costs more than the planner thinks.
# record_json reads a record's content for conditions and orders: NUL, which jsonb cannot hold, becomes U+FFFD, and
# what cannot be read at all (a number of 200,000 digits) NULL, so that one record does not stop a list.
_SEARCH_POSTGRESQL = (
    "CREATE INDEX search_words_gin ON search_texts USING gin (words)",
    r"""
    CREATE FUNCTION record_json(content text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT COST 10000 AS $$
    BEGIN
        IF position('\u0000' in content) > 0 THEN
            content := regexp_replace(content, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g');
        END IF;
        RETURN content::jsonb;
    EXCEPTION WHEN data_exception THEN
        RETURN NULL;
    END $$
    """,
    # Gives what services.core.filters.sort_text gives: a digit for the kind, then the value as text that sorts.
    """
    CREATE FUNCTION record_sort(content text, path text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE COST 10000 AS $$
    DECLARE
        field jsonb := record_json(content) #> path;
        kind text := coalesce(jsonb_typeof(field), 'null');
        number float8;
        digits text;
    BEGIN
        IF kind = 'string' THEN
            RETURN '2' || left(field #>> '{}', 200);
        ELSIF kind <> 'number' THEN
            RETURN CASE WHEN kind = 'null' THEN '0' WHEN field = 'false' THEN '3' WHEN field = 'true' THEN '4'
                ELSE '5' END;
        END IF;
        BEGIN
            number := (field #>> '{}')::float8;
        EXCEPTION WHEN numeric_value_out_of_range THEN
            number := CASE WHEN abs((field #>> '{}')::numeric) < 1 THEN '0'
                WHEN (field #>> '{}')::numeric < 0 THEN '-Infinity' ELSE 'Infinity' END;
        END;
        digits := encode(float8send(number), 'hex');
        IF number < 0 THEN
            RETURN '1' || translate(digits, '0123456789abcdef', 'fedcba9876543210');
        END IF;
        RETURN '1' || translate(left(digits, 1), '01234567', '89abcdef') || substr(digits, 2);
    END $$
    """,
    """
    CREATE FUNCTION mark_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO search_marks
        SELECT n.tenant_id, n.workspace_id, n.key, txid_current()
        FROM new_rows n JOIN old_rows o USING (tenant_id, workspace_id, key)
        WHERE n.content <> o.content OR n.id <> o.id
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER records_search_changed AFTER UPDATE ON records
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_for_search()
    """,
    """
    CREATE FUNCTION forget_in_search() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM search_texts t USING old_rows o
        WHERE (t.tenant_id, t.workspace_id, t.key) = (o.tenant_id, o.workspace_id, o.key);
        DELETE FROM search_marks m USING old_rows o
        WHERE (m.tenant_id, m.workspace_id, m.key) = (o.tenant_id, o.workspace_id, o.key);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER records_search_deleted AFTER DELETE ON records
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION forget_in_search()
    """,
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
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "id"),
    )
    op.create_index("conflicts_record", "conflicts", ["tenant_id", "workspace_id", "record_key"], unique=False)
    op.create_table(
        "merges",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("record_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("old_path", sa.LargeBinary(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "record_key", "run_id"),
    )
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
        sa.Column("run_id", sa.String(length=64), server_default="", nullable=False),
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
    op.create_index("records_updated", "records", ["tenant_id", "workspace_id", "updated_at", "key"], unique=False)
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
        "reviews",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("record_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reserved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reserved_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("verdict", sa.String(length=16), server_default="", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("given_by", sa.Text(), server_default="", nullable=False),
        sa.Column("given_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "record_key"),
    )
    op.create_table(
        "jobs",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("run_at", sa.Double(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.UniqueConstraint("tenant_id", "key", name="jobs_key"),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("jobs_due", "jobs", ["run_at", "id"], unique=False)
    op.create_index("jobs_lane", "jobs", ["tenant_id", "workspace"], unique=False)
    op.create_table(
        "run_changes",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "run_id", "kind", "key"),
    )
    op.create_table(
        "search_marks",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("txn", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "key", "txn"),
    )
    op.create_table(
        "search_state",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("next_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id"),
    )
    op.create_table(
        "search_texts",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("docid", sa.BigInteger(), nullable=True),
        sa.Column("words", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "workspace_id", "key"),
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
        sa.Column("notes", sa.Text(), server_default="[]", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
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
    for statement in _SEARCH_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SEARCH_SQLITE:
        # As it is: the functions hold colons and backslashes that SQLAlchemy would read.
        op.get_bind().exec_driver_sql(statement)
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            own = "tenant_id = current_setting('lockstep.tenant', true)"
            op.execute(f"CREATE POLICY own_tenant ON {table} USING ({own})")


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("run_changes")
    op.drop_table("search_texts")
    op.drop_table("search_state")
    op.drop_table("search_marks")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("search_words")
    op.drop_table("workspaces")
    op.drop_table("sync_runs")
    op.drop_table("jobs")
    op.drop_table("reviews")
    op.drop_table("reservations")
    op.drop_table("requests")
    op.drop_index("records_updated", table_name="records")
    op.drop_index("records_path", table_name="records")
    op.drop_index(
        "records_open",
        table_name="records",
        sqlite_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
        postgresql_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
    )
    op.drop_table("records")
    if op.get_bind().dialect.name == "postgresql":
        for function in ("record_sort(text, text[])", "record_json(text)", "mark_for_search()", "forget_in_search()"):
            op.execute(f"DROP FUNCTION {function}")
    op.drop_table("record_revisions")
    op.drop_table("quarantine")
    op.drop_table("merges")
    op.drop_index("conflicts_record", table_name="conflicts")
    op.drop_table("conflicts")
    op.drop_table("collections")
