"""Statements of the hot transaction: written in SQLAlchemy's terms, compiled once, run on the driver's own cursor.

To run a statement costs SQLAlchemy 40 to 100 µs of CPU each time, and a step runs some twenty, always the same. So
SQLAlchemy makes their texts, once a dialect, and has no part in running them; rows come back as named tuples. The
driver's errors are for `Store` to translate.
"""

from binascii import b2a_base64
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    Connection,
    Dialect,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite

Values = Mapping[str, Any]
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

    def run(self, conn: Connection, values: Values) -> int:
        """Changes rows; how many."""
        touched: int = self._execute(conn, values).rowcount
        return touched

    def run_each(self, conn: Connection, rows: Sequence[Values]) -> int:
        """Changes rows, once for each of the values; how many."""
        compiled, cursor = self._on(conn), _cursor(conn)
        full = [{**compiled.constants, **row} for row in rows] if compiled.constants else rows
        cursor.executemany(compiled.text, map(compiled.arrange, full))
        touched: int = cursor.rowcount
        return touched

    def _execute(self, conn: Connection, values: Values) -> Any:
        text, constants, encoders, arrange, _ = self._on(conn)
        given = {**constants, **values}
        for name, encode in encoders.items():
            given[name] = encode(given[name])
        cursor = _cursor(conn)
        cursor.execute(text, arrange(given))
        return cursor

    def _on(self, conn: Connection) -> _Compiled:
        found = self._compiled.get(conn.dialect.name)
        if found is None:
            module = sqlite if conn.dialect.name == "sqlite" else postgresql
            statement = self._statement(module) if callable(self._statement) else self._statement
            found = self._compiled[conn.dialect.name] = _compile(statement, conn.dialect)
        return found


class HotInsert:
    """Inserts many rows: on PostgreSQL by one statement that reads them from a JSON text, on SQLite one by one."""

    def __init__(self, table: Table, names: Sequence[str], conflict: Callable[[Any], Any] = lambda put: put) -> None:
        """`names` are those of the columns; `conflict` adds an ON CONFLICT clause."""
        self._table, self._names = table, names
        self._hot = Hot(lambda module: conflict(self._from_json() if module is postgresql else self._from_values()))

    def run(self, conn: Connection, rows: Sequence[Values]) -> int:
        """Inserts rows, in this order; how many there were not yet."""
        if conn.dialect.name == "postgresql":
            return self._hot.run(conn, {"rows": as_json(rows)})
        return self._hot.run_each(conn, rows)

    def _from_values(self) -> Any:
        return sqlite.insert(self._table).values({name: bindparam(name) for name in self._names})

    def _from_json(self) -> Any:
        _, values = json_rows(self._table, self._names)
        return postgresql.insert(self._table).from_select(self._names, select(*values.values()))


class HotUpdate:
    """Updates many rows, each by its key; they must be locked, or nobody else's, on PostgreSQL."""

    def __init__(self, table: Table, names: Sequence[str], keys: Sequence[str] = ("id",)) -> None:
        """`names` are those of the columns to write."""
        self._table, self._names, self._keys = table, names, keys
        self._hot = Hot(lambda module: self._from_json() if module is postgresql else self._from_values())

    def run(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Updates rows: mappings with all keys and names."""
        if conn.dialect.name == "postgresql":
            self._hot.run(conn, {"rows": as_json(rows)})
        else:
            self._hot.run_each(conn, rows)

    def _from_values(self) -> Any:
        found = (self._table.c[key] == bindparam(key) for key in self._keys)
        return update(self._table).where(*found).values({name: bindparam(name) for name in self._names})

    def _from_json(self) -> Any:
        """Looks up the place of each row by itself: a join with the table would be planned as if that were small."""
        given, values = json_rows(self._table, [*self._keys, *self._names])
        old = self._table.alias("old")
        place = select(literal_column("old.ctid", String).label("place")).select_from(old)
        one = place.where(*(old.c[key] == given.c[key] for key in self._keys)).limit(1).lateral("one")
        found = select(one.c.place, *(values[name].label(name) for name in self._names))
        new = found.select_from(given.join(one, true())).subquery("new")
        change = update(self._table).values({name: new.c[name] for name in self._names})
        return change.where(literal_column(f"{self._table.name}.ctid") == new.c.place)


def as_json(rows: Sequence[Values]) -> str:
    """Rows for `json_rows`."""
    return orjson.dumps(rows, default=_base64).decode()


def _base64(value: Any) -> str:
    return b2a_base64(value, newline=False).decode()


def json_rows(table: Table, names: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """PostgreSQL: what the parameter `rows` has of these columns of a table; the source, and the value of each."""
    binary = {name for name in names if isinstance(table.c[name].type, LargeBinary)}
    columns = [column(name, Text if name in binary else table.c[name].type) for name in names]
    source = func.json_to_recordset(sql_cast(bindparam("rows", type_=Text), postgresql.JSON))
    given = source.table_valued(*columns, name="given").render_derived(with_types=True)
    decoded = {name: func.decode(given.c[name], literal_column("'base64'")) for name in binary}
    return given, {name: decoded.get(name, given.c[name]) for name in names}


def look_up(conn: Connection) -> None:
    """Has the rest of the transaction look rows up by index: PostgreSQL plans once, and a table is small at first."""
    if conn.dialect.name == "postgresql":
        _cursor(conn).execute("SET LOCAL enable_seqscan = off")


def _cursor(conn: Connection) -> Any:
    """The driver's cursor, one for each of its connections: to make one costs psycopg as much as half a statement."""
    if not conn.in_transaction():
        conn.begin()
    info = conn.info
    cursor = info.get("hot")
    if cursor is None:
        cursor = info["hot"] = conn.connection.cursor()
    return cursor
