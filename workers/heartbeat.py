"""Keeps leases alive, in Redis and in the store, and hears of cancelled jobs and overdue executions."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from redis.exceptions import RedisError
from rq import Worker
from rq.defaults import RQ_KEY_PREFIX
from rq.worker import WorkerStatus
from rq.worker_registration import register

from shared import doing
from shared.clock import SECOND, now_us
from shared.errors import CrawlyardError
from shared.queue import script
from shared.store import Store, jobs, sweep
from workers import leases
from workers.executions import Executions, Halt, Running

log = logging.getLogger(__name__)

#: an execution that is not renewed for this long is free again
LEASE_SECONDS = 10
_RENEW_EVERY = 3.0
_LOOK_EVERY = 0.5
#: that all threads have together for their ends
_END_SECONDS = 1.0


class Heartbeat:
    """Threads for Redis and threads for the store, so that the loss of one does not stop the other."""

    def __init__(self, executions: Executions, store: Store | None = None) -> None:
        self._executions, self._store = executions, store
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        #: whether anything ran at the last look
        self._was_busy = False

    def begin(self, worker: Worker) -> None:
        """Starts the threads."""
        loops: list[tuple[str, Callable[[], None], float]] = [
            ("heartbeat", lambda: self._beat(worker), _RENEW_EVERY),
            ("look", lambda: self._look(worker), _LOOK_EVERY),
            ("watchdog", lambda: self._executions.interrupt_overdue(time.monotonic()), _LOOK_EVERY),
        ]
        if self._store is not None:
            loops += [("renew", self._renew, _RENEW_EVERY), ("cancel", self._look_for_cancelled, _LOOK_EVERY)]
        for name, step, every in loops:
            thread = threading.Thread(target=self._repeat, args=(step, every), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def end(self) -> None:
        """Stops the threads. They are daemons: one that waits for a service must not use up the time SIGTERM leaves."""
        self._ended.set()
        deadline = time.monotonic() + _END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _repeat(self, step: Callable[[], None], every: float) -> None:
        while not self._ended.wait(every):
            try:
                step()
            except (CrawlyardError, RedisError) as error:
                log.warning("%s: %s", threading.current_thread().name, str(error)[:200])
            except Exception:  # boundary: without this thread every lease runs out
                log.exception("%s failed", threading.current_thread().name)

    def _beat(self, worker: Worker) -> None:
        """The worker's key, its state, and each execution's lease."""
        running = self._executions.all()
        if worker.get_state() in (WorkerStatus.IDLE, WorkerStatus.BUSY, WorkerStatus.STARTED):
            worker._state = WorkerStatus.BUSY if running else WorkerStatus.IDLE
        with worker.connection.pipeline(transaction=False) as pipe:
            worker.last_heartbeat = datetime.now(UTC)
            # the whole record: a Redis that lost everything learns of us again
            pipe.hset(worker.key, mapping=worker.serialize() | {"state": worker.get_state()})
            pipe.expire(worker.key, worker.worker_ttl)
            register(worker, pipe)
            pipe.execute()
        self._tell(worker, [r for r in running if r.told])

    def _look(self, worker: Worker) -> None:
        """Says what runs, and tells in full what has lasted a moment: most executions are over before."""
        running = self._executions.all()
        if running or self._was_busy:
            doing.tell(worker.connection, worker.name, [(r.job_id, r.begun) for r in running])
        self._was_busy = bool(running)
        self._tell(worker, [r for r in running if not r.told])

    def _tell(self, worker: Worker, running: list[Running]) -> None:
        if running:
            told = [value for r in running for value in (r.job_id, r.queue, r.execution_id, r.begun)]
            script(worker.connection, "renew")(args=[RQ_KEY_PREFIX, worker.name, time.time(), LEASE_SECONDS, *told])
            for r in running:
                r.told = True

    def _renew(self) -> None:
        running = [r for r in self._executions.all() if r.work is not None and not r.is_promised]
        if self._store is None or not running:
            return
        began = leases.clock()
        held = sweep.renew(self._store, [r.work for r in running if r.work], now_us() + LEASE_SECONDS * SECOND)
        for r in running:
            is_ours = r.work is not None and r.work.id in held
            r.held_until = began + LEASE_SECONDS - leases.MARGIN if is_ours else 0.0

    def _look_for_cancelled(self) -> None:
        job_nos = {work.job.id for work in self._executions.works()}
        if self._store is not None and job_nos:
            gone, paused = jobs.halted(self._store, job_nos)
            self._executions.halt_jobs(gone, Halt.CANCELLED)
            self._executions.halt_jobs(paused, Halt.PAUSED)
