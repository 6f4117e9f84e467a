"""Migrations: brings a database to the newest schema. Safe to run from several processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from shared.errors import StoreUnavailable
from shared.store.engine import Store, open_store

_FOLDER = Path(__file__).parent / "migrations"


def upgrade(database_url: str) -> None:
    """Runs the missing migrations in one transaction. Raises StoreUnavailable, SettingsError."""
    store = open_store(database_url, pool_size=1)
    try:
        if not _is_current(store):
            store.write(_upgrade)
    finally:
        store.close()


def is_current(database_url: str) -> bool:
    """Whether the schema is the newest. Raises StoreUnavailable, SettingsError."""
    store = open_store(database_url, pool_size=1)
    try:
        return _is_current(store)
    finally:
        store.close()


def require_current(store: Store) -> None:
    """Raises StoreUnavailable with what to do when the schema is not the newest."""
    if not _is_current(store):
        raise StoreUnavailable("The database schema is not current: run `crawlyard migrate`")


def _is_current(store: Store) -> bool:
    with store.read() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # two releases that start at once: the second one waits and finds nothing to do
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4372179)")
    command.upgrade(_config(connection), "head")
