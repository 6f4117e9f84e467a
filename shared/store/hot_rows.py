"""Many rows by one of the hot statements: on PostgreSQL they are read from one JSON text."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
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

from shared.store.hot import Hot, Values, as_json


class HotInsert:
    """Inserts many rows: on PostgreSQL by one statement that reads them from a JSON text, on SQLite one by one."""

    def __init__(self, table: Table, names: Sequence[str], conflict: Callable[[Any], Any] = lambda put: put) -> None:
        """`names` are those of the columns; `conflict` adds an ON CONFLICT clause."""
        self._table, self._names = table, names
        self._hot = Hot(lambda module: conflict(self._from_json() if module is postgresql else self._from_values()))

    def put(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Inserts rows, as `Hot.put` does."""
        if conn.dialect.name == "postgresql":
            self._hot.put(conn, {"rows": as_json(rows)})
        else:
            self._hot.run_each(conn, rows)

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

    def put(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Updates rows, as `Hot.put` does: mappings with all keys and names."""
        if conn.dialect.name == "postgresql":
            self._hot.put(conn, {"rows": as_json(rows)})
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


def json_rows(table: Table, names: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """PostgreSQL: what the parameter `rows` has of these columns of a table; the source, and the value of each."""
    binary = {name for name in names if isinstance(table.c[name].type, LargeBinary)}
    columns = [column(name, Text if name in binary else table.c[name].type) for name in names]
    source = func.json_to_recordset(sql_cast(bindparam("rows", type_=Text), postgresql.JSON))
    given = source.table_valued(*columns, name="given").render_derived(with_types=True)
    decoded = {name: func.decode(given.c[name], literal_column("'base64'")) for name in binary}
    return given, {name: decoded.get(name, given.c[name]) for name in names}
