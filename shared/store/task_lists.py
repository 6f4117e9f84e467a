"""Lists of a job's page tasks: every filter with every sort, and totals without counting rows.

A job is scanned as a range of ids, never as `job_id =` alone (STORE.md, "PostgreSQL traps").
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from sqlalchemy import Boolean, ColumnElement, Connection, Select, and_, case, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.functions import FunctionElement

from shared import ids
from shared.models import Job
from shared.states import CacheStatus, TaskKind, TaskState
from shared.store import counters, order_search, orders, task_records
from shared.store.bounds import bounded
from shared.store.engine import Store
from shared.store.orders import Cell, Order
from shared.store.tables import IS_FAILED, IS_IN_FLIGHT, job_state, tasks
from shared.store.task_records import TaskRecord

_T = tasks.c
#: seq 1 is the discovery
FIRST_PAGE_SEQ = 2
DEFAULT_SORT = "created_at"
#: a scan of an active job may take so long
_SCAN_SECONDS = 10.0
#: an offset from which SQLite sorts everything at once
_DEEP = 5000
#: ids skipped at once on the way to a deep page
_STRIDE = 10_000
_PLAIN = "".join(c for c in string.printable if not c.isspace())
#: pending, queued and delayed are one word outside, skipped and cancelled another
_STATUS_PLACES: Mapping[int, int] = {
    TaskState.QUEUED: int(TaskState.PENDING),
    TaskState.DELAYED: int(TaskState.PENDING),
    TaskState.CANCELLED: int(TaskState.SKIPPED),
}
_STATUS_ORDER = case(*((_T.state == state, place) for state, place in _STATUS_PLACES.items()), else_=_T.state)
SORTS: Mapping[str, ColumnElement[Any]] = {
    "path": _T.path,
    "status": _STATUS_ORDER,
    "response_time": _T.response_time,
    "cache_status": _T.cache_status,
    "second_response_time": _T.second_response_time,
    "status_code": _T.status_code,
    "page_views_7d": _T.pv7,
    "page_views_28d": _T.pv28,
    "page_views_180d": _T.pv180,
    #: the order of creation is the order of the ids
    DEFAULT_SORT: _T.id,
}
#: the sorts by what an order's cells know
_CELL_VALUES: Mapping[str, Callable[[Cell], int | None]] = {
    "status": lambda cell: _STATUS_PLACES.get(cell[0], cell[0]),
    "status_code": lambda cell: cell[1],
    "cache_status": lambda cell: cell[2],
}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks; None: any."""

    states: tuple[TaskState, ...] | None = None
    cache: tuple[CacheStatus, ...] | None = None
    #: part of the path, in any case
    path: str | None = None
    status_code: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list, in which order."""

    limit: int
    offset: int = 0
    sort: str = DEFAULT_SORT
    descending: bool = False


def page(store: Store, job: Job, which: TaskFilter, window: Window) -> tuple[list[TaskRecord], int]:
    """The page tasks in a window of a job's list, and how many the whole list has."""
    with store.snapshot() as conn:
        is_dense = which == TaskFilter() and window.sort == DEFAULT_SORT
        order = None if is_dense else orders.ready(conn, job.id)
        if order is not None:
            rows, total = _ordered(conn, job.id, order, which, window)
        else:
            with bounded(conn, _SCAN_SECONDS, "The list takes too long to sort until its job has ended"):
                total = _total(conn, job.id, which)
                rows = (_dense if is_dense else _sorted)(conn, job.id, which, window, total)
        return task_records.of_rows(conn, rows, {job.id: job}), total


def _ordered(conn: Connection, job_no: int, order: Order, which: TaskFilter, w: Window) -> tuple[list[Any], int]:
    """From the order snapshot of an ended job: the same at any depth."""
    field = w.sort if w.sort in orders.FIELDS else None
    sort = orders.Sort(field, _CELL_VALUES.get(w.sort), w.descending)
    if which.path is None:
        seqs, total = orders.page(conn, order, partial(_lets_through, which), sort, w.limit, w.offset)
    else:
        text = quote(which.path, safe=_PLAIN)
        seqs, total = order_search.page(conn, order, text, partial(_lets_through, which), sort, w.limit, w.offset)
    return _rows(conn, [ids.pack(job_no, seq) for seq in seqs]), total


def _dense(conn: Connection, job_no: int, _which: TaskFilter, w: Window, total: int) -> list[Any]:
    """Sequence numbers have no gaps, so any page of the whole list is a range of ids."""
    start = total - w.offset - w.limit if w.descending else w.offset
    end = total - w.offset if w.descending else w.offset + w.limit
    low, high = (ids.pack(job_no, FIRST_PAGE_SEQ + n) for n in (max(0, start), max(0, end)))
    query = select(tasks).where(_T.id >= low, _T.id < high)
    return list(conn.execute(query.order_by(_T.id.desc() if w.descending else _T.id)))


def _sorted(conn: Connection, job_no: int, which: TaskFilter, w: Window, total: int) -> list[Any]:
    """Sorts ids only: the rows of a deep page's predecessors are never read. Counts from the nearer end."""
    limit = min(w.limit, total - w.offset)
    if limit <= 0:
        return []
    behind = total - w.offset - limit
    is_backwards = behind < w.offset
    ordered = select(_T.id).where(condition(job_no, which)).order_by(*_order(conn, w, is_backwards))
    found = _window(conn, ordered, limit, behind if is_backwards else w.offset, w.sort == "path")
    return _rows(conn, found[::-1] if is_backwards else found)


