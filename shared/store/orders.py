"""Order snapshots: an ended job's tasks sorted once, so that any page of any list is read and not sorted.

Per sort field there is a list of task numbers in order, cut into parts, and beside each number its cell: a
byte that stands for the task's (state, status code, cache status). Which cells a filter wants decides how many
tasks each part holds of it, so a page at any depth costs the parts that it lies in. The three fields that the
cell decides need no list of their own: they are the list by number, read value after value.

An order is true while it is READY. Triggers on job_state make it stale in the transaction that reopens or
deletes the job; who changes the tasks of an ended job in another way calls `forget`.
"""

import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import compress, islice
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select, update

from shared.store.tables import order_lists, order_parts, task_orders

#: state, status code, cache status
Cell = tuple[int, int | None, int | None]
#: sort field -> column, of the fields that have lists of their own
FIELDS: Mapping[str, str] = {
    "path": "path",
    "response_time": "response_time",
    "second_response_time": "second_response_time",
    "page_views_7d": "pv7",
    "page_views_28d": "pv28",
    "page_views_180d": "pv180",
}
#: the list in the order of the numbers
BY_NUMBER = 0
#: seq 1 is the discovery
FIRST_SEQ = 2
#: not a list: the paths in the order of the numbers, for searches
PATHS = 1 + 3 * len(FIELDS)
#: not a list: URL hashes and response times in the order of the numbers, for comparisons (`looks.py`)
LOOKS = PATHS + 1


class OrderState(IntEnum):
    """What an order is good for."""

    BUILDING = 0
    READY = 1
    STALE = 2
    #: the job does not fit: not tried again
    REFUSED = 3


class Kind(IntEnum):
    """The lists of a field."""

    ASCENDING = 0
    DESCENDING = 1
    #: the tasks without a value, last both ways
    NULLS = 2


def list_no(field: str, kind: Kind) -> int:
    """The number of a list."""
    return 1 + 3 * list(FIELDS).index(field) + kind


@dataclass(frozen=True, slots=True)
class Order:
    """A job's order that is ready."""

    id: int
    #: microseconds of its last write; with the id it names an order for good, where ids are used again
    made_at: int
    #: by cell number
    cells: tuple[Cell, ...]

    def by_value(
        self, cells: Iterable[int], value_of: Callable[[Cell], int | None], descending: bool
    ) -> list[frozenset[int]]:
        """These cells, grouped by a value and in its order, none last."""
        groups: dict[int | None, set[int]] = {}
        for no in cells:
            groups.setdefault(value_of(self.cells[no]), set()).add(no)
        known = sorted((value for value in groups if value is not None), reverse=descending)
        return [frozenset(groups[value]) for value in [*known, None] if value in groups]


@dataclass(frozen=True, slots=True)
class Sort:
    """By a field of FIELDS, by a value that the cell decides, or by number (both None)."""

    field: str | None = None
    cell_value: Callable[[Cell], int | None] | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    """Part of a result: the tasks of these cells in the order of a list."""

    list: int
    cells: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Pick:
    """Where in a part some of the result are."""

    run: _Run
    no: int
    skip: int
    take: int


_READY = select(task_orders.c.id, task_orders.c.touched_at, task_orders.c.cells).where(
    task_orders.c.job_id == bindparam("job"), task_orders.c.state == OrderState.READY
)
_L, _P = order_lists.c, order_parts.c
_COUNTS = select(_L.list, _L.counts).where(
    _L.order_id == bindparam("order"), _L.list.in_(bindparam("lists", expanding=True))
)
_PARTS = select(_P.no, _P.data, _P.cells).where(
    _P.order_id == bindparam("order"), _P.list == bindparam("list_no"), _P.no.in_(bindparam("nos", expanding=True))
)


def ready(conn: Connection, job_no: int) -> Order | None:
    """The job's order, if it has one that is true at the moment that `conn` sees."""
    row = conn.execute(_READY, {"job": job_no}).first()
    if row is None:
        return None
    return Order(row.id, row.touched_at, tuple((s, code, cache) for s, code, cache in orjson.loads(row.cells)))


def forget(conn: Connection, job_no: int) -> None:
    """Gives a job's order up: a measurement of one of its tasks has changed."""
    conn.execute(update(task_orders).where(task_orders.c.job_id == job_no).values(state=OrderState.STALE))


def has_values(conn: Connection, order: Order, fields: Collection[str]) -> bool:
    """Whether any task has a value in any of these fields of FIELDS."""
    return bool(_counts(conn, order, [list_no(field, Kind.ASCENDING) for field in fields]))


