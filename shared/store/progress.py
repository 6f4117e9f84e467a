"""How far jobs are: read from their counters, at the same cost for ten tasks and a million."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from shared.states import TaskKind, TaskState
from shared.store import counters
from shared.store.engine import Store
from shared.store.tables import IS_IN_FLIGHT, job_state, tasks
from shared.store.task_lists import FIRST_PAGE_SEQ


@dataclass(frozen=True, slots=True)
class Progress:
    """A job's page tasks, counted at one moment."""

    total: int
    #: waiting in the record or in the queue
    pending: int
    running: int
    counts: counters.Counts

    @property
    def completed(self) -> int:
        """Pages crawled."""
        return self.counts.ended(TaskState.COMPLETED)

    @property
    def failed(self) -> int:
        """Pages that could not be crawled."""
        return self.counts.ended(TaskState.FAILED)

    @property
    def skipped(self) -> int:
        """Pages not to be crawled: by a rule, or because the job was cancelled."""
        return self.counts.ended(TaskState.SKIPPED) + self.counts.ended(TaskState.CANCELLED)

    @property
    def percentage(self) -> float:
        """Share that ended of what is to be crawled, 0-100 with one decimal; 0 when there is nothing."""
        wanted = self.total - self.skipped
        return round(100 * (self.completed + self.failed) / wanted, 1) if wanted > 0 else 0.0


def read(store: Store, job_nos: Collection[int]) -> dict[int, Progress]:
    """The progress of jobs."""
    if not job_nos:
        return {}
    with store.snapshot() as conn:
        counts = counters.read_many(conn, sorted(job_nos))
        running = _running(conn, job_nos)
        states = conn.execute(select(job_state).where(job_state.c.job_id.in_(sorted(job_nos))))
        return {
            row.job_id: Progress(
                total=row.next_seq - FIRST_PAGE_SEQ,
                pending=row.n_open - running.get(row.job_id, 0),
                running=running.get(row.job_id, 0),
                counts=counts[row.job_id],
            )
            for row in states
        }


def _running(conn: Connection, job_nos: Collection[int]) -> dict[int, int]:
    query = (
        select(tasks.c.job_id, func.count())
        .where(tasks.c.job_id.in_(sorted(job_nos)), IS_IN_FLIGHT)
        .where(tasks.c.state == TaskState.RUNNING, tasks.c.kind == TaskKind.CRAWL_PAGE)
        .group_by(tasks.c.job_id)
    )
    return {row[0]: row[1] for row in conn.execute(query)}
