"""What a database's driver raises, as this code's own errors."""

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import StoreUnavailable

#: PostgreSQL: serialization failure, deadlock, lock_timeout
_TRANSIENT = {"40001", "40P01", "55P03"}
#: PostgreSQL: idle_in_transaction_session_timeout
_IDLE_TOO_LONG = "25P03"


class SchemaNotCurrent(StoreUnavailable):
    """The database schema is not current: run `crawlyard migrate`."""


class Transient(Exception):
    """A conflict between transactions that a repetition solves."""


@contextlib.contextmanager
def translated(driver_error: type[Exception]) -> Iterator[None]:
    """Raises StoreUnavailable, SchemaNotCurrent or Transient where SQLAlchemy or the driver itself reports that."""
    try:
        yield
    except (DBAPIError, driver_error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlstate", None) in _TRANSIENT or "database is locked" in str(cause):
            raise Transient from error
        if getattr(error, "connection_invalidated", False) or _is_outage(cause):
            raise StoreUnavailable(f"The database is away: {first_line(cause)}") from error
        if _is_old(cause):
            raise SchemaNotCurrent(f"The database schema is not current: {first_line(cause)}") from error
        raise
    except (PoolTimeout, DisconnectionError) as error:
        raise StoreUnavailable(f"The database is away: {first_line(error)}") from error


def _is_outage(error: BaseException | None) -> bool:
    # OperationalError and its children: admin shutdown, connection timeout, too many connections, disk full
    if {"OperationalError", "InterfaceError"} & {base.__name__ for base in type(error).__mro__}:
        return not (isinstance(error, sqlite3.OperationalError) and "no such" in str(error))
    state = getattr(error, "sqlstate", None) or ""
    return state[:2] in ("08", "53", "57") or state == _IDLE_TOO_LONG


def _is_old(error: BaseException | None) -> bool:
    """Whether a table or a column is missing: nobody has run the migrations yet."""
    if isinstance(error, sqlite3.OperationalError):
        return "no such table" in str(error) or "no such column" in str(error)
    return getattr(error, "sqlstate", None) in ("42P01", "42703")


def first_line(error: object) -> str:
    """Of an error's text, 200 characters at most."""
    return (str(error).strip().splitlines() or ["no detail"])[0][:200]
