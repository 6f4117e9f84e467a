"""Migrations: brings a database to the newest schema. Safe to run from several processes at once."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from shared.errors import StoreUnavailable
from shared.store.engine import Store, open_store

if TYPE_CHECKING:
    from alembic.config import Config

#: the newest revision that this code knows, so that a process need not load Alembic (0.4 s) to compare
HEAD = "0013"
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
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    # a newer one will do: in a rolling deploy old processes start again beside new ones, and migrations only add
    return str(found or "") >= HEAD


def config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration on an open connection."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def _upgrade(connection: Connection) -> None:
    from alembic import command

    if connection.dialect.name == "postgresql":
        # two releases that start at once: the second one waits and finds nothing to do
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4372179)")
    command.upgrade(config(connection), "head")
