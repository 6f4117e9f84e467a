"""Alembic's entry: runs on the connection, and inside the transaction, that `shared.store.migrate` hands over."""

from alembic import context

from shared.store import attempt_tables, change_tables, note_tables, pause_tables  # noqa: F401  (their tables)
from shared.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
