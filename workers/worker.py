"""An RQ worker that runs many jobs at once, in threads, and leaves standard RQ data behind.

Jobs are taken and ended in batches by one Lua call each; leases are short and renewed by a heartbeat
thread, so that what a killed worker held is free again within seconds. Callbacks, retries, repeats and
dependents go through RQ's own methods. Why and how fast: docs/decisions.md, "The worker".
"""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Worker
from rq.command import parse_payload
from rq.defaults import RQ_KEY_PREFIX
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.suspension import is_suspended
from rq.utils import utcformat
from rq.worker import WorkerStatus

from shared.backstop import Backstop, within
from shared.errors import CrawlyardError, QueueUnavailable
from shared.queue import ALL_QUEUES, WAKE_KEY, TaskQueue, redis_errors, script
from shared.rqtypes import CrawlJob, CrawlQueue, OrjsonSerializer
from workers.deliveries import FIELDS, Delivery
from workers.executions import Executions, ExecutionStopped
from workers.heartbeat import LEASE_SECONDS, Heartbeat
from workers.perform import Performer, UnsignalledDeathPenalty
from workers.pool import Pool
from workers.successors import Successors, execution_ids
from workers.teller import Teller

log = logging.getLogger(__name__)

#: most jobs taken in one call
_BATCH = 50
#: seconds that an idle worker waits for a wake-up before it looks itself
_IDLE = 1.0
#: seconds between two looks for other jobs' tasks while all threads are taken
_BUSY = 0.2
#: seconds that halted jobs have for their next step, and that Redis has for our goodbye
_LAST_STEP, _GOODBYE = 3.0, 5.0
#: seconds after its grace by which a worker has said goodbye, and by which its process is gone: Python's end takes time
_QUIET, GONE = 5.0, 6.0


