"""The failed pages of a job in the order of their ends, for those who watch it."""

from dataclasses import dataclass

from sqlalchemy import select

from shared import ids
from shared.models import Job
from shared.states import TaskKind
from shared.store.engine import Store
from shared.store.tables import IS_FAILED, tasks

_T = tasks.c


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that could not be crawled."""

    uid: str
    url: str
    status_code: int | None
    error: str | None
    #: microseconds
    completed_at: int


def since(store: Store, job: Job, moment: int, limit: int) -> list[Failure]:
    """Up to `limit` pages of a job that failed after a moment (microseconds), the first first."""
    failed = select(_T.id, _T.origin, _T.path, _T.status_code, _T.error, _T.completed_at)
    mine = failed.where(_T.job_id == job.id, IS_FAILED, _T.kind == TaskKind.CRAWL_PAGE, _T.completed_at > moment)
    with store.read() as conn:
        return [
            Failure(
                uid=str(ids.task_uuid(job.ms, row.id)),
                url=(row.origin or job.origin or "") + row.path,
                status_code=row.status_code,
                error=row.error,
                completed_at=row.completed_at,
            )
            for row in conn.execute(mine.order_by(_T.completed_at, _T.id).limit(limit))
        ]
