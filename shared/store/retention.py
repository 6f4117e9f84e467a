"""Deleting what is old, in chunks that hold the database for milliseconds (STORE.md, "Deleting")."""

from sqlalchemy import Connection, delete, select

from shared import ids
from shared.clock import SECOND
from shared.states import JobState
from shared.store import attempts, deliveries, holders, idempotency, notes, schedule_runs, schedules, validators
from shared.store.analytics_tables import job_views
from shared.store.engine import Store
from shared.store.job_options import job_seeds
from shared.store.tables import deltas, histogram, job_state, jobs, rollup, tasks

DAY = 86_400 * SECOND
_CHUNK = 5000
_ENDED = (JobState.CANCELLED, JobState.COMPLETED, JobState.FAILED)


def apply(store: Store, now: int, days: int) -> int:
    """Deletes jobs that ended over `days` ago (0: none); how many.

    Idempotency keys go after a day, deliveries of webhooks after 30 days, the record of a schedule's runs after 90,
    validators of pages when they are too old to be used.
    """
    idempotency.purge(store, now)
    deliveries.purge(store, now)
    schedule_runs.purge(store, now)
    validators.purge(store, now)
    if not days:
        return 0
    query = select(jobs.c.id).where(jobs.c.state.in_(_ENDED), jobs.c.completed_at < now - days * DAY)
    with store.read() as conn:
        old = list(conn.execute(query.order_by(jobs.c.id).limit(100)).scalars())
    for job_no in old:
        delete_job(store, job_no)
    return len(old)


def delete_job(store: Store, job_no: int) -> None:
    """Deletes an ended job with all that belongs to it; pages stay known to their domain."""
    beside = (notes.forget_redirects, attempts.forget_job, holders.forget_links, holders.forget_holders)
    for some in (_delete_tasks, *beside):
        while store.write(lambda conn, some=some: some(conn, job_no)):  # type: ignore[misc]
            pass
    store.write(lambda conn: _delete_rest(conn, job_no))


def _delete_tasks(conn: Connection, job_no: int) -> int:
    first, last = ids.pack(job_no, 0), ids.pack(job_no, ids.SEQ_MASK)
    chunk = select(tasks.c.id).where(tasks.c.id.between(first, last)).order_by(tasks.c.id).limit(_CHUNK)
    return conn.execute(delete(tasks).where(tasks.c.id.in_(chunk.scalar_subquery()))).rowcount


def _delete_rest(conn: Connection, job_no: int) -> None:
    for table in (deltas, rollup, histogram, job_seeds, job_views, job_state):
        conn.execute(delete(table).where(table.c.job_id == job_no))
    schedules.forget_job(conn, job_no)
    notes.forget_job(conn, job_no)
    conn.execute(delete(jobs).where(jobs.c.id == job_no))
