"""Recurring crawls: rq-scheduler on our job and queue classes, made to outlive what ends the original.

rq-scheduler 0.14 has no serializer, ends on one undecodable job or a lost connection, and its lock has no
owner (DESIGN.md). Here each job is taken on its own and the lock is left only by whoever took it.
"""

import logging
import threading
import uuid
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import DeserializationError, NoSuchJobError
from rq_scheduler import Scheduler

from shared.queue import DEFAULT_QUEUE, script
from shared.rqtypes import CrawlJob, CrawlQueue

log = logging.getLogger(__name__)

#: seconds between two looks, and that the lock outlives its owner
_EVERY = 1
_LOCK_TTL = 10


class CronScheduler(Scheduler):  # type: ignore[misc]
    """An rq-scheduler that runs in a thread of ours."""

    job_class = CrawlJob
    queue_class = CrawlQueue

    def __init__(self, redis: Redis) -> None:
        super().__init__(DEFAULT_QUEUE, interval=_EVERY, connection=redis, job_class=CrawlJob, queue_class=CrawlQueue)
        self._token = uuid.uuid4().hex
        self._unlock = script(redis, "unlock")

    def acquire_lock(self) -> bool:
        """Takes the lock for ten seconds, with our name on it; whether we have it."""
        taken = self.connection.set(self.scheduler_lock_key, self._token, ex=_LOCK_TTL, nx=True)
        self._lock_acquired = bool(taken)
        return self._lock_acquired

    def remove_lock(self) -> None:
        """Leaves the lock if it is still ours."""
        if self._lock_acquired:
            self._unlock(keys=[self.scheduler_lock_key], args=[self._token])
            self._lock_acquired = False

    def tick(self) -> int:
        """Enqueues what is due, once; how many. A job that cannot be read is set aside, the rest go on."""
        self._stay_registered()
        if not self.acquire_lock():
            return 0
        try:
            return sum(self._enqueue_safely(job) for job in list(self.get_jobs_to_queue()))
        finally:
            self.remove_lock()

    def _stay_registered(self) -> None:
        self.connection.hset(self.key, mapping={"birth": "0"})
        self.connection.expire(self.key, _LOCK_TTL + _EVERY)

    def _enqueue_safely(self, job: Any) -> int:
        try:
            self.enqueue_job(job)
        except (DeserializationError, NoSuchJobError, ValueError, TypeError, AttributeError) as error:
            log.warning("recurring job %s cannot be run and is set aside: %s", job.id, error)
            self.connection.zrem(self.scheduled_jobs_key, job.id)
            return 0
        return 1


def run_cron(redis: Redis, ended: threading.Event) -> None:
    """Ticks every second until the event is set, through outages of Redis."""
    cron = CronScheduler(redis)
    while not ended.wait(_EVERY):
        try:
            cron.tick()
        except (RedisError, OSError) as error:
            log.warning("cron: Redis is away: %s", str(error)[:200])
