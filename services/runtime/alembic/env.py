"""Runs the migrations of one service on a connection that ``Database.migrate`` holds."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    version_table_schema=config.attributes["schema"],
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
