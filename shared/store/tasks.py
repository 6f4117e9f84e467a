"""One task: read it, and what an operator can do with it: again, now, never."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, select, update

from shared import ids
from shared.errors import Conflict, NotFound
from shared.models import Job
from shared.stages import Dispatch
from shared.states import JobState, TaskKind, TaskState
from shared.store import jobs, task_records
from shared.store.admissions import reopen_rows
from shared.store.engine import Store
from shared.store.ledger import Ledger
from shared.store.tables import IS_FAILED, tasks
from shared.store.task_records import TaskRecord

_T = tasks.c


def get(store: Store, organisation_id: int, task_id: int) -> TaskRecord:
    """A task of this organisation by its packed id. Raises NotFound."""
    with store.read() as conn:
        row = conn.execute(select(tasks).where(_T.id == task_id)).first()
        job = jobs.load(conn, [row.job_id]).get(row.job_id) if row else None
        if row is None or job is None or job.organisation_id != organisation_id:
            raise NotFound("Task not found")
        return task_records.of_rows(conn, [row], {job.id: job})[0]


def some(store: Store, organisation_id: int, task_ids: Collection[int]) -> list[TaskRecord]:
    """Those of these tasks that are this organisation's."""
    with store.read() as conn:
        rows = list(conn.execute(select(tasks).where(_T.id.in_(sorted(task_ids))))) if task_ids else []
        found = jobs.load(conn, {row.job_id for row in rows})
        mine = {no: job for no, job in found.items() if job.organisation_id == organisation_id}
        return task_records.of_rows(conn, [row for row in rows if row.job_id in mine], mine)


def reopen(store: Store, organisation_id: int, task_id: int, now: int) -> Dispatch:
    """Takes a failed task back into its job with fresh attempts; what to enqueue. Raises NotFound, Conflict."""

    def step(conn: Connection) -> Dispatch:
        row, job = _locked(conn, organisation_id, task_id)
        if job.state is JobState.CANCELLED:
            raise Conflict("The task's crawl was cancelled")
        if row.state != TaskState.FAILED:
            raise Conflict(f"The task is {_word(row)}, not failed")
        ledger = Ledger(conn, now)
        reopen_rows(ledger, [row])
        # the slot that it takes is its own: what close() claims besides was due anyway, and the sweep enqueues it
        ledger.close()
        return Dispatch(row.id, TaskKind(row.kind), job.ms)

    return store.write(step)


def promote(store: Store, organisation_id: int, task_id: int, now: int) -> Dispatch:
    """Makes a delayed task due now; what to enqueue. Raises NotFound, Conflict when it is not delayed."""

    def step(conn: Connection) -> Dispatch:
        row, job = _locked(conn, organisation_id, task_id)
        if row.state != TaskState.DELAYED:
            raise Conflict(f"The task is {_word(row)}, not delayed")
        if job.paused_at is not None:
            raise Conflict("The task's crawl is paused: resume it")
        _set(conn, row.id, state=TaskState.QUEUED, queued_at=now, next_attempt_at=None)
        return Dispatch(row.id, TaskKind(row.kind), job.ms)

    return store.write(step)


def cancel(store: Store, organisation_id: int, task_id: int, now: int) -> tuple[Dispatch, list[Dispatch]]:
    """Ends one task; what Redis may still hold of it, and the tasks that its slot is free for.

    Its job completes when it was the last. Raises NotFound, and Conflict unless it is waiting, delayed or active.
    """

    def step(conn: Connection) -> tuple[Dispatch, list[Dispatch]]:
        row, job = _locked(conn, organisation_id, task_id)
        if row.state not in (TaskState.QUEUED, TaskState.DELAYED, TaskState.RUNNING):
            raise Conflict(f"The task is {_word(row)} and cannot be cancelled")
        ledger = Ledger(conn, now)
        ledger.lock({row.job_id})
        _set(
            conn,
            row.id,
            state=TaskState.CANCELLED,
            completed_at=now,
            claimed_until=None,
            next_attempt_at=None,
            error=None,
        )
        account = ledger.account(row.job_id)
        if row.kind == TaskKind.DISCOVER_PAGES:
            account.discovering = 0
        else:
            account.tally.add(TaskState.CANCELLED, None, None, None, None)
            account.ended(counts_as_page=True)
        return Dispatch(row.id, TaskKind(row.kind), job.ms), ledger.close()

    return store.write(step)


def reopen_failed(
    store: Store, job_no: int, now: int, limit: int, kind: TaskKind | None = None
) -> tuple[int, list[Dispatch]]:
    """Takes up to `limit` failed tasks of a job back into it; how many, and what its window lets in at once.

    Unlike `reopen` it makes pages pending: thousands of them must not flood the queue. None of a cancelled job.
    """

    def step(conn: Connection) -> tuple[int, list[Dispatch]]:
        rows = conn.execute(_failed(job_no, kind, limit)).all()
        job = jobs.load(conn, [job_no]).get(job_no)
        if job is None or job.state is JobState.CANCELLED:
            return 0, []
        ledger = Ledger(conn, now)
        discoveries = [row for row in rows if row.kind == TaskKind.DISCOVER_PAGES]
        reopen_rows(ledger, discoveries)
        _reopen_as_pending(ledger, [row for row in rows if row.kind == TaskKind.CRAWL_PAGE])
        due = [Dispatch(row.id, TaskKind.DISCOVER_PAGES, job.ms) for row in discoveries]
        return len(rows), due + ledger.close()

    return store.write(step)


def _failed(job_no: int, kind: TaskKind | None, limit: int) -> Select[Any]:
    in_job = (_T.job_id == job_no, _T.id > ids.pack(job_no, 0), _T.id < ids.pack(job_no + 1, 0))
    query = select(tasks).where(IS_FAILED, *in_job).order_by(_T.id).limit(limit).with_for_update()
    return query if kind is None else query.where(_T.kind == kind)


def _reopen_as_pending(ledger: Ledger, rows: list[Any]) -> None:
    ledger.lock({row.job_id for row in rows})
    if rows:
        change: dict[str, Any] = {
            "state": TaskState.PENDING,
            "attempts": 0,
            "crashes": 0,
            "completed_at": None,
            "error": None,
        }
        # pending tasks have no measurements: the totals of filtered lists rely on that
        change |= dict.fromkeys(("status_code", "cache_status", "second_cache_status", "response_time", "bytes"))
        # ahead of what was never tried; and pages that are pending at one priority are the newest of their job,
        # which the list of queue jobs relies on
        change["priority"] = _T.priority + 1
        ledger.conn.execute(update(tasks).where(_T.id.in_([row.id for row in rows])).values(change))
    for row in rows:
        account = ledger.account(row.job_id)
        account.tally.add(row.state, row.status_code, row.cache_status, row.response_time, row.bytes, sign=-1)
        account.n_open += 1
        account.was_reopened = True


def _locked(conn: Connection, organisation_id: int, task_id: int) -> tuple[Any, Job]:
    """The row, locked, and its job; tasks before jobs, as the hot transaction does. Raises NotFound."""
    row = conn.execute(select(tasks).where(_T.id == task_id).with_for_update()).first()
    job = jobs.load(conn, [ids.job_of(task_id)]).get(ids.job_of(task_id)) if row else None
    if row is None or job is None or job.organisation_id != organisation_id:
        raise NotFound("Job not found")
    return row, job


def _set(conn: Connection, task_id: int, **values: Any) -> None:
    conn.execute(update(tasks).where(_T.id == task_id).values(values))


def _word(row: Any) -> str:
    return TaskState(row.state).name.lower()
