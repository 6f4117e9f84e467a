"""The next pages of a job, started by the worker that has ended the ones before them.

The commit that records what became of a page claims the next one, and starts it for this worker where nothing else
waits in the queues: no way through Redis, no commit of its own. docs/decisions.md, "Successors".
"""

import logging
import os
import time
from collections.abc import Iterable, Sequence

from shared.errors import CrawlyardError
from shared.queue import ROUTES, TaskQueue
from shared.stages import Dispatch, Release, Verdict, Work
from workers import leases
from workers.committer import LEASE, Committer
from workers.deliveries import Delivery
from workers.executions import Executions, Running
from workers.heartbeat import LEASE_SECONDS
from workers.pool import Pool

log = logging.getLogger(__name__)


def execution_ids(k: int) -> list[str]:
    """As many random ids, 32 hex digits each, from one look at the system's randomness."""
    digits = os.urandom(16 * k).hex()
    return [digits[i : i + 32] for i in range(0, len(digits), 32)]


class Successors:
    """What the committer asks for free threads, and gives started tasks to."""

    def __init__(self, executions: Executions, committer: Committer, queue: TaskQueue) -> None:
        self._executions, self._committer, self._queue = executions, committer, queue
        self._worker, self._queues = "", list[str]()
        self._pool: Pool[Delivery] | None = None
        #: whether nothing waited in the queues when the worker last looked
        self._is_calm, self._has_ended = False, False

    def begin(self, worker: str, queues: Iterable[str], pool: Pool[Delivery]) -> None:
        """From here on tasks are taken for this worker."""
        self._worker, self._queues, self._pool = worker, list(queues), pool
        self._committer.hand_to(self)

    def end(self) -> None:
        """Takes no more, from any moment on: a signal's handler may call it."""
        self._has_ended = True

    def look(self, is_empty: bool) -> None:
        """The worker has looked into its queues: they are empty, or it had no threads for more."""
        try:
            self._is_calm = is_empty or self._queue.waiting(self._queues) == 0
        except CrawlyardError as error:
            self._is_calm = False
            log.warning("%s", error.message)

    def reserve(self, n: int) -> int:
        """Threads for the successors of `n` tasks: all theirs, none while others wait in the queues."""
        if self._has_ended or not self._is_calm or self._pool is None:
            return 0
        return self._pool.reserve_next(n)

    def give_back(self, n: int) -> None:
        """These threads are not needed."""
        if self._pool is not None:
            self._pool.give_back(n)

    def start(self, works: Sequence[Work]) -> None:
        """Runs tasks that were started, in threads reserved for them; puts those back that must not run here."""
        dispatches = [Dispatch(work.id, work.kind, work.job.ms) for work in works]
        made = zip(dispatches, works, execution_ids(len(works)), strict=True)
        runs = [self._running(d, work, run) for d, work, run in made]
        self._executions.add(runs)
        answer = self._told(dispatches, runs)
        told = [False] * len(runs) if answer is None else answer
        kept = [Delivery(running, {}, False) for running, ok in zip(runs, told, strict=True) if ok]
        is_run = self._run(kept)
        for running, dispatch, ok in zip(runs, dispatches, told, strict=True):
            if not (ok and is_run):
                self.give_back(1)
                self._put_back(running, None if answer is None else dispatch)

    def _run(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether the pool takes them."""
        if self._pool is None or not self._pool.submit(deliveries):
            return False
        self._pool.hurry()
        return True

    @staticmethod
    def _running(dispatch: Dispatch, work: Work, execution: str) -> Running:
        route = ROUTES[work.kind]
        return Running(
            dispatch.rq_id,
            route.queue,
            execution,
            deadline=time.monotonic() + route.timeout,
            work=work,
            held_until=leases.held_until(work.held_since, LEASE),
        )

    def _told(self, dispatches: Sequence[Dispatch], runs: Sequence[Running]) -> list[bool] | None:
        """Whether each may run; None: Redis is away."""
        try:
            return self._queue.start(dispatches, [r.execution_id for r in runs], self._worker, LEASE_SECONDS)
        except CrawlyardError as error:
            log.warning("%s: %d tasks are put back", error.message, len(runs))
            self._is_calm = False
            return None

    def _put_back(self, running: Running, dispatch: Dispatch | None) -> None:
        """Untouched, and into the queue; without a `dispatch` the sweep tells Redis, once it is there again."""

        def released(result: Verdict | BaseException) -> None:
            try:
                if dispatch and isinstance(result, Verdict) and result.recorded and not result.put_back:
                    self._queue.enqueue([dispatch], taken_back=True)
            except CrawlyardError as error:
                log.warning("%s: the sweep will enqueue a task", error.message)
            finally:
                self._executions.leave(running)

        assert running.work is not None
        self._committer.record_then(Release(running.work), released)
