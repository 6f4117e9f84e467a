"""`/v1/jobs/{id}/tasks`: the page crawls of a job."""

from api import lookup
from api.context import Answer, Call
from api.schemas.tasks import ListTasks, Performance, Summary, TaskList, TaskResult, TasksPagination
from shared.clock import iso
from shared.states import V1_STATUS, CacheStatus, SourceType, TaskState
from shared.store import progress, task_lists
from shared.store.progress import Progress
from shared.store.task_records import TaskRecord

_STATES = {word: tuple(s for s, w in V1_STATUS.items() if w == word) for word in set(V1_STATUS.values())}
_CACHES = {
    "hit": (CacheStatus.HIT, CacheStatus.DYNAMIC),
    "miss": (CacheStatus.MISS, CacheStatus.EXPIRED),
}
_SOURCES = {source: source.name.lower() for source in SourceType}


def list_tasks(call: Call, given: ListTasks) -> Answer:
    """The tasks of a job, filtered and sorted, with a summary of all of them."""
    job = lookup.job(call, call.path["job_id"])
    which = task_lists.TaskFilter(
        states=_STATES[given.status] if given.status else None,
        cache=_CACHES[given.cache] if given.cache else None,
        path=given.path,
        status_code=given.status_code,
    )
    window = task_lists.Window(given.limit, given.skip, given.sort.removeprefix("-"), given.sort.startswith("-"))
    found, total = task_lists.page(call.store, job, which, window)
    has_next = given.skip + len(found) < total and bool(found)
    return Answer(
        TaskList(
            tasks=[task_result(record) for record in found],
            pagination=TasksPagination(
                limit=given.limit, offset=given.skip, total=total, has_next=has_next, has_prev=given.skip > 0
            ),
            summary=_summary(progress.read(call.store, [job.id])[job.id]),
        )
    )


def task_result(record: TaskRecord) -> TaskResult:
    """A task as `/v1` shows it."""
    extra = {} if record.other_host is None else {"host": record.other_host}
    return TaskResult(
        id=record.uid,
        job_id=record.job.uid,
        url=record.url,
        path=record.path,
        status=V1_STATUS[record.state],  # type: ignore[arg-type]
        status_code=record.status_code,
        response_time=record.response_time,
        cache_status=_word(record.cache_status),
        second_response_time=record.second_response_time,
        second_cache_status=_word(record.second_cache_status),
        content_type=record.content_type,
        error=record.error,
        source_type=_SOURCES[record.source_type],
        source_url=record.source_url,
        retry_count=_retries(record),
        page_views_7d=record.pv7,
        page_views_28d=record.pv28,
        page_views_180d=record.pv180,
        created_at=iso(record.created_at) or "",
        started_at=iso(record.started_at),
        completed_at=iso(record.completed_at),
        **extra,
    )


def _word(status: CacheStatus | None) -> str | None:
    return None if status is None else status.name


def _retries(record: TaskRecord) -> int:
    """A running task has begun one attempt more than it has finished."""
    return record.attempts if record.state is TaskState.RUNNING else max(0, record.attempts - 1)


def _summary(known: Progress) -> Summary:
    counts = known.counts
    return Summary(
        total_tasks=known.total,
        by_status={
            "pending": known.pending,
            "running": known.running,
            "completed": known.completed,
            "failed": known.failed,
            "skipped": known.skipped,
        },
        by_status_code=counts.by_status_code(),
        performance=Performance(
            avg_response_time=counts.avg_time,
            median_response_time=counts.percentile(0.5),
            p95_response_time=counts.percentile(0.95),
            p99_response_time=counts.percentile(0.99),
            slow_pages_count=counts.slow,
            total_bytes=counts.total_bytes,
            cache_hit_ratio=counts.cache_hit_ratio,
        ),
    )
