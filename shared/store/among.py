"""`column IN (many numbers)`, on PostgreSQL as one array, so that a statement's text is the same for any number.

psycopg prepares only texts that come again: with a parameter for each number PostgreSQL plans each time. SQLite
keeps those: it would scan the table for a list inside of a parameter (`json_each`).
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Boolean


class _Among(GenericFunction[bool]):
    type = Boolean()
    inherit_cache = True
    #: without this SQLite is asked whether it is `= 1`, and no index answers that
    _is_implicitly_boolean = True
    name = "crawlyard_among"


@compiles(_Among, "postgresql")
def _array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, numbers = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({numbers})"


@compiles(_Among)
def _list(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, numbers = element.clauses
    return compiler.process(column.in_(bindparam(numbers.key, expanding=True)), **options)


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether the column's number is one of those (a list) in the parameter `name`."""
    return _Among(column, bindparam(name, type_=ARRAY(BigInteger)))
