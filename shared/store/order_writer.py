"""Writing one order snapshot, in reads and writes that are each short (shared/store/orders.py)."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import Connection, and_, insert, update

from shared.clock import now_us
from shared.store import looks
from shared.store.engine import Store
from shared.store.order_rows import PART, GivenUp, Rows
from shared.store.orders import BY_NUMBER, FIELDS, FIRST_SEQ, LOOKS, PATHS, Cell, OrderState, list_no, packed
from shared.store.tables import order_lists, order_parts, task_orders, tasks

#: a list takes 4 bytes of memory a task, and its column's distinct values
MAX_TASKS = 20_000_000
#: a cell number is a byte
MAX_CELLS = 256
_PARTS_PER_WRITE = 16
_T, _O = tasks.c, task_orders.c
#: column: field
_INTEGERS = {column: field for field, column in FIELDS.items() if field != "path"}


class Build:
    """One order being built."""

    def __init__(self, store: Store, job_no: int, order_id: int, n: int) -> None:
        self._store = store
        self._rows = Rows(store, job_no, n)
        self._order_id = order_id
        self._n = n
        self._numbers: dict[Cell, int] = {}
        #: cell numbers in the order of the task numbers
        self._cells = bytearray()

    def run(self) -> None:
        """Writes all lists, then says that they are ready."""
        if self._n > MAX_TASKS or not self._is_fit():
            self._end(OrderState.REFUSED)
            return
        self._write(BY_NUMBER, array("I", range(FIRST_SEQ, FIRST_SEQ + self._n)))
        self._write_each(PATHS, (_T.path,), _folded)
        self._write_each(LOOKS, (_T.url_hash, _T.response_time), looks.packed)
        for kind, seqs in self._rows.by_text("path"):
            self._write(list_no("path", kind), seqs)
        for column, kind, seqs in self._rows.by_integers(list(_INTEGERS)):
            self._write(list_no(_INTEGERS[column], kind), seqs)
        self._end(OrderState.READY)

    def _is_fit(self) -> bool:
        """Numbers the cells; whether the job is one whose tasks have dense numbers and few enough cells."""
        numbers: defaultdict[Cell, int] = defaultdict(count().__next__)
        try:
            for cells in self._rows.columns(_T.state, _T.status_code, _T.cache_status):
                found = list(map(numbers.__getitem__, zip(*cells, strict=True)))
                if len(numbers) > MAX_CELLS:
                    return False
                self._cells += bytes(found)
        except GivenUp:
            return False
        self._numbers = dict(numbers)
        return True

    def _write(self, which: int, seqs: "array[int]") -> None:
        parts = [seqs[start : start + PART] for start in range(0, len(seqs), PART)]
        by_seq = bytes(FIRST_SEQ) + self._cells
        cells = [by_seq[part[0] : part[0] + len(part)] if which == BY_NUMBER else _at(by_seq, part) for part in parts]
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

    def _write_each(self, which: int, columns: Sequence[Any], data_of: Callable[..., bytes]) -> None:
        """Writes what is no list: something of each task in the order of their numbers."""
        no = 0
        for values in self._rows.columns(*columns):
            made = []
            for start in range(0, len(values[0]), PART):
                cells = bytes(self._cells[no * PART : (no + 1) * PART])
                key = {"order_id": self._order_id, "list": which, "no": no}
                made.append({**key, "data": data_of(*(some[start : start + PART] for some in values)), "cells": cells})
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


def _folded(paths: Sequence[str]) -> bytes:
    # only ASCII folds, as the databases do; no text of PostgreSQL holds a NUL
    return "\0".join(paths).encode().lower()


def _at(by_seq: bytes, seqs: "array[int]") -> bytes:
    return bytes(itemgetter(*seqs)(by_seq)) if len(seqs) > 1 else bytes(by_seq[seq] for seq in seqs)
