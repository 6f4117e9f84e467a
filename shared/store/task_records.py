"""A task as readers see it: its row, its job, and the URL of the page that held its link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, select

from shared import ids
from shared.models import Job
from shared.states import CacheStatus, SourceType, TaskKind, TaskState
from shared.store.tables import tasks


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task. Times in microseconds, durations in milliseconds, sizes in bytes."""

    id: int
    kind: TaskKind
    state: TaskState
    url_hash: int
    path: str
    source_type: SourceType
    #: finished attempts
    attempts: int
    max_attempts: int
    status_code: int | None
    cache_status: CacheStatus | None
    second_cache_status: CacheStatus | None
    response_time: int | None
    second_response_time: int | None
    links_found: int | None
    links_added: int | None
    documents: int | None
    pv7: int | None
    pv28: int | None
    pv180: int | None
    content_type: str | None
    error: str | None
    created_at: int
    started_at: int | None
    completed_at: int | None
    job: Job
    #: scheme://host[:port]; None until discovery has settled the job's
    origin: str | None
    source_url: str | None

    @property
    def uid(self) -> str:
        """Public id."""
        return str(ids.task_uuid(self.job.ms, self.id))

    @property
    def page_uid(self) -> str | None:
        """Public id of the task's page; a discovery has none."""
        return self.job.domain.page_uuid(self.url_hash) if self.kind is TaskKind.CRAWL_PAGE else None

    @property
    def url(self) -> str:
        """The whole URL; https is assumed while discovery has not settled the scheme."""
        return (self.origin or f"https://{self.job.domain.host}") + self.path

    @property
    def other_host(self) -> str | None:
        """host[:port] where it is not the job's domain."""
        host = self.origin.partition("://")[2] if self.origin else self.job.domain.host
        return host if host != self.job.domain.host else None


_COPIED = tuple(f.name for f in fields(TaskRecord) if f.name in tasks.c and f.name != "origin")
_ENUMS: Mapping[str, Any] = {
    "kind": TaskKind,
    "state": TaskState,
    "source_type": SourceType,
    "cache_status": CacheStatus,
    "second_cache_status": CacheStatus,
}


def of_rows(conn: Connection, rows: Sequence[Any], jobs: Mapping[int, Job]) -> list[TaskRecord]:
    """The records of task rows, in their order."""
    sources = urls(conn, {row.source_id for row in rows if row.source_id is not None}, jobs)
    return [_record(row, jobs[row.job_id], sources.get(row.source_id)) for row in rows]


def _record(row: Any, job: Job, source_url: str | None) -> TaskRecord:
    values = {name: getattr(row, name) for name in _COPIED}
    for name, kind in _ENUMS.items():
        if values[name] is not None:
            values[name] = kind(values[name])
    return TaskRecord(**values, job=job, origin=row.origin or job.origin, source_url=source_url)


def urls(conn: Connection, task_ids: set[int], jobs: Mapping[int, Job]) -> dict[int, str]:
    """The URLs of these tasks of these jobs, as far as there are such tasks."""
    if not task_ids:
        return {}
    query = select(tasks.c.id, tasks.c.job_id, tasks.c.origin, tasks.c.path).where(tasks.c.id.in_(sorted(task_ids)))
    return {row.id: (row.origin or jobs[row.job_id].origin or "") + row.path for row in conn.execute(query)}
