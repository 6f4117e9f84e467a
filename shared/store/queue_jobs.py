"""Tasks as queue jobs: both kinds, of all jobs of an organisation, newest first.

Per-job counts come from the counters and partial indexes; rows are read only from the jobs that a page shows.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from shared import ids
from shared.states import IN_FLIGHT, QUEUE_STATE, TaskKind, TaskState
from shared.store import counters, task_records
from shared.store import jobs as jobs_store
from shared.store.engine import Store
from shared.store.tables import IS_FAILED, IS_IN_FLIGHT, IS_PENDING, deltas, jobs, rollup, tasks
from shared.store.task_records import TaskRecord

_T = tasks.c
LISTED = tuple(QUEUE_STATE)


@dataclass(frozen=True, slots=True)
class QueueJobFilter:
    """Which queue jobs of an organisation; None: any."""

    organisation_id: int
    state: TaskState | None = None
    kind: TaskKind | None = None
    domain_id: int | None = None
    #: one crawl
    job_no: int | None = None

    @property
    def states(self) -> tuple[TaskState, ...]:
        """The stored states that are wanted."""
        return LISTED if self.state is None else (self.state,)

    def has(self, kind: TaskKind) -> bool:
        """Whether tasks of this kind are wanted."""
        return self.kind in (None, kind)


def page(store: Store, which: QueueJobFilter, limit: int, offset: int) -> tuple[list[TaskRecord], int]:
    """Queue jobs, newest first (the newest crawl's newest task), and how many there are."""
    with store.snapshot() as conn:
        counts = _counts(conn, which)
        rows: list[Any] = []
        skip = offset
        for job_no, n in sorted(counts.items(), reverse=True):
            if len(rows) == limit:
                break
            if skip < n:
                rows += _rows(conn, job_no, which, limit - len(rows), skip)
            skip = max(0, skip - n)
        loaded = jobs_store.load(conn, {row.job_id for row in rows})
        return task_records.of_rows(conn, rows, loaded), counts.total()


def jobs_with(store: Store, which: QueueJobFilter) -> list[int]:
    """The numbers of the jobs that have such queue jobs, oldest first."""
    with store.snapshot() as conn:
        return sorted(_counts(conn, which))


def _counts(conn: Connection, which: QueueJobFilter) -> Counter[int]:
    """How many wanted tasks each job has, for the jobs that have any."""
    counts: Counter[int] = Counter()
    if which.has(TaskKind.CRAWL_PAGE):
        _count_ended(conn, which, counts)
        _count(conn, _in_flight(which), counts)
    if which.has(TaskKind.DISCOVER_PAGES):
        _count(conn, _discoveries(which), counts)
    return +counts


def _count(conn: Connection, query: Select[Any], counts: Counter[int]) -> None:
    for job_no, n in conn.execute(query):
        counts[job_no] += n


def _count_ended(conn: Connection, which: QueueJobFilter, counts: Counter[int]) -> None:
    ended = [s for s in which.states if s not in IN_FLIGHT]
    if not ended:
        return
    folded = select(rollup.c.job_id, func.sum(rollup.c.n)).join(jobs, jobs.c.id == rollup.c.job_id)
    folded = folded.where(*_mine(which), rollup.c.state.in_(ended)).group_by(rollup.c.job_id)
    for job_no, n in conn.execute(folded):
        counts[job_no] += int(n)
    fresh = select(deltas.c.job_id, deltas.c.payload).join(jobs, jobs.c.id == deltas.c.job_id).where(*_mine(which))
    for job_no, payload in conn.execute(fresh):
        tally = counters.Tally()
        tally.merge(payload)
        counts[job_no] += sum(cell[0] for key, cell in tally.cells.items() if key[0] in ended)


def _in_flight(which: QueueJobFilter) -> Select[Any]:
    return (
        select(_T.job_id, func.count())
        .join(jobs, jobs.c.id == _T.job_id)
        .where(*_mine(which), IS_IN_FLIGHT, _T.state.in_(which.states), _T.kind == TaskKind.CRAWL_PAGE)
        .group_by(_T.job_id)
    )


def _discoveries(which: QueueJobFilter) -> Select[Any]:
    """A job's discovery is its task 1, found by its id."""
    return (
        select(_T.job_id, func.count())
        .join(jobs, _T.id == jobs.c.id * (1 << ids.SEQ_BITS) + 1)
        .where(*_mine(which), _T.state.in_(which.states), _T.kind == TaskKind.DISCOVER_PAGES)
        .group_by(_T.job_id)
    )


def _mine(which: QueueJobFilter) -> list[Any]:
    mine: list[Any] = [jobs.c.organisation_id == which.organisation_id]
    if which.domain_id is not None:
        mine.append(jobs.c.domain_id == which.domain_id)
    return mine if which.job_no is None else [*mine, jobs.c.id == which.job_no]


def _rows(conn: Connection, job_no: int, which: QueueJobFilter, limit: int, offset: int) -> list[Any]:
    query = select(tasks).where(*scope(conn, job_no, which.states))
    if which.kind is not None:
        query = query.where(_T.kind == which.kind)
    return list(conn.execute(query.order_by(_T.id.desc()).limit(limit).offset(offset)))


def scope(conn: Connection, job_no: int, states: tuple[TaskState, ...]) -> list[Any]:
    """The conditions on the tasks of a job in these states, by an index where there is one."""
    if states == (TaskState.FAILED,):
        # with a range of ids besides: by the job alone SQLite prefers the unique index, and walks through all rows
        return [_T.job_id == job_no, IS_FAILED, _T.id > ids.pack(job_no, 0), _T.id < ids.pack(job_no + 1, 0)]
    if all(state in IN_FLIGHT for state in states):
        return [_T.job_id == job_no, IS_IN_FLIGHT, _T.state.in_(states)]
    return [_T.id >= ids.pack(job_no, 1), _T.id < _ceiling(conn, job_no), _T.state.in_(states)]


def _ceiling(conn: Connection, job_no: int) -> int:
    """An id that no listed task of the job reaches, so that a million pending rows are not walked through.

    Pages of one priority are claimed in the order of their ids.
    """
    pending = select(_T.id, _T.priority).where(_T.job_id == job_no, IS_PENDING).limit(1)
    first = conn.execute(pending.order_by(_T.priority.desc(), _T.id)).first()
    last = conn.execute(pending.order_by(_T.priority, _T.id.desc())).first()
    if first is None or last is None or first.priority != last.priority:
        return ids.pack(job_no + 1, 0)
    return int(first.id)
