"""Rows by many keys, the keys in one parameter, so that a statement's text is the same for any number of them.

Drivers prepare only texts that come again: with a parameter for each number both databases would plan each time.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    Select,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Boolean


class Numbers(TypeDecorator[Collection[int]]):
    """Numbers as one text: a JSON array on SQLite, an array on PostgreSQL."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Makes the text."""
        start, end = "[]" if dialect.name == "sqlite" else "{}"
        return lambda numbers: start + ",".join(map(str, numbers)) + end


class _Among(GenericFunction[bool]):
    type = Boolean()
    inherit_cache = True
    #: without this SQLite is asked whether it is `= 1`, and no index answers that
    _is_implicitly_boolean = True
    name = "crawlyard_among"


@compiles(_Among, "postgresql")
def _array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, numbers = (compiler.process(clause, **options) for clause in element.clauses)
    # the inner query is there to be run once, not for each row
    return f"{column} = ANY (CAST((SELECT CAST({numbers} AS BIGINT[])) AS BIGINT[]))"


@compiles(_Among)
def _list(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, numbers = (compiler.process(clause, **options) for clause in element.clauses)
    # both parts were compiled by SQLAlchemy
    return f"{column} IN (SELECT value FROM json_each({numbers}))"  # nosec B608


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether the column's number is one of those (a list) in the parameter `name`."""
    return _Among(column, bindparam(name, type_=Numbers))


def each(dialect: Any, keys: Sequence[Column[Any]], query: Select[Any]) -> Select[Any]:
    """The row that a query has for each key in the parameter `keys`: a JSON array of objects with columns' names.

    For a dialect's module. PostgreSQL is made to look up key by key, in this order: it plans once, and takes a part of
    the key to be enough where it does not know yet how large a job or a domain has become.
    """
    given = bindparam("keys", type_=Text)
    if dialect is postgresql:
        columns = [column(key.name, key.type) for key in keys]
        records = func.json_to_recordset(cast(given, postgresql.JSON)).table_valued(*columns, name="wanted")
        wanted = records.render_derived(with_types=True)
        one = query.where(*(key == wanted.c[key.name] for key in keys)).limit(1).lateral("found")
        return select(*one.c).select_from(wanted.join(one, true()))
    element = func.json_each(given).table_valued("value")
    parts = (func.json_extract(element.c.value, f"$.{key.name}") for key in keys)
    return query.where(tuple_(*keys).in_(select(*parts)))
