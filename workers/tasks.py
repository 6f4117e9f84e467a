"""The functions that RQ jobs name: admit the task, run it, record what became of it.

The names stand in `shared.queue.ROUTES`. Our worker and a stock `rq worker` both call them.
"""

from collections.abc import Callable
from typing import Any

from rq import get_current_job

from shared import ids, schedules
from shared.queue import ROUTES
from shared.stages import Admission, Delay, Finish, Outcome, Recheck, Release, Verdict, Work
from shared.states import TaskKind, TaskState
from workers import analytics, crawl, discover, runtime, webhooks
from workers.executions import Halt
from workers.results import Dropped, Later, Released, TaskFailed
from workers.runtime import Runtime

Step = Callable[[Runtime, Work, Callable[[], bool]], Outcome]


def crawl_page(task: str) -> Any:
    """Crawls one page. `task` is the task's public id in hex; what RQ keeps as the job's result.

    Raises TaskFailed when the task failed for good, StoreUnavailable when that cannot be recorded.
    """
    return _run(task, TaskKind.CRAWL_PAGE)


def discover_pages(task: str) -> Any:
    """Finds the pages of a domain. Arguments and errors as `crawl_page`."""
    return _run(task, TaskKind.DISCOVER_PAGES)


def start_crawl(schedule: str, due: int) -> str | None:
    """Starts the run of a recurring crawl that is due then (microseconds); its job's public id.

    None when there is nothing to start any more. Raises StoreUnavailable.
    """
    ctx = runtime.current()
    return schedules.fire(ctx.store, ctx.queue, schedule, due)


def deliver(delivery: str) -> str:
    """Makes a delivery of a webhook, named by its public id in hex; how it went. Raises StoreUnavailable."""
    ctx = runtime.current()
    how = webhooks.deliver(ctx, delivery)
    webhooks.follow(ctx, delivery)
    return how


def refresh_analytics(domain_id: int, run: int) -> dict[str, Any]:
    """Refreshes a domain's page views; how it ended. Raises StoreUnavailable."""
    return analytics.refresh(runtime.current(), domain_id, run)


#: what runs each function's admitted task; our worker calls these itself, to admit and record in batches
STEPS: dict[str, Step] = {
    ROUTES[TaskKind.CRAWL_PAGE].function: crawl.crawl,
    ROUTES[TaskKind.DISCOVER_PAGES].function: discover.discover,
}


def admission(task: str, requeued: bool) -> Admission:
    """The request to run a task by its public id. Raises TaskFailed for what is no task's id."""
    public = ids.decode(task)
    if public is None or public.kind is not ids.Kind.TASK:
        raise TaskFailed(f"{task[:64]!r} is not the id of a task")
    return Admission(public.body, requeued)


def _run(task: str, kind: TaskKind) -> Any:
    """The whole way of a task, waiting for each step: for a stock `rq worker`."""
    ctx = runtime.current()
    (work,) = ctx.committer.admit([admission(task, _was_requeued())])
    if work is None:
        return Dropped()
    outcome = STEPS[ROUTES[kind].function](ctx, work, lambda: False)
    return told(outcome, ctx.committer.record(outcome))


def _was_requeued() -> bool:
    """Whether an operator requeued the job: the dispatcher's mark goes when a job fails."""
    job = get_current_job()
    return job is not None and not job.connection.hexists(job.key, "dispatched")


def halted(halt: Halt | None, work: Work) -> Outcome | None:
    """What a task that was stopped on its way becomes; None: nothing, its job is over."""
    if halt in (Halt.STOPPING, Halt.PAUSED):
        return Release(work)
    if halt is Halt.STOPPED:
        return Finish(work, TaskState.FAILED, error=f"Stopped: {Halt.STOPPED.value}")
    return None


def told(outcome: Outcome, verdict: Verdict) -> Any:
    """What RQ is told of a recorded outcome. Raises TaskFailed where the task failed for good."""
    if not verdict.recorded or verdict.put_back:
        return Dropped()
    if isinstance(outcome, Delay | Recheck):
        return Later(outcome.at)
    if isinstance(outcome, Release):
        return Released()
    if not isinstance(outcome, Finish):
        raise TypeError(f"{type(outcome).__name__} does not end a task")
    if outcome.state is TaskState.FAILED:
        raise TaskFailed(outcome.error)
    return outcome.return_value(verdict.added, verdict.changed)
