"""Writing one order snapshot, in reads and writes that are each short (shared/store/orders.py)."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import Connection, and_, insert, select, update

from shared import ids
from shared.clock import now_us
from shared.store import looks
from shared.store.engine import Store
from shared.store.orders import BY_NUMBER, FIELDS, FIRST_SEQ, LOOKS, PATHS, Cell, Kind, OrderState, list_no, packed
from shared.store.tables import order_lists, order_parts, task_orders, tasks

#: a list takes 4 bytes of memory a task, and its column's distinct values
MAX_TASKS = 20_000_000
#: a cell number is a byte
MAX_CELLS = 256
PART = 8192
_PARTS_PER_READ = 2
_PARTS_PER_WRITE = 16
#: rows that the database sorts at once
SORTED_AT_ONCE = 100_000
_T, _O = tasks.c, task_orders.c
_TEXTS = {"path"}


class GivenUp(Exception):
    """The job was reopened or deleted meanwhile."""


class Build:
    """One order being built."""

    def __init__(self, store: Store, job_no: int, order_id: int, n: int) -> None:
        self._store = store
        self._job_no = job_no
        self._order_id = order_id
        self._n = n
        self._numbers: dict[Cell, int] = {}
        #: cell numbers in the order of the task numbers
        self._cells = bytearray()

    def run(self) -> None:
        """Writes all lists, then says that they are ready."""
        if self._n > MAX_TASKS or not self._read_cells():
            self._end(OrderState.REFUSED)
            return
        self._write(BY_NUMBER, array("I", range(FIRST_SEQ, FIRST_SEQ + self._n)))
        self._write_paths()
        self._write_each(LOOKS, (_T.url_hash, _T.response_time), looks.packed)
        for field, column in FIELDS.items():
            lists = self._texts(column) if column in _TEXTS else self._integers(column)
            for kind, seqs in lists:
                self._write(list_no(field, kind), seqs)
        self._end(OrderState.READY)

    def _read_cells(self) -> bool:
        """Numbers the cells; whether the job is one whose tasks have dense numbers and few enough cells."""
        for rows in self._read(_T.id, _T.state, _T.status_code, _T.cache_status):
            for task_id, *cell in rows:
                number = self._numbers.setdefault(tuple(cell), len(self._numbers))
                if number >= MAX_CELLS or ids.seq_of(task_id) != FIRST_SEQ + len(self._cells):
                    return False
                self._cells.append(number)
        return len(self._cells) == self._n

    def _read(self, *columns: Any) -> Iterator[list[Any]]:
        """All tasks in the order of their numbers, in short reads: no snapshot is held during a crawl."""
        size = _PARTS_PER_READ * PART
        for start in range(FIRST_SEQ, FIRST_SEQ + self._n, size):
            low, high = ids.pack(self._job_no, start), ids.pack(self._job_no, start + size)
            query = select(*columns).where(_T.id >= low, _T.id < high).order_by(_T.id)
            with self._store.read() as conn:
                rows = conn.execute(query).all()
            yield list(rows)

    def _integers(self, column: str) -> Iterator[tuple[Kind, "array[int]"]]:
        """Groups the tasks by value: few values are shared by many tasks."""
        groups: dict[int | None, array[int]] = defaultdict(lambda: array("I"))
        values = chain.from_iterable(map(itemgetter(0), rows) for rows in self._read(_T[column]))
        last = FIRST_SEQ - 1
        for last, value in enumerate(values, FIRST_SEQ):
            groups[value].append(last)
        if last != FIRST_SEQ + self._n - 1:
            raise GivenUp  # the job is being deleted: its numbers have gaps
        nulls = groups.pop(None, array("I"))
        if groups:
            known = sorted(value for value in groups if value is not None)
            yield Kind.ASCENDING, _joined(groups[value] for value in known)
            yield Kind.DESCENDING, _joined(groups[value] for value in reversed(known))
            yield Kind.NULLS, nulls

    def _texts(self, column: str) -> Iterator[tuple[Kind, "array[int]"]]:
        """Lets the database sort, one range of values after the other: texts would fill the memory."""
        bounds: list[str | None] = [None, *self._bounds(column), None]
        ranges = list(pairwise(bounds))
        for kind, parts in ((Kind.ASCENDING, ranges), (Kind.DESCENDING, ranges[::-1])):
            yield kind, _joined(self._sorted_range(column, kind, low, high) for low, high in parts)

    def _bounds(self, column: str) -> list[str]:
        """Values that cut the sorted list into parts of about the size that is sorted at once."""
        n_parts = self._n // SORTED_AT_ONCE + 1
        step = max(1, self._n // (n_parts * 50))
        sample = [ids.pack(self._job_no, FIRST_SEQ + at) for at in range(0, self._n, step)]
        with self._store.read() as conn:
            found: list[str] = sorted(conn.execute(select(_T[column]).where(_T.id.in_(sample))).scalars())
        return sorted({found[len(found) * part // n_parts] for part in range(1, n_parts)})

    def _sorted_range(self, column: str, kind: Kind, low: str | None, high: str | None) -> "array[int]":
        with self._store.read() as conn:
            value = _T[column].collate("C") if conn.dialect.name == "postgresql" else _T[column]
            first, end = ids.pack(self._job_no, FIRST_SEQ), ids.pack(self._job_no + 1, 0)
            query = select(_T.id).where(_T.id >= first, _T.id < end)
            query = query if low is None else query.where(value >= low)
            query = query if high is None else query.where(value < high)
            found = conn.execute(query.order_by(value.desc() if kind is Kind.DESCENDING else value, _T.id))
            return array("I", map(ids.seq_of, found.scalars()))

    def _write(self, which: int, seqs: "array[int]") -> None:
        parts = [seqs[start : start + PART] for start in range(0, len(seqs), PART)]
        by_seq = bytes(FIRST_SEQ) + self._cells
        cells = [bytes(map(by_seq.__getitem__, part)) for part in parts]
        key = {"order_id": self._order_id, "list": which}
        rows = [
            {**key, "no": no, "data": packed(part[:1] if which == BY_NUMBER else part), "cells": behind}
            for no, (part, behind) in enumerate(zip(parts, cells, strict=True))
        ]
        for start in range(0, len(rows), _PARTS_PER_WRITE):
            self._insert(order_parts, rows[start : start + _PARTS_PER_WRITE])
        counts = array("I", (part.count(cell) for cell in range(len(self._numbers)) for part in cells))
        if counts:
            self._insert(order_lists, [{**key, "counts": packed(counts)}])

    def _write_paths(self) -> None:
        # only ASCII folds, as the databases do; no text of PostgreSQL holds a NUL
        self._write_each(PATHS, (_T.path,), lambda rows: b"\0".join(row.path.encode() for row in rows).lower())

    def _write_each(self, which: int, columns: Sequence[Any], data_of: Callable[[Sequence[Any]], bytes]) -> None:
        """Writes what is no list: something of each task in the order of their numbers."""
        no = 0
        for rows in self._read(*columns):
            made = []
            for start in range(0, len(rows), PART):
                cells = bytes(self._cells[no * PART : (no + 1) * PART])
                key = {"order_id": self._order_id, "list": which, "no": no}
                made.append({**key, "data": data_of(rows[start : start + PART]), "cells": cells})
                no += 1
            self._insert(order_parts, made)

    def _insert(self, table: Any, rows: list[dict[str, Any]]) -> None:
        def step(conn: Connection) -> None:
            self._update(conn, touched_at=now_us())
            conn.execute(insert(table), rows)

        self._store.write(step)

    def _end(self, state: OrderState) -> None:
        cells = orjson.dumps(list(self._numbers) if state is OrderState.READY else []).decode()
        self._store.write(lambda conn: self._update(conn, state=state, cells=cells))

    def _update(self, conn: Connection, **values: Any) -> None:
        mine = and_(_O.id == self._order_id, _O.state == OrderState.BUILDING)
        if not conn.execute(update(task_orders).where(mine).values(values)).rowcount:
            raise GivenUp


def _joined(parts: Iterable["array[int]"]) -> "array[int]":
    joined = array("I")
    for part in parts:
        joined.extend(part)
    return joined
