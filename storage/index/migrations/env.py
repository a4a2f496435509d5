"""Alembic's entry: runs on the connection that storage.index.migrate hands over."""

from alembic import context

from storage.index import keeping_schema, national_schema, stores_schema  # noqa: F401  their tables belong to the same metadata
from storage.index.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
