"""Executions: the tasks of one run, and the newest one of a page."""

from typing import Any

from sqlalchemy import select

from shared import ids
from shared.models import Domain, Job
from shared.states import JobMode
from shared.store import jobs, task_records
from shared.store.engine import Store
from shared.store.tables import job_state, tasks
from shared.store.tables import jobs as jobs_table
from shared.store.task_records import TaskRecord


def of_job(store: Store, job: Job, limit: int, offset: int) -> tuple[list[TaskRecord], int]:
    """A job's tasks of both kinds, oldest first, and how many there are: ranges of dense ids."""
    first = 2 if job.options.mode is JobMode.PAGE else 1
    with store.snapshot() as conn:
        next_seq = conn.execute(select(job_state.c.next_seq).where(job_state.c.job_id == job.id)).scalar_one()
        low = ids.pack(job.id, min(first + offset, next_seq))
        in_window = (tasks.c.id >= low, tasks.c.id < low + limit, tasks.c.id < ids.pack(job.id + 1, 0))
        rows: list[Any] = list(conn.execute(select(tasks).where(*in_window).order_by(tasks.c.id)))
        return task_records.of_rows(conn, rows, {job.id: job}), next_seq - first


def newest_of_page(store: Store, domain: Domain, url_hash: int) -> TaskRecord | None:
    """A page's newest task, whatever its state; None when no crawl has found the page yet."""
    query = (
        select(tasks)
        .join(jobs_table, jobs_table.c.id == tasks.c.job_id)
        .where(jobs_table.c.domain_id == domain.id, tasks.c.url_hash == url_hash)
        .order_by(jobs_table.c.id.desc())
        .limit(1)
    )
    with store.read() as conn:
        row = conn.execute(query).first()
        return task_records.of_rows(conn, [row], jobs.load(conn, [row.job_id]))[0] if row else None