class ConcurrentWorker(Worker):
    """Runs up to `threads` jobs at once."""

    death_penalty_class = UnsignalledDeathPenalty
    queue_class: type[Queue] = CrawlQueue
    job_class: type[Job] = CrawlJob

    def __init__(
        self,
        redis: Redis,
        threads: int,
        grace: float = 25.0,
        queues: tuple[str, ...] = ALL_QUEUES,
        completed_ttl: int = 600,
        failed_ttl: int = 7 * 86_400,
        heartbeat: Heartbeat | None = None,
        executions: Executions | None = None,
        successors: Successors | None = None,
        backstop: Backstop | None = None,
    ) -> None:
        """`backstop`: what ends the process when the end of the worker hangs."""
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        made = [CrawlQueue(q, connection=redis) for q in queues]
        super().__init__(
            made,
            name=name,
            connection=redis,
            serializer=OrjsonSerializer,
            default_result_ttl=completed_ttl,
            worker_ttl=30,
        )
        self._grace, self._forced = grace, False
        self._backstop = backstop or Backstop()
        self._take_script = script(redis, "dequeue")
        self._pool = Pool[Delivery](threads, self._perform)
        self.running = Executions() if executions is None else executions
        self.teller = Teller(TaskQueue(redis, completed_ttl, failed_ttl), name, self._enqueue_dependents)
        promised = successors.promised if successors is not None else None
        self._performer = Performer(self, self.running, self.teller, failed_ttl, promised)
        self._heartbeat = heartbeat or Heartbeat(self.running)
        self._successors = successors

    def _set_connection(self, connection: Redis) -> Redis:
        # RQ would allow a command minutes to hang; nothing here blocks for longer than a second
        return connection

    # -- the loop ---------------------------------------------------------------

    def work(self, burst: bool = False, *_args: Any, **_options: Any) -> bool:
        """Takes and runs jobs until SIGTERM or SIGINT, or until the queues are empty in burst mode."""
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        self._begin()
        self.teller.start()
        self._heartbeat.begin(self)
        if self._successors is not None:
            self._successors.begin(self.queue_names(), self._pool, self.teller)
        try:
            self._run_loop(burst)
        finally:
            self._drain()
            self._say_goodbye()
        return True

    def _begin(self) -> None:
        """Registers the worker, as soon as Redis lets it."""
        while not self._stop_requested:
            try:
                # the name is ours alone: what is there is a try of ours whose answer was lost
                self.connection.delete(self.key)
                self.bootstrap("WARNING")
                return
            except (RedisError, OSError) as error:
                log.warning("Redis is away: %s", str(error)[:200])
                time.sleep(_IDLE)

    def _run_loop(self, burst: bool) -> None:
        while not self._stop_requested:
            free = self._reserve()
            if not free:
                continue  # and leave wake-ups to workers that can take something
            # asked before the queues are: what runs may put a job there as it ends
            is_done = burst and not self.running.any()
            try:
                taken = self._take(free)
                self._note(len(taken) < free)
            except QueueUnavailable as error:
                log.warning("%s: waiting", error.message)
                taken = []
                self._pool.hurry()
                time.sleep(_IDLE)
            ready = self._ready(taken)
            self._pool.submit(ready)
            self._pool.give_back(free - len(ready))
            if not taken:
                if is_done:
                    return
                self._pool.hurry()
                self._idle()

    def _reserve(self) -> int:
        """Free threads; where there are none, those that come free while we look."""
        free = self._pool.reserve(_BATCH, 0.0)
        if free:
            return free
        self._note(False)
        return self._pool.reserve(_BATCH, _BUSY)

    def _note(self, is_empty: bool) -> None:
        """Whether the queues had less than we could take: then tasks that end are followed by their jobs' next ones."""
        if self._successors is not None:
            self._successors.look(is_empty)

    def _ready(self, taken: list[Delivery]) -> list[Delivery]:
        """What is to be performed of what was taken."""
        self.running.add(d.running for d in taken)
        try:
            return self._performer.admit(taken, unless=lambda: self._stop_requested)
        except Exception as error:  # boundary: the loop must outlive what it took
            # not admitted: the leases run out and the sweep puts the tasks back
            log.warning(
                "%d jobs cannot be started: %s", len(taken), error, exc_info=not isinstance(error, CrawlyardError)
            )
            for delivery in taken:
                self.running.leave(delivery.running)
            return []

    def _take(self, k: int) -> list[Delivery]:
        if self._stop_requested or k <= 0:
            return []
        now = datetime.now(UTC)
        args: list[str | bytes | float] = [RQ_KEY_PREFIX, self.name, utcformat(now), now.timestamp(), LEASE_SECONDS, k]
        with redis_errors():
            taken = self._take_script(keys=self.queue_names(), args=[*args, *execution_ids(k), *FIELDS])
        if taken:
            self._state = WorkerStatus.BUSY  # the script has told Redis
        moment, begun = time.monotonic(), now.timestamp()
        return [Delivery.from_reply(moment, begun, *reply) for reply in taken]

    def _perform(self, delivery: Delivery) -> None:
        try:
            self._performer.perform(delivery)
        except BaseException:  # boundary: the thread must outlive any job
            log.exception("job %s ended the hard way", delivery.running.job_id)

    def _idle(self) -> None:
        """Waits for the next enqueue; what stock RQ tools enqueue is seen after a second at most."""
        try:
            suspended = is_suspended(self.connection)
            self._set_idle_state(suspended)
            self.connection.blpop([WAKE_KEY], timeout=_IDLE)
        except RedisError as error:
            log.warning("Redis is away: %s", str(error)[:200])
            time.sleep(_IDLE)

    def _set_idle_state(self, suspended: bool) -> None:
        state = WorkerStatus.SUSPENDED if suspended else WorkerStatus.BUSY if self.running.any() else WorkerStatus.IDLE
        if self.get_state() != state:
            self.set_state(state)

    def _finalize_failure(self, job: Job, queue: Queue, execution: Execution, exc_info: Any) -> None:
        # RQ stops a job by killing its process; here an exception does, which is no failure to be tried again
        if isinstance(exc_info[1], ExecutionStopped):
            raise exc_info[1]
        super()._finalize_failure(job, queue, execution, exc_info)

    # -- the end ----------------------------------------------------------------

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """SIGTERM, SIGINT: take nothing more. A second signal stops what runs at its next step."""
        signal.signal(signal.SIGINT, self.request_force_stop)
        signal.signal(signal.SIGTERM, self.request_force_stop)
        self._stop_requested = True
        self._backstop.tell()
        if self._successors is not None:
            self._successors.end()

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """A second signal: no more grace."""
        self._forced = True
        # not from inside the handler: it may have interrupted the holder of the lock that this takes
        threading.Thread(target=self.running.halt_all, daemon=True).start()

    def _drain(self) -> None:
        """Lets running jobs end within the grace, then stops the rest at their next step, to be put back."""
        if self._successors is not None:
            self._successors.end()
        self._pool.close()
        self.running.wait_until_idle(self._backstop.left(self._grace), unless=lambda: self._forced)
        self.running.halt_all()
        self.running.wait_until_idle(_LAST_STEP)

    def time_left(self) -> float:
        """Seconds for whatever comes last."""
        return min(_GOODBYE, self._backstop.left(self._grace + _QUIET))

    def _say_goodbye(self) -> None:
        """Tells Redis what is left to tell, as far as it listens."""
        self._heartbeat.end()
        end = time.monotonic() + self.time_left()
        self.teller.stop(max(0.0, end - time.monotonic()))
        within(max(0.0, end - time.monotonic()), self._bury)

    def _bury(self) -> None:
        try:
            self.register_death()  # type: ignore[no-untyped-call]
            self.unsubscribe()  # type: ignore[no-untyped-call]
        except RedisError as error:
            log.warning("Redis is away: %s", str(error)[:200])

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """RQ's own ends the thread on a time-out, and the worker would be deaf to commands from then on."""
        log.warning("commands cannot be heard: %s", str(exc)[:200])
        time.sleep(_IDLE)

    # -- commands ---------------------------------------------------------------

    def handle_payload(self, message: Any) -> None:
        """`rq`'s commands. RQ's own stop-job knows one job a worker: here it may be any of those running."""
        payload = parse_payload(message)
        if payload["command"] == "stop-job":
            self.running.stop(job_id=payload.get("job_id"))
        else:
            super().handle_payload(message)  # type: ignore[no-untyped-call]

    def request_stop_execution(self, execution_id: str) -> None:
        """Stops one execution."""
        self.running.stop(execution_id=execution_id)

    def _enqueue_dependents(self, job_id: str, queue: str) -> None:
        with redis_errors():
            job = CrawlJob.fetch(job_id, connection=self.connection)
            CrawlQueue(queue, connection=self.connection).enqueue_dependents(job)
