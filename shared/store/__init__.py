"""The record: SQL through SQLAlchemy Core, on SQLite and PostgreSQL. No sqlalchemy name leaves here."""

from shared.store.engine import Store, open_store

__all__ = ["Store", "open_store"]
