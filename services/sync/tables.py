"""The tables of the sync service. Every key begins with the tenant."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.runtime.jobs_table import jobs_table
from services.runtime.requests import requests_table

metadata: Final = sa.MetaData()


class _Pointer(sa.types.TypeDecorator[str]):
    """A JSON pointer. A key may hold NUL, which PostgreSQL has in no text: it is kept as ~2, which is no escape."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """Give what is stored."""
        return value.replace("\0", "~2") if value else value

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """Give the pointer."""
        return value.replace("~2", "\0") if value else value


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant_id", sa.String(64), primary_key=True)


def _workspace() -> sa.Column[str]:
    return sa.Column("workspace_id", sa.String(64), primary_key=True)


workspaces: Final = sa.Table(
    "workspaces",
    metadata,
    _tenant(),
    _workspace(),
    # Commit that all collections hold; empty before the first import.
    sa.Column("imported_commit", sa.String(64), nullable=False, server_default=""),
    # Key of the next new record. Given out under the workspace's lock.
    sa.Column("next_key", sa.BigInteger, nullable=False, server_default="1"),
    # Counts writes; a plan names the count it was made for.
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("last_sync", sa.BigInteger, nullable=False, server_default="0"),
)

collections: Final = sa.Table(
    "collections",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
    # Commit whose files the records stand for; empty when the folder has to be read as a whole.
    sa.Column("imported_commit", sa.String(64), nullable=False, server_default=""),
    sa.UniqueConstraint("tenant_id", "workspace_id", "name", name="collections_name"),
)

# The defaults are what a record is that an import just brought.
records: Final = sa.Table(
    "records",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("collection_id", sa.String(64), nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    # File in Git, or the one that a new record will get.
    sa.Column("path", sa.LargeBinary, nullable=False),
    # JSON text; numbers keep their digits.
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
    # Blob and bytes of the version last seen in Git; empty for a record that is in no file.
    sa.Column("base_blob", sa.String(64), nullable=False),
    sa.Column("base_raw", sa.LargeBinary, nullable=False),
    # Content differs from the base, or the record is deleted here and not there.
    sa.Column("dirty", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
    # Deleted on both sides; kept so that its history is and its key is not given out again.
    sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()),
    # Its file can no longer be read; base and content are the last good version.
    sa.Column("file_rejected", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("open_conflicts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("conflicts_settled", sa.Integer, nullable=False, server_default="0"),
    sa.Column("publication_id", sa.String(64), nullable=False, server_default=""),
    # JSON list of {name, email}: who made the edits since the base.
    sa.Column("authors", sa.Text, nullable=False, server_default="[]"),
    sa.Column("quality", sa.Float, nullable=False),
    # Why, who and when of the current revision.
    sa.Column("reason", sa.String(16), nullable=False, server_default="import"),
    sa.Column("updated_by", sa.Text, nullable=False, server_default="git"),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    # The import that wrote the row last; empty when anything else did since.
    sa.Column("run_id", sa.String(64), nullable=False, server_default=""),
    sa.UniqueConstraint("tenant_id", "workspace_id", "collection_id", "id", name="records_id"),
    sa.Index("records_path", "tenant_id", "workspace_id", "path"),
    sa.Index("records_updated", "tenant_id", "workspace_id", "updated_at", "key"),
    sa.Index(
        "records_open",
        "tenant_id",
        "workspace_id",
        sqlite_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
        postgresql_where=sa.text("dirty OR publication_id <> '' OR open_conflicts > 0"),
    ),
)

# Versions before the current one, which is in records.
record_revisions: Final = sa.Table(
    "record_revisions",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
)

conflicts: Final = sa.Table(
    "conflicts",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("record_key", sa.BigInteger, nullable=False),
    sa.Column("pointer", _Pointer, nullable=False),
    # JSON text; NULL where that side has no value.
    sa.Column("base", sa.Text),
    sa.Column("ours", sa.Text),
    sa.Column("theirs", sa.Text),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("resolved_by", sa.Text, nullable=False, server_default=""),
    sa.Column("resolved_at", sa.BigInteger, nullable=False, server_default="0"),
    # JSON object: what to put back when a person takes the resolution back; empty while there is none.
    sa.Column("before", sa.Text, nullable=False, server_default=""),
    sa.Index("conflicts_record", "tenant_id", "workspace_id", "record_key"),
)

# What an import made of a record with edits of its own, field by field.
merges: Final = sa.Table(
    "merges",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.String(64), primary_key=True),
    # The record's revision after it.
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("commit", sa.String(64), nullable=False),
    # Its file in Git before and at the commit; empty where there was or is none.
    sa.Column("old_path", sa.LargeBinary, nullable=False),
    sa.Column("path", sa.LargeBinary, nullable=False),
    # JSON list of {pointer, verdict, base, ours, theirs, result}; a value that is not there has no key.
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
)

quarantine: Final = sa.Table(
    "quarantine",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("collection_id", sa.String(64), primary_key=True),
    sa.Column("path", sa.LargeBinary, primary_key=True),
    # The id of a duplicate; empty for files that have none.
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("blob", sa.String(64), nullable=False),
    sa.Column("rule", sa.String(32), nullable=False),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("column", sa.Integer, nullable=False),
    sa.Column("pointer", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    # JSON list of paths as Latin-1 text, one character a byte.
    sa.Column("other_paths", sa.Text, nullable=False),
)

# What an open publication makes of a record, and whether the target branch holds it.
reservations: Final = sa.Table(
    "reservations",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("publication_id", sa.String(64), primary_key=True),
    sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("base_commit", sa.String(64), nullable=False),
    # JSON text; value is NULL for a deletion.
    sa.Column("base", sa.Text, nullable=False),
    sa.Column("value", sa.Text),
    # The answer to ReserveRecords for this record, serialised, so that asking again gives the same.
    sa.Column("answer", sa.LargeBinary, nullable=False),
    sa.Column("merged_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("merged_commit", sa.String(64), nullable=False, server_default=""),
    # When the publication was over, merged or not.
    sa.Column("released_at", sa.BigInteger, nullable=False, server_default="0"),
)

# Who reviews a record, and what the last review of it said. A verdict is good for the revision it was given for.
reviews: Final = sa.Table(
    "reviews",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("reserved_by", sa.Text, nullable=False, server_default=""),
    sa.Column("reserved_until", sa.BigInteger, nullable=False, server_default="0"),
    # "validated", "rejected", or empty before the first.
    sa.Column("verdict", sa.String(16), nullable=False, server_default=""),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("given_by", sa.Text, nullable=False, server_default=""),
    sa.Column("given_at", sa.BigInteger, nullable=False, server_default="0"),
)

sync_runs: Final = sa.Table(
    "sync_runs",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("commit", sa.String(64), nullable=False, server_default=""),
    sa.Column("old_commit", sa.String(64), nullable=False, server_default=""),
    # JSON object of ImportCounts.
    sa.Column("counts", sa.Text, nullable=False, server_default="{}"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    # JSON list of sentences: what somebody should know of it.
    sa.Column("notes", sa.Text, nullable=False, server_default="[]"),
    # Of the database once it had landed: runs land in this order.
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("finished_at", sa.BigInteger, nullable=False, server_default="0"),
)

# What the newest imports found before they changed it; see ``services.sync.journal``.
run_changes: Final = sa.Table(
    "run_changes",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    # The row before, msgpack; nil where there was none.
    sa.Column("before", sa.LargeBinary, nullable=False),
)

# When each workspace's remote is looked at next; see ``services.sync.polling``.
jobs: Final = jobs_table(metadata)

# The words of records; on SQLite, with spaces around each, beside the number of a document in the full text table
# ``search_words``, which has no metadata here. Filled by ``search_index``, never by who writes records.
search_texts: Final = sa.Table(
    "search_texts",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("docid", sa.BigInteger),
    sa.Column("words", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")),
    sa.Index("search_docid", "docid", unique=True).ddl_if(dialect="sqlite"),
    sa.Index("search_words_gin", "words", postgresql_using="gin").ddl_if(dialect="postgresql"),
)

# Records whose words may have changed, marked by triggers; ``txn`` keeps apart the marks of writers at once.
search_marks: Final = sa.Table(
    "search_marks",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("txn", sa.BigInteger, primary_key=True, autoincrement=False),
)

# Records from this key on are new to the search; no mark is made for them, so that a first import costs nothing.
search_state: Final = sa.Table(
    "search_state",
    metadata,
    _tenant(),
    _workspace(),
    sa.Column("next_key", sa.BigInteger, nullable=False),
)

# Answers already given, by the id of the request.
requests: Final = requests_table(metadata)
