"""Pausing: of a job, of which nothing is started then, and of a queue, from which nothing is taken."""

from sqlalchemy import Connection, delete, select, update

from shared.errors import Conflict, NotFound
from shared.models import Job
from shared.stages import Dispatch
from shared.states import ACTIVE_JOB, TaskKind, TaskState
from shared.store.engine import Store
from shared.store.inserts import insert_new
from shared.store.jobs import load
from shared.store.ledger import Ledger
from shared.store.pause_tables import paused_queues
from shared.store.tables import IS_IN_FLIGHT, jobs, tasks


def pause_job(store: Store, job_no: int, now: int) -> list[Dispatch]:
    """From this transaction on no task of the job is started; those that wait in Redis. Microseconds.

    What waits is delayed until the job goes on; workers put back what runs. A paused job stays as it is.
    Raises NotFound, and Conflict for a job that ended.
    """
    return store.write(lambda conn: _pause(conn, job_no, now))


def _pause(conn: Connection, job_no: int, now: int) -> list[Dispatch]:
    ledger = Ledger(conn, now)
    job = _locked(ledger, job_no)
    if job.paused_at is None:
        conn.execute(update(jobs).where(jobs.c.id == job_no).values(paused_at=now))
    waiting = select(tasks.c.id, tasks.c.kind).where(
        tasks.c.job_id == job_no, IS_IN_FLIGHT, tasks.c.state == TaskState.QUEUED
    )
    held = [Dispatch(row.id, TaskKind(row.kind), job.ms) for row in conn.execute(waiting)]
    ledger.account(job_no).is_paused = True
    ledger.close()
    return held


def resume_job(store: Store, job_no: int, now: int) -> list[Dispatch]:
    """The job goes on; what is to be enqueued now. What was delayed by the pause the sweep finds due.

    Raises NotFound, and Conflict for a job that ended.
    """
    return store.write(lambda conn: _resume(conn, job_no, now))


def _resume(conn: Connection, job_no: int, now: int) -> list[Dispatch]:
    ledger = Ledger(conn, now)
    _locked(ledger, job_no)
    conn.execute(update(jobs).where(jobs.c.id == job_no).values(paused_at=None))
    ledger.account(job_no).is_paused = False
    return ledger.close()


def _locked(ledger: Ledger, job_no: int) -> Job:
    ledger.lock({job_no})
    job = load(ledger.conn, [job_no]).get(job_no)
    if job is None:
        raise NotFound("Job not found")
    if job.state not in ACTIVE_JOB:
        raise Conflict(f"The job is {job.state.name.lower()} and can be neither paused nor resumed")
    return job


# -- queues -------------------------------------------------------------------------


def pause_queue(store: Store, name: str, now: int) -> None:
    """Records that workers are to take nothing from a queue. Microseconds."""
    store.write(lambda conn: insert_new(conn, paused_queues, name=name, paused_at=now))


def resume_queue(store: Store, name: str) -> None:
    """Records that workers may take from a queue again."""
    store.write(lambda conn: conn.execute(delete(paused_queues).where(paused_queues.c.name == name)))


def queues(store: Store) -> set[str]:
    """The queues that are paused."""
    with store.read() as conn:
        return set(conn.execute(select(paused_queues.c.name)).scalars())
