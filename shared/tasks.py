"""Use cases around single tasks: now, never, again, and one known page. SQL first, Redis second."""

import logging

from shared import jobs as job_cases
from shared.clock import now_us
from shared.errors import QueueUnavailable
from shared.models import Job, JobOptions
from shared.queue import TaskQueue
from shared.stages import Dispatch
from shared.states import JobMode, TaskKind
from shared.store import Store, jobs, queue_jobs, tasks
from shared.store.idempotency import Claim
from shared.store.pages import Page
from shared.store.queue_jobs import QueueJobFilter

log = logging.getLogger(__name__)
_CHUNK = 500


def promote(store: Store, queue: TaskQueue, organisation_id: int, task_id: int) -> None:
    """Runs a delayed task now. Raises NotFound, Conflict when it is not delayed."""
    promoted = tasks.promote(store, organisation_id, task_id, now_us())
    _enqueue(queue, [promoted], due=True)


def cancel(store: Store, queue: TaskQueue, organisation_id: int, task_id: int) -> None:
    """Ends a waiting, delayed or active task. Raises NotFound, Conflict when it has ended."""
    gone, freed = tasks.cancel(store, organisation_id, task_id, now_us())
    try:
        queue.remove([gone])
    except QueueUnavailable:
        # it is not admitted any more; what Redis still holds is dropped when taken
        log.warning("task %s cancelled while Redis is away", gone.rq_id)
    _enqueue(queue, freed)


def retry_failed(store: Store, queue: TaskQueue, failed: QueueJobFilter, limit: int) -> int:
    """Runs up to `limit` of these failed tasks again; how many."""
    retried = 0
    for job_no in queue_jobs.jobs_with(store, failed):
        while retried < limit:
            n, due = tasks.reopen_failed(store, job_no, now_us(), min(_CHUNK, limit - retried), failed.kind)
            _enqueue(queue, due)
            retried += n
            if n == 0:
                break
    return retried


def crawl_page(store: Store, queue: TaskQueue, page: Page, claim: Claim | None = None) -> tuple[Job, int]:
    """Crawls one page of a domain again; the job and the task's id."""
    options = JobOptions(
        mode=JobMode.PAGE, use_sitemap=False, find_links=False, max_pages=1, source_detail="crawl_page"
    )
    first = jobs.FirstTask(page=jobs.FirstPage(page.url_hash, page.origin, page.path), claim=claim)
    domain = page.domain
    job, task_id = jobs.submit(store, domain.organisation_id, domain.host, options, first, page.origin)
    job_cases.dispatch(queue, Dispatch(task_id, TaskKind.CRAWL_PAGE, job.ms), None)
    return job, task_id


def _enqueue(queue: TaskQueue, dispatches: list[Dispatch], due: bool = False) -> None:
    try:
        queue.enqueue(dispatches, due=due)
    except QueueUnavailable:
        log.warning("%d tasks recorded while Redis is away: the sweep will enqueue them", len(dispatches))
