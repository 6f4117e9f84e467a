"""rq-scheduler's set: a copy of the schedules' next runs, as RQ jobs that wait for their moment.

SQL says what is due; what is lost or wrong here costs nothing but the copy (`scheduler/reconcile.py`). An entry
is named by its schedule and its due time, so the same run is put here, and enqueued, once.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from redis.client import Pipeline
from rq.job import Job, JobStatus

from shared.clock import SECOND
from shared.models import Due
from shared.queue import DEFAULT_QUEUE, SCHEDULER_KEY, START_CRAWL, TaskQueue, redis_errors
from shared.rqtypes import CrawlJob

#: what our entries' names begin with; others in the set are their owners'
PREFIX = "recurring-"
_TIMEOUT = 180


def entry(due: Due) -> str:
    """The id of a run's RQ job."""
    return f"{PREFIX}{due.schedule_uid.replace('-', '')}-{due.due // SECOND}"


def moment(due: Due) -> int:
    """When rq-scheduler is to enqueue it: seconds since the epoch, never early."""
    return -(-due.fire_at // SECOND)


def write(queue: TaskQueue, put: Iterable[Due] = (), remove: Iterable[str] = ()) -> None:
    """Puts runs into the set and takes entries out of it, each in one step. Raises QueueUnavailable."""
    with redis_errors(), queue.redis.pipeline(transaction=True) as pipe:
        for name in remove:
            pipe.zrem(SCHEDULER_KEY, name)
        for due in put:
            _job(queue, due, pipe)
            pipe.zadd(SCHEDULER_KEY, {entry(due): moment(due)})
        pipe.execute()


def _job(queue: TaskQueue, due: Due, pipe: Pipeline) -> None:
    job: Job = CrawlJob.create(
        START_CRAWL,
        [due.schedule_uid, due.due],
        connection=queue.redis,
        id=entry(due),
        origin=DEFAULT_QUEUE,
        status=JobStatus.SCHEDULED,
        timeout=_TIMEOUT,
    )
    job.save(pipeline=pipe)


def read(queue: TaskQueue) -> dict[str, int | None]:
    """Our entries and the second of each; None for one whose job is lost. Raises QueueUnavailable."""
    with redis_errors():
        scored: Any = queue.redis.zrange(SCHEDULER_KEY, 0, -1, withscores=True)
        found = {name.decode(): int(at) for name, at in scored}
        ours = [name for name in found if name.startswith(PREFIX)]
        with queue.redis.pipeline(transaction=False) as pipe:
            for name in ours:
                pipe.exists(f"{CrawlJob.redis_job_namespace_prefix}{name}")
            exist = pipe.execute()
    return {name: found[name] if is_there else None for name, is_there in zip(ours, exist, strict=True)}


def differences(wanted: Mapping[str, int], found: Mapping[str, int | None]) -> tuple[set[str], set[str]]:
    """Which entries to put and which to remove, so that the set is what it should be."""
    put = {name for name, at in wanted.items() if found.get(name) != at}
    return put, found.keys() - wanted.keys()
