"""Lists of a job's page tasks: every filter with every sort, and totals without counting rows.

A job is scanned as a range of ids, never as `job_id =` alone (STORE.md, "PostgreSQL traps").
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, and_, case, func, select
from sqlalchemy.sql.elements import TextClause

from shared import ids
from shared.models import CacheStatus, Job, TaskKind, TaskState
from shared.store import counters, task_records
from shared.store.engine import Store
from shared.store.tables import IS_FAILED, IS_IN_FLIGHT, job_state, tasks
from shared.store.task_records import TaskRecord

_T = tasks.c
#: seq 1 is the discovery
FIRST_PAGE_SEQ = 2
DEFAULT_SORT = "created_at"
_PLAIN = "".join(c for c in string.printable if not c.isspace())
#: pending, queued and delayed are one word outside, skipped and cancelled another
_STATUS_ORDER = case(
    (_T.state.in_((TaskState.QUEUED, TaskState.DELAYED)), int(TaskState.PENDING)),
    (_T.state == TaskState.CANCELLED, int(TaskState.SKIPPED)),
    else_=_T.state,
)
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
        total = _total(conn, job.id, which)
        if window.offset >= total:
            return [], total
        if which == TaskFilter() and window.sort == DEFAULT_SORT:
            rows = _dense(conn, job.id, total, window)
        else:
            rows = _sorted(conn, job.id, which, window)
        return task_records.of_rows(conn, rows, {job.id: job}), total


def _dense(conn: Connection, job_no: int, total: int, w: Window) -> list[Any]:
    """Sequence numbers have no gaps, so any page of the whole list is a range of ids."""
    start = total - w.offset - w.limit if w.descending else w.offset
    end = total - w.offset if w.descending else w.offset + w.limit
    low, high = (ids.pack(job_no, FIRST_PAGE_SEQ + n) for n in (max(0, start), end))
    query = select(tasks).where(_T.id >= low, _T.id < high)
    return list(conn.execute(query.order_by(_T.id.desc() if w.descending else _T.id)))


def _sorted(conn: Connection, job_no: int, which: TaskFilter, w: Window) -> list[Any]:
    """Sorts ids only: the rows of a deep page's predecessors are never read."""
    query = select(_T.id).where(condition(job_no, which)).order_by(*_order(conn, w))
    found = list(conn.execute(query.limit(w.limit).offset(w.offset)).scalars())
    rows = {row.id: row for row in conn.execute(select(tasks).where(_T.id.in_(found)))}
    return [rows[task_id] for task_id in found]


def _order(conn: Connection, w: Window) -> list[Any]:
    column = SORTS[w.sort]
    if w.sort == DEFAULT_SORT:
        return [column.desc() if w.descending else column]
    if w.sort == "path" and conn.dialect.name == "postgresql":
        column = column.collate("C")  # bytes, as SQLite compares
    return [(column.desc() if w.descending else column.asc()).nulls_last(), _T.id]


def condition(job_no: int, which: TaskFilter) -> ColumnElement[bool]:
    """The rows of a job's page tasks that a filter lets through."""
    return and_(*_scope(job_no, which.states), *_measured(which))


def _scope(job_no: int, states: tuple[TaskState, ...] | None) -> list[Any]:
    """The job's page tasks in these states, by a partial index where there is one."""
    partial: dict[Any, TextClause] = {(TaskState.FAILED,): IS_FAILED, (TaskState.RUNNING,): IS_IN_FLIGHT}
    if states is not None and states in partial:
        return [_T.job_id == job_no, partial[states], _T.state == states[0], _T.kind == TaskKind.CRAWL_PAGE]
    scope: list[Any] = [_T.id >= ids.pack(job_no, FIRST_PAGE_SEQ), _T.id < ids.pack(job_no + 1, 0)]
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
        # paths are stored percent-encoded
        conditions.append(_T.path.icontains(quote(which.path, safe=_PLAIN), autoescape=True))
    return conditions


def _total(conn: Connection, job_no: int, which: TaskFilter) -> int:
    if which.path is not None:
        return int(conn.execute(select(func.count()).where(condition(job_no, which))).scalar_one())
    state = conn.execute(select(job_state).where(job_state.c.job_id == job_no)).one()
    if which == TaskFilter():
        return int(state.next_seq) - FIRST_PAGE_SEQ
    return _ended(conn, job_no, which) + _in_flight(conn, job_no, which) + _pending(state, which)


def _ended(conn: Connection, job_no: int, which: TaskFilter) -> int:
    total = 0
    for (state, code, cache), cell in counters.read(conn, job_no).tally.cells.items():
        wanted = which.states is None or state in which.states
        wanted &= which.status_code is None or code == which.status_code
        wanted &= which.cache is None or cache in which.cache
        total += cell[0] if wanted else 0
    return total


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
