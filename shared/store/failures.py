"""Failures: of one job in the order of their ends, and of an organisation by kind."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select

from shared import ids
from shared.models import Job
from shared.states import TaskKind
from shared.store.engine import Store
from shared.store.tables import IS_FAILED, jobs, tasks

_T = tasks.c
#: failures of one job, and jobs, that are looked at for their kinds
MOST, MOST_JOBS = 5_000, 100
_PARTICULAR = re.compile(r"(?::? *(?:https?://\S+|\b[\w-]+(?:\.[\w-]+)+(?::\d+)?|'[^']*'))").sub


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that could not be crawled."""

    uid: str
    url: str
    status_code: int | None
    error: str | None
    #: microseconds
    completed_at: int


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Tasks that failed in the same way."""

    error: str
    status_code: int | None
    n: int
    #: public ids of the newest one and of its crawl
    task_uid: str
    job_uid: str


def by_kind(store: Store, organisation_id: int, moment: int) -> list[FailureKind]:
    """How the tasks of an organisation failed since a moment (microseconds), the most frequent first.

    At most MOST failures of each of the newest MOST_JOBS jobs are looked at.
    """
    groups: dict[tuple[str, int | None], tuple[int, int]] = {}
    with store.snapshot() as conn:
        jobs_ms = {row.id: row.created_at // 1000 for row in conn.execute(_ended_since(organisation_id, moment))}
        for job_no in jobs_ms:
            for error, code, n, newest in conn.execute(_grouped(job_no, moment)):
                key = (_kind(error), code)
                before, seen = groups.get(key, (0, 0))
                groups[key] = (before + n, max(seen, newest))
    return [
        FailureKind(error, code, n, str(ids.task_uuid(ms, newest)), str(ids.encode(ids.Kind.JOB, ms, job_no)))
        for (error, code), (n, newest) in sorted(groups.items(), key=lambda item: -item[1][0])
        for job_no in (ids.job_of(newest),)
        for ms in (jobs_ms[job_no],)
    ]


def _ended_since(organisation_id: int, moment: int) -> Select[Any]:
    ended = func.coalesce(jobs.c.completed_at, jobs.c.cancelled_at)
    mine = (jobs.c.organisation_id == organisation_id, or_(ended.is_(None), ended >= moment))
    return select(jobs.c.id, jobs.c.created_at).where(*mine).order_by(jobs.c.id.desc()).limit(MOST_JOBS)


def _grouped(job_no: int, moment: int) -> Select[Any]:
    # with a range of ids besides: by the job alone SQLite prefers the unique index, and walks through all rows
    mine = (_T.job_id == job_no, IS_FAILED, _T.id > ids.pack(job_no, 0), _T.id < ids.pack(job_no + 1, 0))
    newest = select(_T.id, _T.error, _T.status_code).where(*mine, _T.completed_at >= moment)
    some = newest.order_by(_T.id.desc()).limit(MOST).subquery()
    grouped = select(some.c.error, some.c.status_code, func.count(), func.max(some.c.id))
    return grouped.group_by(some.c.error, some.c.status_code)


def _kind(error: str | None) -> str:
    """What failures have in common: an error without the host, the number or the URL that it names."""
    return _PARTICULAR(" …", error or "Unknown error").strip()[:200]


def since(store: Store, job: Job, moment: int, limit: int) -> list[Failure]:
    """Up to `limit` pages of a job that failed after a moment (microseconds), the first first."""
    failed = select(_T.id, _T.origin, _T.path, _T.status_code, _T.error, _T.completed_at)
    # with a range of ids besides: by the job alone SQLite prefers the unique index, and walks through all rows
    scope = (_T.job_id == job.id, IS_FAILED, _T.id > ids.pack(job.id, 0), _T.id < ids.pack(job.id + 1, 0))
    mine = failed.where(*scope, _T.kind == TaskKind.CRAWL_PAGE, _T.completed_at > moment)
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
