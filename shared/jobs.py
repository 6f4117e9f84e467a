"""Use cases around jobs that two sides call: submit and cancel. SQL first, Redis second.

When the second step fails the sweep does it from the record, so a crash in between loses nothing.
"""

import logging
from dataclasses import replace

from shared import urls
from shared.clock import now_us
from shared.errors import QueueUnavailable
from shared.models import Job, JobOptions
from shared.queue import TaskQueue
from shared.stages import Dispatch
from shared.states import JobMode, TaskKind
from shared.store import Store, jobs, pauses, tasks

log = logging.getLogger(__name__)


def submit_crawl(
    store: Store, queue: TaskQueue, organisation_id: int, domain: str, options: JobOptions, first: jobs.FirstTask
) -> tuple[Job, int]:
    """Starts a crawl (or, by `options.mode`, only the discovery) of a domain; the job and its first task's id.

    The domain may be a host, host:port or URL. Raises InvalidUrl, StoreUnavailable.
    """
    target = urls.parse_domain(domain)
    origin = f"{target.scheme}://{target.host}" if target.scheme else None
    job, task_id = jobs.submit(store, organisation_id, target.host, options, first, origin)
    dispatch(queue, Dispatch(task_id, TaskKind.DISCOVER_PAGES, job.ms), first.not_before)
    return job, task_id


def submit_page(
    store: Store, queue: TaskQueue, organisation_id: int, url: str, options: JobOptions, first: jobs.FirstTask
) -> tuple[Job, int]:
    """Crawls one page by request; the job and the task's id. Raises InvalidUrl, StoreUnavailable."""
    canonical = urls.canonicalise(url)
    origin, path = urls.split(canonical)
    page = jobs.FirstPage(urls.url_key(canonical), origin, path)
    host = origin.partition("://")[2]
    one = replace(options, mode=JobMode.PAGE, find_links=False, use_sitemap=False, max_pages=1)
    job, task_id = jobs.submit(store, organisation_id, host, one, replace(first, page=page), origin)
    dispatch(queue, Dispatch(task_id, TaskKind.CRAWL_PAGE, job.ms), first.not_before)
    return job, task_id


def cancel(store: Store, queue: TaskQueue, organisation_id: int, job_no: int) -> Job:
    """Cancels a job in the record, then takes its tasks out of Redis. Raises NotFound, Conflict."""
    jobs.get(store, job_no, organisation_id)
    held = jobs.cancel(store, job_no, now_us())
    try:
        queue.remove(held)
    except QueueUnavailable:
        # nothing of a cancelled job is admitted any more; what Redis still holds is dropped when taken
        log.warning("job %s cancelled while Redis is away", job_no)
    return jobs.get(store, job_no, organisation_id)


def pause(store: Store, queue: TaskQueue, organisation_id: int, job_no: int) -> Job:
    """Stops a job in the record, then takes its tasks out of Redis. Raises NotFound, Conflict."""
    jobs.get(store, job_no, organisation_id)
    held = pauses.pause_job(store, job_no, now_us())
    try:
        queue.remove(held)
    except QueueUnavailable:
        # nothing of a paused job is admitted; what Redis still holds is dropped when taken
        log.warning("job %s paused while Redis is away", job_no)
    return jobs.get(store, job_no, organisation_id)


def resume(store: Store, queue: TaskQueue, organisation_id: int, job_no: int) -> Job:
    """Lets a paused job go on. Raises NotFound, Conflict."""
    jobs.get(store, job_no, organisation_id)
    claimed = pauses.resume_job(store, job_no, now_us())
    try:
        queue.enqueue(claimed)
    except QueueUnavailable:
        log.warning("job %s resumed while Redis is away: the sweep will enqueue its tasks", job_no)
    return jobs.get(store, job_no, organisation_id)


def retry_task(store: Store, queue: TaskQueue, organisation_id: int, task_id: int) -> None:
    """Runs a failed task again with fresh attempts. Raises NotFound, Conflict when it has not failed."""
    dispatch(queue, tasks.reopen(store, organisation_id, task_id, now_us()), None)


def dispatch(queue: TaskQueue, first: Dispatch, not_before: int | None) -> None:
    """Hands a recorded task to the queue, now or at a moment; when Redis is away the sweep will."""
    try:
        if not_before is None:
            queue.enqueue([first])
        else:
            queue.schedule([first], not_before)
    except QueueUnavailable:
        log.warning("task %s recorded while Redis is away: the sweep will enqueue it", first.rq_id)
