"""The tables that pr owns. Times are whole seconds since the epoch; objects are named in hex."""

from typing import Final

import sqlalchemy as sa

from services.runtime.jobs_table import jobs_table

metadata: Final = sa.MetaData()

publications: Final = sa.Table(
    "publications",
    metadata,
    sa.Column("tenant_id", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("workspace_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # What is to become of it: "" (the next state), "discard", "fail", "close", "merge".
    sa.Column("intent", sa.String(16), nullable=False),
    # Null where the call that made it gave none.
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
    # The part of the body between the markers, as it was last sent.
    sa.Column("generated", sa.Text, nullable=False),
    sa.Column("branch", sa.String(255), nullable=False),
    sa.Column("base_oid", sa.String(64), nullable=False),
    sa.Column("commit_oid", sa.String(64), nullable=False),
    sa.Column("pr_number", sa.BigInteger, nullable=False),
    sa.Column("pr_url", sa.Text, nullable=False),
    sa.Column("records_count", sa.BigInteger, nullable=False),
    sa.Column("merged_count", sa.BigInteger, nullable=False),
    # When the forge was first seen to call the pull request merged; 0 before.
    sa.Column("forge_merged_at", sa.BigInteger, nullable=False),
    # Counts looks at the forge, so that one that took long does not write over what a later one saw.
    sa.Column("looks", sa.BigInteger, nullable=False),
    # Who merges, and when: part of the merge commit's name, so fixed before it is made.
    sa.Column("merger_name", sa.Text, nullable=False),
    sa.Column("merger_email", sa.Text, nullable=False),
    sa.Column("merge_time", sa.BigInteger, nullable=False),
    sa.Column("merge_oid", sa.String(64), nullable=False),
    # Why records that were not validated are in it too.
    sa.Column("review_override", sa.Text, nullable=False),
    # Ids of records that were left out since they are not validated.
    sa.Column("awaiting_review", sa.JSON, nullable=False),
    # The revision of the records' database that it was planned for; 0 where there was no plan.
    sa.Column("expected_revision", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("needs_person", sa.Boolean, nullable=False),
    sa.UniqueConstraint("tenant_id", "request_id", name="publications_request"),
    sa.Index("publications_workspace", "tenant_id", "workspace_id", "id"),
)

publication_items: Final = sa.Table(
    "publication_items",
    metadata,
    sa.Column("tenant_id", sa.String(64), primary_key=True),
    sa.Column("publication_id", sa.String(26), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("record_key", sa.BigInteger, nullable=False),
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("path", sa.LargeBinary, nullable=False),
    sa.Column("old_path", sa.LargeBinary, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    # Null once it is settled: until then the commit can be made again wherever a mirror was lost.
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
)

# The pull requests of workspaces on plain Git, whose review lives here.
pull_requests: Final = sa.Table(
    "pull_requests",
    metadata,
    sa.Column("tenant_id", sa.String(64), primary_key=True),
    sa.Column("workspace_id", sa.String(64), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("head_branch", sa.String(255), nullable=False),
    sa.Column("head_oid", sa.String(64), nullable=False),
    sa.Column("base_branch", sa.String(255), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("merge_commit_oid", sa.String(64), nullable=False),
    sa.UniqueConstraint("tenant_id", "workspace_id", "head_branch", name="pull_requests_head"),
)

jobs: Final = jobs_table(metadata)
