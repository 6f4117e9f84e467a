"""Statements of the hot transaction: written in SQLAlchemy's terms, compiled once, run on the driver's own cursor.

To run a statement costs SQLAlchemy 40 to 100 µs of CPU each time, and a step runs some twenty, always the same. So
SQLAlchemy makes their texts, once a dialect, and has no part in running them; rows come back as named tuples. The
driver's errors are for `Store` to translate.

To PostgreSQL each statement is a message, which costs both sides more than most of the work in it. So changes can be
`put`: they wait for each other, and go as one statement when anything else is asked, or the transaction ends.
"""

import re
from binascii import b2a_base64
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql, sqlite

Values = Mapping[str, Any]
#: in a connection's info: what was put, and not yet sent
_WAITING = "put"
_PARAMETER = re.compile(r"%\((\w+)\)s")
#: Python's sqlite3 takes a row by names in nearly twice the time
_POSITIONAL = sqlite.dialect(paramstyle="qmark")
#: its names are not known to a type checker
_named_tuple: Any = namedtuple


class _Compiled(NamedTuple):
    text: str
    #: values that the statement has of its own
    constants: dict[str, Any]
    #: by name, for values that the driver does not take as they are
    encoders: dict[str, Callable[[Any], Any]]
    #: values by name, as the driver takes them
    arrange: Callable[[Values], Any]
    #: named tuple of a row
    row: Callable[[Sequence[Any]], Any]


def _compile(statement: Any, dialect: Dialect) -> _Compiled:
    used: Dialect = _POSITIONAL if dialect.name == "sqlite" else dialect
    compiled = statement.compile(dialect=used)
    given = {b.key: b.type.dialect_impl(used).bind_processor(used) for b in compiled.binds.values() if b.required}
    constants = {name: value for name, value in compiled.params.items() if name not in given}
    encoders = {name: encode for name, encode in given.items() if encode is not None}
    names = [c.key for c in getattr(statement, "selected_columns", ())]
    row = _named_tuple("Row", names)
    arrange = _in_order(compiled.positiontup) if compiled.positional else _as_it_is
    return _Compiled(str(compiled), constants, encoders, arrange, row._make)


def _in_order(names: Sequence[str]) -> Callable[[Values], Any]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: [values[name] for name in names]


def _as_it_is(values: Values) -> Values:
    return values


class Hot:
    """A statement, compiled at its first use."""

    def __init__(self, statement: Any) -> None:
        """A statement, or what makes it for a dialect's module (`sqlalchemy.dialects.postgresql` or `.sqlite`)."""
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, conn: Connection, values: Values) -> list[Any]:
        """The rows of a query."""
        return list(map(self._on(conn).row, self._execute(conn, values).fetchall()))

    def rows_beside(self, conn: Connection, values: Values) -> list[Any]:
        """The rows of a query that has nothing to do with what was put: it goes with that."""
        self.put(conn, values)
        return list(map(self._on(conn).row, _cursor(conn).fetchall()))

    def run(self, conn: Connection, values: Values) -> int:
        """Changes rows; how many."""
        touched: int = self._execute(conn, values).rowcount
        return touched

    def put(self, conn: Connection, values: Values) -> None:
        """Changes rows, before anything else is asked in this transaction.

        What waits at the same time must change other rows, and none that it inserts: all see what was there before.
        """
        waiting = conn.info.get(_WAITING)
        if waiting is None:
            self._execute(conn, values)
        else:
            compiled = self._on(conn)
            waiting.append((compiled.text, self._given(compiled, values)))

    def run_each(self, conn: Connection, rows: Sequence[Values]) -> int:
        """Changes rows, once for each of the values; how many."""
        compiled, cursor = self._on(conn), _cursor(conn)
        full = [{**compiled.constants, **row} for row in rows] if compiled.constants else rows
        cursor.executemany(compiled.text, map(compiled.arrange, full))
        touched: int = cursor.rowcount
        return touched

    def _execute(self, conn: Connection, values: Values) -> Any:
        compiled = self._on(conn)
        cursor = _cursor(conn)
        cursor.execute(compiled.text, compiled.arrange(self._given(compiled, values)))
        return cursor

    def _given(self, compiled: _Compiled, values: Values) -> dict[str, Any]:
        given = {**compiled.constants, **values}
        for name, encode in compiled.encoders.items():
            given[name] = encode(given[name])
        return given

    def _on(self, conn: Connection) -> _Compiled:
        found = self._compiled.get(conn.dialect.name)
        if found is None:
            module = sqlite if conn.dialect.name == "sqlite" else postgresql
            statement = self._statement(module) if callable(self._statement) else self._statement
            found = self._compiled[conn.dialect.name] = _compile(statement, conn.dialect)
        return found


def as_json(rows: Sequence[Values]) -> str:
    """Rows for `json_rows`."""
    return orjson.dumps(rows, default=_base64).decode()


def _base64(value: Any) -> str:
    return b2a_base64(value, newline=False).decode()


@contextmanager
def putting(conn: Connection) -> Iterator[None]:
    """Within it what is put to PostgreSQL waits; at the end the rest is sent."""
    if conn.dialect.name != "postgresql":
        yield
        return
    info = conn.info
    info[_WAITING] = []
    try:
        yield
        send(conn)
    finally:
        info.pop(_WAITING, None)  # a connection that was cut has forgotten all


def send(conn: Connection) -> None:
    """Sends what was put."""
    if conn.info.get(_WAITING):
        _cursor(conn)


def _cursor(conn: Connection) -> Any:
    """The driver's cursor, one for each of its connections: to make one costs psycopg as much as half a statement."""
    if not conn.in_transaction():
        conn.begin()
    info = conn.info
    cursor = info.get("hot")
    if cursor is None:
        cursor = info["hot"] = conn.connection.cursor()
    waiting = info.get(_WAITING)
    if waiting:
        texts, values = zip(*waiting, strict=True)
        waiting.clear()
        cursor.execute(_merged(texts), {f"{name}_{n}": v for n, each in enumerate(values) for name, v in each.items()})
    return cursor


@lru_cache(1000)
def _merged(texts: tuple[str, ...]) -> str:
    """Changes as one statement, each one's parameters with its number behind their names."""
    numbered = [_PARAMETER.sub(rf"%(\1_{n})s", text) for n, text in enumerate(texts)]
    first = ", ".join(f"put_{n} AS ({text})" for n, text in enumerate(numbered[:-1]))
    return f"WITH {first} {numbered[-1]}" if first else numbered[-1]