def _window(conn: Connection, query: Select[Any], limit: int, offset: int, is_text: bool) -> list[int]:
    if offset < _DEEP or conn.dialect.name != "sqlite":
        return list(conn.execute(query.limit(limit).offset(offset)).scalars())
    # with a limit SQLite inserts row after row into a sorted list: of a million 30 s instead of 1 s
    with conn.execute(query if is_text else query.offset(offset)) as found:
        ids_in_order = found.scalars()
        # with an offset it does so, too; skipping costs less than a tree of texts, and more than one of numbers
        while is_text and offset > 0:
            offset -= len(ids_in_order.fetchmany(min(offset, _STRIDE))) or offset
        return list(ids_in_order.fetchmany(limit))


def _rows(conn: Connection, task_ids: list[int]) -> list[Any]:
    """The rows in the order of these ids; a job that is being deleted has lost some."""
    rows = {row.id: row for row in conn.execute(select(tasks).where(_T.id.in_(task_ids)))} if task_ids else {}
    return [rows[task_id] for task_id in task_ids if task_id in rows]


def _order(conn: Connection, w: Window, is_backwards: bool) -> list[Any]:
    """The order of a list, or the same from its end."""
    column, descending = SORTS[w.sort], w.descending != is_backwards
    if w.sort == DEFAULT_SORT:
        return [column.desc() if descending else column]
    if w.sort == "path" and conn.dialect.name == "postgresql":
        column = column.collate("C")  # bytes, as SQLite compares
    by_value = column.desc() if descending else column.asc()
    return [by_value.nulls_first(), _T.id.desc()] if is_backwards else [by_value.nulls_last(), _T.id]


def condition(job_no: int, which: TaskFilter) -> ColumnElement[bool]:
    """The rows of a job's page tasks that a filter lets through."""
    return and_(*_scope(job_no, which.states), *_measured(which))


def _scope(job_no: int, states: tuple[TaskState, ...] | None) -> list[Any]:
    """The job's page tasks in these states, by a partial index where there is one."""
    scope: list[Any] = [_T.id >= ids.pack(job_no, FIRST_PAGE_SEQ), _T.id < ids.pack(job_no + 1, 0)]
    indexed: dict[Any, TextClause] = {(TaskState.FAILED,): IS_FAILED, (TaskState.RUNNING,): IS_IN_FLIGHT}
    if states is not None and states in indexed:
        # with the range of ids besides: by the job alone SQLite prefers the unique index, and walks through all rows
        return [*scope, _T.job_id == job_no, indexed[states], _T.state == states[0]]
    return scope if states is None else [*scope, _T.state.in_(states)]


def _measured(which: TaskFilter) -> list[Any]:
    conditions: list[Any] = []
    if which.cache is not None:
        conditions.append(_T.cache_status.in_(which.cache))
    if which.status_code is not None:
        conditions.append(_T.status_code == which.status_code)
    if conditions:
        # what an earlier attempt of a cancelled task had measured counts nowhere
        conditions.append(_T.state != TaskState.CANCELLED)
    if which.path is not None:
        conditions.append(path_holds(which.path))
    return conditions


class _Holds(FunctionElement[bool]):
    """A LIKE that ignores case, in each database's own words: lower() on a million rows costs as much again."""

    inherit_cache = True
    type = Boolean()


@compiles(_Holds)
def _ilike(element: _Holds, compiler: Any, **kwargs: Any) -> str:
    column, pattern = (compiler.process(clause, **kwargs) for clause in element.clauses)
    if compiler.dialect.name == "sqlite":
        return f"{column} LIKE {pattern} ESCAPE '!'"
    # half the time of ILIKE, which folds by the rules of a language
    return f'lower({column} COLLATE "C") LIKE lower({pattern} COLLATE "C") ESCAPE \'!\''


def holds(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Whether a column's text has this in it, in whatever case."""
    return _Holds(column, literal(f"%{_escaped(text)}%"))


def path_holds(text: str) -> ColumnElement[bool]:
    """Whether a task's path has this in it: paths are stored percent-encoded."""
    return holds(_T.path, quote(text, safe=_PLAIN))


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _total(conn: Connection, job_no: int, which: TaskFilter) -> int:
    if which.path is not None:
        return int(conn.execute(select(func.count()).where(condition(job_no, which))).scalar_one())
    state = conn.execute(select(job_state).where(job_state.c.job_id == job_no)).one()
    if which == TaskFilter():
        return int(state.next_seq) - FIRST_PAGE_SEQ
    return _ended(conn, job_no, which) + _in_flight(conn, job_no, which) + _pending(state, which)


def _ended(conn: Connection, job_no: int, which: TaskFilter) -> int:
    total = 0
    for key, cell in counters.read(conn, job_no).tally.cells.items():
        total += cell[0] if _lets_through(which, key) else 0
    return total


def _lets_through(which: TaskFilter, cell: Cell) -> bool:
    """Whether a filter wants tasks like this one; `condition` without the path, on values."""
    state, code, cache = cell
    if (which.cache is not None or which.status_code is not None) and state == TaskState.CANCELLED:
        return False
    wanted = which.states is None or state in which.states
    wanted &= which.status_code is None or code == which.status_code
    return wanted and (which.cache is None or cache in which.cache)


def _in_flight(conn: Connection, job_no: int, which: TaskFilter) -> int:
    """At most the job's concurrency, by the partial index."""
    query = select(func.count()).where(
        _T.job_id == job_no, IS_IN_FLIGHT, _T.kind == TaskKind.CRAWL_PAGE, *_measured(which)
    )
    if which.states is not None:
        query = query.where(_T.state.in_(which.states))
    return int(conn.execute(query).scalar_one())


def _pending(state: Any, which: TaskFilter) -> int:
    """Pending tasks were never measured, so a filter on measurements leaves none."""
    if which.cache is not None or which.status_code is not None:
        return 0
    is_wanted = which.states is None or TaskState.PENDING in which.states
    return int(state.n_open - state.n_inflight) if is_wanted else 0
