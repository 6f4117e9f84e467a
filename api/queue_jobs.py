"""`/api/jobs`: tasks as queue jobs, in BullMQ's terms."""

from dataclasses import asdict

from api import lookup
from api.context import Answer, Call
from api.inputs import naming
from api.schemas.common import Data, DataPage, Meta, NoBody, NoQuery
from api.schemas.queue_jobs import (
    CreateQueueJob,
    ListQueueJobs,
    QueueJob,
    QueueJobDetail,
    QueueStats,
    RedirectResult,
    Retried,
    RetryFailed,
    ReturnValue,
)
from shared import ids
from shared import jobs as job_cases
from shared import tasks as task_cases
from shared.clock import SECOND, iso, now_us
from shared.errors import NotFound
from shared.models import JobOptions
from shared.queue import ROUTES, description_of
from shared.states import FINAL, QUEUE_STATE, JobMode, TaskKind, TaskState
from shared.store import changes, notes, queue_jobs, tasks
from shared.store.jobs import FirstTask
from shared.store.task_records import TaskRecord

_NAMES = {kind: route.name for kind, route in ROUTES.items()}
_KINDS = {name: kind for kind, name in _NAMES.items()}
_STATES = {word: state for state, word in QUEUE_STATE.items()}
_TYPES = {TaskKind.CRAWL_PAGE: "crawl", TaskKind.DISCOVER_PAGES: "discover"}


def list_queue_jobs(call: Call, given: ListQueueJobs) -> Answer:
    """Queue jobs of both kinds, newest first."""
    found, total = queue_jobs.page(call.store, which_of(call, given), given.limit, given.skip)
    meta = Meta(total=total, page=given.page, page_size=given.limit)
    return Answer(DataPage[QueueJob](data=[queue_job(record) for record in found], meta=meta))


def which_of(call: Call, given: ListQueueJobs) -> queue_jobs.QueueJobFilter:
    """The caller's queue jobs that the filters let through."""
    return queue_jobs.QueueJobFilter(
        call.organisation_id,
        state=_STATES[given.status] if given.status else None,
        kind=_KINDS[given.name] if given.name else None,
        domain_id=lookup.domain_in_query(call, given.domain_id),
    )


def function_of(record: TaskRecord) -> str:
    """What a worker calls for a task."""
    return description_of(ROUTES[record.kind].function, ids.rq_id(record.job.ms, record.id))


def get_stats(call: Call, _given: NoQuery) -> Answer:
    """Jobs by state over all queues, straight from Redis."""
    counts = call.queue.counts()
    total = counts.waiting + counts.active + counts.delayed
    return Answer(Data[QueueStats](data=QueueStats(**asdict(counts), total=total)))


def get_queue_job(call: Call, _given: NoQuery) -> Answer:
    """One queue job with its result."""
    record = _listed(call)
    return Answer(Data[QueueJobDetail](data=_detail(call, record)))


def create_queue_job(call: Call, given: CreateQueueJob) -> Answer:
    """Enqueues a page crawl or a discovery."""
    call.queue.ping()
    not_before = now_us() + given.delay * SECOND if given.delay else None
    first = FirstTask(priority=given.priority, max_attempts=given.max_attempts, not_before=not_before, claim=call.claim)
    if given.name == "crawl.page":
        options, text = JobOptions(mode=JobMode.PAGE), given.url or ""
        with naming("url"):
            _, task_id = job_cases.submit_page(call.store, call.queue, call.organisation_id, text, options, first)
    else:
        options, text = JobOptions(mode=JobMode.DISCOVER), given.domain or ""
        with naming("domain"):
            _, task_id = job_cases.submit_crawl(call.store, call.queue, call.organisation_id, text, options, first)
    return accepted(call, task_id)


def retry_queue_job(call: Call, _given: NoBody) -> Answer:
    """Runs a failed job again."""
    record = _any(call)
    job_cases.retry_task(call.store, call.queue, call.organisation_id, record.id)
    return _now(call, record.id)


def promote_queue_job(call: Call, _given: NoBody) -> Answer:
    """Runs a delayed job now."""
    record = _any(call)
    task_cases.promote(call.store, call.queue, call.organisation_id, record.id)
    return _now(call, record.id)


def cancel_queue_job(call: Call, _given: NoBody) -> Answer:
    """Ends a waiting, delayed or active job."""
    record = _any(call)
    task_cases.cancel(call.store, call.queue, call.organisation_id, record.id)
    return _now(call, record.id)


def retry_failed(call: Call, given: RetryFailed) -> Answer:
    """Runs failed jobs again."""
    failed = queue_jobs.QueueJobFilter(
        call.organisation_id,
        state=TaskState.FAILED,
        kind=_KINDS[given.name] if given.name else None,
        domain_id=lookup.domain_in_query(call, given.domain_id),
        job_no=lookup.job_in_query(call, "jobId", given.job_id).id if given.job_id else None,
    )
    retried = task_cases.retry_failed(call.store, call.queue, failed, given.limit)
    return Answer(Data[Retried](data=Retried(retried=retried)))


def accepted(call: Call, task_id: int) -> Answer:
    """The answer to a call that enqueued a task."""
    return _now(call, task_id, status=202)


def _now(call: Call, task_id: int, status: int = 200) -> Answer:
    record = tasks.get(call.store, call.organisation_id, task_id)
    return Answer(Data[QueueJobDetail](data=_detail(call, record)), status=status)


def _any(call: Call) -> TaskRecord:
    return lookup.task(call, call.path["id"], "Job")


def _listed(call: Call) -> TaskRecord:
    """The task, if it is one that the queue knows. Raises NotFound."""
    record = _any(call)
    if record.state not in QUEUE_STATE:
        raise NotFound("Job not found")
    return record


def queue_job(record: TaskRecord) -> QueueJob:
    """A task as a queue job."""
    is_page = record.kind is TaskKind.CRAWL_PAGE
    return QueueJob(
        id=record.uid,
        name=_NAMES[record.kind],  # type: ignore[arg-type]
        type=_TYPES[record.kind],  # type: ignore[arg-type]
        url=record.url if is_page else None,
        domain_id=record.job.domain.uid,
        page_id=record.page_uid,
        state=QUEUE_STATE.get(record.state, "cancelled"),  # type: ignore[arg-type]
        progress=100 if record.state is TaskState.COMPLETED else 0,
        attempts_made=record.attempts,
        created_at=iso(record.created_at) or "",
        processed_at=iso(record.started_at),
        finished_at=iso(record.completed_at) if record.state in FINAL else None,
        failed_reason=record.error if record.state is TaskState.FAILED else None,
    )


def _detail(call: Call, record: TaskRecord) -> QueueJobDetail:
    common = dict(queue_job(record))
    hops = [RedirectResult(status_code=h.status_code, url=h.url) for h in notes.redirects_of(call.store, record.id)]
    if hops:
        common["redirects"] = hops
    return QueueJobDetail(**common, max_attempts=record.max_attempts, return_value=_return_value(call, record))


def _return_value(call: Call, record: TaskRecord) -> ReturnValue | None:
    if record.state is not TaskState.COMPLETED:
        return None
    if record.kind is TaskKind.DISCOVER_PAGES:
        return ReturnValue(pages_discovered=record.links_found or 0, pages_added=record.links_added or 0)
    return ReturnValue(
        status_code=record.status_code,
        response_time=record.response_time,
        changed=changes.is_of_task(call.store, record.id),
        links_found=record.links_found or 0,
    )
