"""The next pages of a job, started by the worker that has ended the ones before them.

The commit that records what became of a page claims the next one, and starts it for this worker where nothing else
waits in the queues: no way through Redis, no commit of its own. docs/decisions.md, "Successors".
"""

import logging
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from shared.errors import CrawlyardError
from shared.queue import ROUTES, TaskQueue
from shared.stages import Dispatch, Finish, Hands, Release, Verdict, Work
from shared.states import TaskKind
from shared.store.step import StepResult
from workers import leases
from workers.committer import LEASE, Committer, Stopped
from workers.deliveries import Delivery
from workers.executions import Executions, Running
from workers.pool import Pool
from workers.promised import Ended, Promised
from workers.teller import Teller
from workers.words import Queued, Started, Word

log = logging.getLogger(__name__)

#: the queue of all tasks that follow others
_PAGES = ROUTES[TaskKind.CRAWL_PAGE].queue
#: seconds between two looks how many workers there are
_COUNT_EVERY = 1.0


def execution_ids(k: int) -> list[str]:
    """As many random ids, 32 hex digits each, from one look at the system's randomness."""
    digits = os.urandom(16 * k).hex()
    return [digits[i : i + 32] for i in range(0, len(digits), 32)]


class Successors:
    """What the committer asks for free threads, and gives started tasks to."""

    def __init__(self, executions: Executions, committer: Committer, queue: TaskQueue) -> None:
        self._executions, self._committer, self._queue = executions, committer, queue
        self.promised = Promised(executions, self._made)
        self._queues = list[str]()
        self._pool: Pool[Delivery] | None = None
        self._teller: Teller | None = None
        #: whether nothing waited in the queues when the worker last looked
        self._is_calm, self._has_ended = False, False
        #: monotonic moment when workers were counted last
        self._counted = 0.0
        #: whether Redis did not hear of the last ones, or wants no more
        self._is_doubtful = False

    def begin(self, queues: Iterable[str], pool: Pool[Delivery], teller: Teller) -> None:
        """From here on tasks are taken for the worker that has these."""
        self._queues, self._pool, self._teller = list(queues), pool, teller
        teller.on_doubt = self._doubt
        self._committer.hand_to(self)

    def end(self) -> None:
        """Takes no more, from any moment on: a signal's handler may call it."""
        self._has_ended = True
        self.promised.is_open = False

    def _doubt(self) -> None:
        self._is_doubtful = True
        self._note(False)

    def look(self, is_empty: bool) -> None:
        """The worker has looked into its queues: they are empty, or it had no threads for more."""
        try:
            if self._is_doubtful:
                self._is_doubtful = self._queue.is_held(_PAGES)
            self._note(not self._is_doubtful and (is_empty or self._queue.waiting(self._queues) == 0))
            if self._is_calm and time.monotonic() > self._counted + _COUNT_EVERY:
                self._counted = time.monotonic()
                self.promised.shares = self._queue.workers(_PAGES) > 1
        except CrawlyardError as error:
            self._note(False)
            log.warning("%s", error.message)

    def _note(self, is_calm: bool) -> None:
        self._is_calm = is_calm
        self.promised.is_open = is_calm and not self._has_ended

    def reserve(self, n: int) -> int:
        """Threads for the successors of `n` tasks: all theirs, none while others wait in the queues."""
        if self._has_ended or not self._is_calm or self._pool is None:
            return 0
        return self._pool.reserve_next(n)

    def offer(self, ended: Sequence[Ended]) -> Hands:
        """What is taken on beside the commit of these."""
        n = sum(isinstance(outcome, Finish) and following is None for outcome, following in ended)
        return self.promised.hands(self.reserve(n) if n else 0, ended)

    def give_up(self, hands: Hands) -> None:
        """These threads are not needed."""
        self._give_back(hands.free)

    def refuse(self, works: Sequence[Work]) -> None:
        """These were begun and will not be started."""
        self.promised.refuse(works)

    def take(self, hands: Hands, result: StepResult, now: int) -> None:
        """Runs what a commit has started; what was begun before is started now."""
        self._give_back(hands.free - len(result.started))
        if result.started:
            self.start(result.started)
        for say in self.promised.settle(hands, result, leases.held_until(now, LEASE), self._tell_started):
            with suppress(Stopped):  # the process ends: its leases run out
                say()

    def _give_back(self, n: int) -> None:
        if self._pool is not None:
            self._pool.give_back(n)

    def start(self, works: Sequence[Work]) -> None:
        """Runs tasks that were started, in threads reserved for them, and tells Redis soon; a worker that stops puts
        them back."""
        runs = [self._running(work, run) for work, run in zip(works, execution_ids(len(works)), strict=True)]
        self._executions.add(runs)
        # before they run: Redis must hear of their starts before it hears of their ends
        self._tell_started(runs)
        if not self._run([Delivery(running, {}, False) for running in runs]):
            for running, work in zip(runs, works, strict=True):
                self._give_back(1)
                self._put_back(running, _dispatch(work))

    def _tell_started(self, runs: Sequence[Running]) -> None:
        self.tell([Started(_dispatch(r.work), r.execution_id) for r in runs if r.work is not None])

    def tell(self, words: Sequence[Word]) -> bool:
        """Tells Redis soon; False where the worker tells it nothing more."""
        return self._teller is not None and self._teller.put(words)

    def _run(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether the pool takes them."""
        if self._pool is None or not self._pool.submit(deliveries):
            return False
        self._pool.hurry()
        return True

    def _made(self, work: Work) -> Running:
        return self._running(work, execution_ids(1)[0])

    @staticmethod
    def _running(work: Work, execution: str) -> Running:
        route = ROUTES[work.kind]
        return Running(
            _dispatch(work).rq_id,
            route.queue,
            execution,
            deadline=time.monotonic() + route.timeout,
            work=work,
            held_until=leases.held_until(work.held_since, LEASE),
        )

    def _put_back(self, running: Running, dispatch: Dispatch) -> None:
        """Untouched, and into the queue."""

        def released(result: Verdict | BaseException) -> None:
            if isinstance(result, Verdict) and result.recorded and not result.put_back:
                self.tell([Queued(dispatch, taken_back=True)])
            # after that: a worker that is idle may stop its teller
            self._executions.leave(running)

        assert running.work is not None
        self._committer.record_then(Release(running.work), released)


def _dispatch(work: Work) -> Dispatch:
    return Dispatch(work.id, work.kind, work.job.ms)
