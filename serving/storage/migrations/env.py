"""Alembic's entry: uses the connection that ``serving.storage.migrations`` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from serving.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
