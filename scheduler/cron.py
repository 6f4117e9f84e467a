"""Recurring crawls: rq-scheduler on our job and queue classes, made to outlive what ends the original.

rq-scheduler 0.14 has no serializer, ends on one undecodable job or a lost connection, loses a job when it dies
in the middle, and its lock has no owner (DESIGN.md). Here each job is taken on its own and stays in the set
until it is in its queue, and the lock is left only by whoever took it. The lock spares work and no more: that
a run happens once is decided in SQL.
"""

import logging
import threading
import uuid
from typing import Any

from redis.exceptions import RedisError
from rq.exceptions import DeserializationError, NoSuchJobError
from rq_scheduler import Scheduler

from shared import timetable
from shared.errors import CrawlyardError
from shared.queue import DEFAULT_QUEUE, TaskQueue, script
from shared.rqtypes import CrawlJob, CrawlQueue

log = logging.getLogger(__name__)

#: seconds between two looks, and that the lock outlives its owner at most
_EVERY = 0.5
_LOCK_TTL = 5
#: seconds that a scheduler is listed after its last look
_BIRTH_TTL = 12


class CronScheduler(Scheduler):  # type: ignore[misc]
    """An rq-scheduler that runs in a thread of ours."""

    job_class = CrawlJob
    queue_class = CrawlQueue

    def __init__(self, queue: TaskQueue) -> None:
        redis = queue.redis
        super().__init__(DEFAULT_QUEUE, interval=_EVERY, connection=redis, job_class=CrawlJob, queue_class=CrawlQueue)
        self._queue_of_tasks = queue
        self._token = uuid.uuid4().hex
        self._unlock = script(redis, "unlock")

    def acquire_lock(self) -> bool:
        """Takes the lock for five seconds, with our name on it; whether we have it."""
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
        self.connection.expire(self.key, _BIRTH_TTL)

    def enqueue_job(self, job: Any) -> None:
        """Moves a job into its queue; one of a schedule leaves the set after that, and is in the queue once."""
        if not job.id.startswith(timetable.PREFIX):
            super().enqueue_job(job)
            return
        self._queue_of_tasks.enqueue_call(job.id, job.func_name, *job.args)
        self.connection.zrem(self.scheduled_jobs_key, job.id)

    def _enqueue_safely(self, job: Any) -> int:
        try:
            self.enqueue_job(job)
        except (DeserializationError, NoSuchJobError, ValueError, TypeError, AttributeError) as error:
            log.warning("recurring job %s cannot be run and is set aside: %s", job.id, error)
            self.connection.zrem(self.scheduled_jobs_key, job.id)
            return 0
        return 1


def run_cron(queue: TaskQueue, ended: threading.Event) -> None:
    """Ticks twice a second until the event is set, through outages of Redis."""
    cron = CronScheduler(queue)
    while not ended.wait(_EVERY):
        try:
            cron.tick()
        except (RedisError, OSError, CrawlyardError) as error:
            log.warning("cron: Redis is away: %s", str(error)[:200])
