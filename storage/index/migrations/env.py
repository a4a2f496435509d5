"""Alembic's entry: runs on the connection that storage.index.migrate hands over."""

from alembic import context

from storage.index import (  # noqa: F401  their tables belong to the same metadata
    audit_schema,
    backup_schema,
    care_schema,
    cluster_schema,
    commitment_schema,
    corrections_schema,
    forwarding_schema,
    keeping_schema,
    login_schema,
    national_schema,
    roles_schema,
    stores_schema,
)
from storage.index.migrations import compatibility
from storage.index.schema import metadata

connection = context.config.attributes["connection"]
is_sqlite = connection.dialect.name == "sqlite"
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=is_sqlite,
    transaction_per_migration=not is_sqlite,
    on_version_apply=compatibility.note,  # type: ignore[arg-type]  # called by names, as its documentation says
)
with context.begin_transaction():
    context.run_migrations()
