"""Recurring crawls through rq-scheduler, on a real Redis."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.cron import CronScheduler
from shared.queue import DEFAULT_QUEUE, SCHEDULER_KEY, START_CRAWL, TaskQueue
from shared.rqtypes import CrawlJob, CrawlQueue


@pytest.fixture
def cron(queue: TaskQueue) -> CronScheduler:
    return CronScheduler(queue)


def schedule(cron: CronScheduler, due_in: float = -1) -> CrawlJob:
    """A call every hour that is not ours, as any user of rq-scheduler makes it."""
    job: CrawlJob = cron.schedule(
        scheduled_time=datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=due_in),
        func=START_CRAWL,
        args=["a-schedule", 1],
        interval=3600,
        result_ttl=-1,
    )
    return job


def test_it_works(cron: CronScheduler, queue: TaskQueue) -> None:
    job = schedule(cron)
    assert cron.tick() == 1
    assert CrawlQueue(DEFAULT_QUEUE, connection=queue.redis).job_ids == [job.id]
    assert queue.redis.zcard(SCHEDULER_KEY) == 1


def test_what_is_not_due_waits_and_counts_as_delayed(cron: CronScheduler, queue: TaskQueue) -> None:
    schedule(cron, due_in=60)
    assert cron.tick() == 0
    assert queue.counts().delayed == 1


def test_its_jobs_are_json(cron: CronScheduler, queue: TaskQueue) -> None:
    job = schedule(cron)
    fetched = CrawlJob.fetch(job.id, connection=queue.redis)
    assert (fetched.func_name, fetched.args) == (START_CRAWL, ["a-schedule", 1])


def test_one_that_cannot_be_read_is_set_aside_and_the_rest_go_on(cron: CronScheduler, queue: TaskQueue) -> None:
    broken, good = schedule(cron), schedule(cron)
    queue.redis.hset(f"rq:job:{broken.id}", "meta", b"\x80\x04not json")
    queue.redis.hset(f"rq:job:{broken.id}", "data", b"\x80\x04not json")
    cron.tick()
    assert good.id in CrawlQueue(DEFAULT_QUEUE, connection=queue.redis).job_ids


def test_a_second_scheduler_leaves_the_lock_to_the_first(cron: CronScheduler, queue: TaskQueue) -> None:
    second = CronScheduler(queue)
    assert cron.acquire_lock()
    assert second.tick() == 0
    second.remove_lock()
    assert queue.redis.exists("rq:scheduler_lock")
    cron.remove_lock()
    assert not queue.redis.exists("rq:scheduler_lock")