def page(
    conn: Connection, order: Order, wants: Callable[[Cell], bool], sort: Sort, limit: int, offset: int
) -> tuple[list[int], int]:
    """The numbers of the wanted tasks in a window of the sorted list, and how many are wanted in all."""
    wanted = frozenset(no for no, cell in enumerate(order.cells) if wants(cell))
    counts = _counts(conn, order, _lists(sort))
    runs = list(_runs(order, wanted, sort, counts))
    sizes = [_sizes(counts[run.list], run.cells, len(order.cells)) for run in runs]
    total = sum(map(sum, sizes))
    backwards = sort.descending and sort.field is None and sort.cell_value is None
    first, last = (total - offset - limit, total - offset) if backwards else (offset, offset + limit)
    picks = list(_picks(runs, sizes, max(0, first), last))
    found = list(_numbers(conn, order, picks))
    return found[::-1] if backwards else found, total


def _lists(sort: Sort) -> list[int]:
    if sort.field is None:
        return [BY_NUMBER]
    return [BY_NUMBER, list_no(sort.field, kind_of(sort)), list_no(sort.field, Kind.NULLS)]


def kind_of(sort: Sort) -> Kind:
    """The list of a field that this sort begins with."""
    return Kind.DESCENDING if sort.descending else Kind.ASCENDING


def _counts(conn: Connection, order: Order, lists: Collection[int]) -> dict[int, Sequence[int]]:
    rows = conn.execute(_COUNTS, {"order": order.id, "lists": list(lists)})
    return {row.list: unpacked(row.counts) for row in rows}


def _runs(order: Order, wanted: frozenset[int], sort: Sort, counts: Collection[int]) -> Iterator[_Run]:
    """The lists one after the other that make the sorted list."""
    if sort.field is not None:
        values, nulls = (list_no(sort.field, kind) for kind in (kind_of(sort), Kind.NULLS))
        # nothing is stored where no task has a value: the order is that of the numbers
        yield from (_Run(no, wanted) for no in (values, nulls) if no in counts)
        if values not in counts:
            yield _Run(BY_NUMBER, wanted)
    elif sort.cell_value is not None:
        for cells in order.by_value(wanted, sort.cell_value, sort.descending):
            yield _Run(BY_NUMBER, cells)
    else:
        yield _Run(BY_NUMBER, wanted)


def _sizes(counts: Sequence[int], cells: Iterable[int], n_cells: int) -> list[int]:
    """How many tasks of these cells each part holds."""
    parts = len(counts) // n_cells
    columns = [counts[cell * parts : (cell + 1) * parts] for cell in cells]
    return [sum(column) for column in zip(*columns, strict=True)]


def _picks(runs: Sequence[_Run], sizes: Sequence[Sequence[int]], first: int, last: int) -> Iterator[_Pick]:
    """Where the tasks from place `first` up to `last` are."""
    start = 0
    for run, parts in zip(runs, sizes, strict=True):
        for no, size in enumerate(parts):
            low, high = max(first, start), min(last, start + size)
            if low < high:
                yield _Pick(run, no, low - start, high - low)
            start += size


def _numbers(conn: Connection, order: Order, picks: Sequence[_Pick]) -> Iterator[int]:
    parts: dict[tuple[int, int], Any] = {}
    for which in {pick.run.list for pick in picks}:
        nos = sorted({pick.no for pick in picks if pick.run.list == which})
        for row in conn.execute(_PARTS, {"order": order.id, "list_no": which, "nos": nos}):
            parts[which, row.no] = row
    for pick in picks:
        row = parts[pick.run.list, pick.no]
        chosen = compress(_seqs(row), row.cells.translate(mask(pick.run.cells)))
        yield from islice(chosen, pick.skip, pick.skip + pick.take)


def _seqs(part: Any) -> Sequence[int]:
    """A part's numbers; of the list by number only each part's first one is stored."""
    seqs = unpacked(part.data)
    return seqs if len(seqs) == len(part.cells) else range(seqs[0], seqs[0] + len(part.cells))


def mask(cells: Collection[int]) -> bytes:
    """A table for `bytes.translate`: 1 for these cells, 0 for others."""
    return bytes(cell in cells for cell in range(256))


def packed(numbers: "array[int]") -> bytes:
    """Numbers as u32, little-endian."""
    if sys.byteorder == "big":
        numbers = array("I", numbers)
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(stored: bytes) -> "array[int]":
    """What `packed` made of numbers."""
    numbers = array("I", stored)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
