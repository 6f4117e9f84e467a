"""A bound on the time of a read: a long one lets SQLite's log grow, and on PostgreSQL slows a crawl's claims."""

import contextlib
import time
from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from shared.errors import StoreUnavailable

#: SQLite asks after so many of its instructions, about a millisecond
_ASK_EVERY = 50_000


@contextlib.contextmanager
def bounded(conn: Connection, seconds: float, why: str) -> Iterator[None]:
    """Ends what takes longer, on PostgreSQL statement by statement. Raises StoreUnavailable with the reason."""
    try:
        if conn.dialect.name == "sqlite":
            with _interrupted(conn, time.monotonic() + seconds):
                yield
        else:
            conn.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
            yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "57014" or str(error.orig) == "interrupted":
            raise StoreUnavailable(why) from error
        raise


@contextlib.contextmanager
def _interrupted(conn: Connection, deadline: float) -> Iterator[None]:
    raw = conn.connection.driver_connection
    assert raw is not None
    raw.set_progress_handler(lambda: time.monotonic() > deadline, _ASK_EVERY)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)
