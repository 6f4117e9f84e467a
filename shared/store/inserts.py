"""Rows that somebody else may insert at the same moment: on PostgreSQL a look before proves nothing."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(conn: Connection, table: Table, **values: Any) -> None:
    """Inserts a row, unless one has any of its unique keys; waits for whoever is about to make that one."""
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    conn.execute(dialect.insert(table).values(values).on_conflict_do_nothing())
