"""An ended job's tasks, read and sorted for its order snapshot (shared/store/order_writer.py).

Sorted here and not by the database: it would sort texts twice, and read all rows once more for each part.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, select

from shared import ids
from shared.store.engine import Store
from shared.store.orders import FIRST_SEQ, Kind
from shared.store.tables import tasks

#: tasks in a part of a list
PART = 8192
_PARTS_PER_READ = 2
#: texts in memory at once, with their rows 250 bytes each
SORTED_AT_ONCE = 250_000
#: values of columns of integers in memory at once
_VALUES_AT_ONCE = 5_000_000
_T = tasks.c
_Groups = defaultdict[int | None, "array[int]"]


class GivenUp(Exception):
    """The job was reopened or deleted meanwhile, or never had dense numbers."""


class Rows:
    """The tasks of a job."""

    def __init__(self, store: Store, job_no: int, n: int) -> None:
        self._store = store
        self._job_no = job_no
        self._n = n

    def id_of(self, place: int) -> int:
        """The id of the task at a place in the order of the numbers."""
        return ids.pack(self._job_no, FIRST_SEQ + place)

    def columns(self, *columns: Any) -> Iterator[list[list[Any]]]:
        """Values in the order of the numbers, some of each column at a time: no snapshot is held during a crawl.

        Raises GivenUp where a number is missing.
        """
        for start in range(0, self._n, _PARTS_PER_READ * PART):
            low, high = self.id_of(start), self.id_of(min(self._n, start + _PARTS_PER_READ * PART))
            query = select(*columns).where(_T.id >= low, _T.id < high).order_by(_T.id)
            with self._store.read() as conn:
                rows = _plain(conn, query)
            if len(rows) != high - low:
                raise GivenUp
            yield [list(map(itemgetter(place), rows)) for place in range(len(columns))]

    def by_integers(self, columns: Sequence[str]) -> Iterator[tuple[str, Kind, "array[int]"]]:
        """The lists of some columns, those of a few columns in memory at once."""
        step = max(1, _VALUES_AT_ONCE // self._n)
        for start in range(0, len(columns), step):
            some = columns[start : start + step]
            for column, groups in zip(some, self._grouped(some), strict=True):
                yield from ((column, kind, seqs) for kind, seqs in _lists(groups))

    def _grouped(self, columns: Sequence[str]) -> list[_Groups]:
        """The numbers of the tasks by value, of each column: few values are shared by many tasks."""
        found: list[_Groups] = [defaultdict(lambda: array("I")) for _ in columns]
        start = FIRST_SEQ
        for some in self.columns(*(_T[column] for column in columns)):
            for groups, values in zip(found, some, strict=True):
                for seq, value in enumerate(values, start):
                    groups[value].append(seq)
            start += len(some[0])
        return found

    def by_text(self, column: str) -> Iterator[tuple[Kind, "array[int]"]]:
        """The lists of a column without nulls. Sorts one range of values after the other: all would fill the memory."""
        bounds: list[str | None] = [None, *self._bounds(column), None]
        ranges = [self._range(column, low, high) for low, high in pairwise(bounds)]
        yield Kind.ASCENDING, _joined(ascending for ascending, _ in ranges)
        yield Kind.DESCENDING, _joined(descending for _, descending in reversed(ranges))

    def _bounds(self, column: str) -> list[str]:
        """Values that cut the sorted list into parts of about the size that is sorted at once."""
        n_parts = self._n // SORTED_AT_ONCE + 1
        step = max(1, self._n // (n_parts * 50))
        sample = [self.id_of(at) for at in range(0, self._n, step)]
        with self._store.read() as conn:
            found: list[str] = sorted(conn.execute(select(_T[column]).where(_T.id.in_(sample))).scalars())
        return sorted({found[len(found) * part // n_parts] for part in range(1, n_parts)})

    def _range(self, column: str, low: str | None, high: str | None) -> tuple["array[int]", "array[int]"]:
        """The tasks with values from `low` to below `high` in both directions, those of a value by number."""
        with self._store.read() as conn:
            value = _T[column].collate("C") if conn.dialect.name == "postgresql" else _T[column]
            query = select(_T.id, _T[column]).where(_T.id >= self.id_of(0), _T.id < self.id_of(self._n))
            query = query if low is None else query.where(value >= low)
            query = query if high is None else query.where(value < high)
            rows = _plain(conn, query.order_by(_T.id))
        # the order of characters is that of their UTF-8 bytes, by which the databases sort
        ascending = sorted(rows, key=_VALUE)
        descending = sorted(ascending, key=_VALUE, reverse=True)
        return _seqs(ascending), _seqs(descending)


_VALUE = itemgetter(1)


def _plain(conn: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    """The rows as the driver has made them: half of the time of SQLAlchemy's."""
    with conn.execute(query) as result:
        return list(result.cursor.fetchall()) if result.cursor else []


def _lists(groups: _Groups) -> Iterator[tuple[Kind, "array[int]"]]:
    nulls = groups.pop(None, array("I"))
    if groups:
        known = sorted(value for value in groups if value is not None)
        yield Kind.ASCENDING, _joined(groups[value] for value in known)
        yield Kind.DESCENDING, _joined(groups[value] for value in reversed(known))
        yield Kind.NULLS, nulls


def _seqs(rows: Iterable[tuple[Any, ...]]) -> "array[int]":
    return array("I", list(map(ids.SEQ_MASK.__and__, map(itemgetter(0), rows))))


def _joined(parts: Iterable["array[int]"]) -> "array[int]":
    joined = array("I")
    for part in parts:
        joined.extend(part)
    return joined
