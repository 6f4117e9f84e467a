"""Group commit: one thread per process says to the store all that its tasks have to say at a moment.

A task waits for its own part and nothing else. Batches form by themselves while a commit runs; only
under load does the committer linger, to make groups larger where the CPU is what is short.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from shared.clock import SECOND, now_us
from shared.errors import CrawlyardError, QueueUnavailable, StoreUnavailable
from shared.measures import COMMIT_SECONDS, COMMITTED, Measures
from shared.queue import TaskQueue
from shared.stages import Admission, Hands, Outcome, Verdict, Work
from shared.store import Store, step
from shared.store.step import StepResult
from workers.words import Queued, Word

log = logging.getLogger(__name__)

#: how long an admitted task is held without renewal
LEASE = 10 * SECOND
_MOST = 64
#: longest time that a busy committer waits for company, in seconds
_LINGER = 0.01
#: seconds that outcomes wait for company whose places are taken already
_PATIENCE = 0.02
#: items a second above which lingering pays
_BUSY = 140.0
#: seconds between two looks whether an admission is still wanted
_LOOK = 0.5


class Stopped(CrawlyardError):
    """The worker is stopping and takes nothing more."""


class Taker(Protocol):
    """Runs the tasks that a commit has started, in the threads of those that ended."""

    def offer(self, ended: Sequence[tuple[Outcome, Work | None]]) -> Hands:
        """What it takes on beside the commit of these outcomes, each with the task begun in its place."""

    def take(self, hands: Hands, result: StepResult, now: int) -> None:
        """Runs what that commit has started, at `now` in microseconds. Must not raise."""

    def give_up(self, hands: Hands) -> None:
        """There was no such commit; another one may come."""

    def refuse(self, works: Sequence[Work]) -> None:
        """These were begun and will not be started."""

    def tell(self, words: Sequence[Word]) -> bool:
        """Tells Redis soon; False where it does not. Must not raise."""


@dataclass(frozen=True, slots=True)
class _Item:
    what: Admission | Outcome
    #: called in the committing thread with the Work, the Verdict or the error
    done: Callable[[Any], None]
    #: the promised task that has begun in its place: nobody waits for the commit
    followed_by: Work | None = None


class Committer(threading.Thread):
    """The committing thread. Start it, hand it items from any thread, stop it when all tasks have ended."""

    def __init__(
        self,
        store: Store,
        queue: TaskQueue,
        lease: int = LEASE,
        clock: Callable[[], int] = now_us,
        measures: Measures | None = None,
        crowded: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """`crowded` names the hosts that are to be waited for."""
        super().__init__(name="committer", daemon=True)
        self._store, self._queue, self._lease, self._clock = store, queue, lease, clock
        self._measures = measures or Measures()
        self._crowded = crowded
        self._items: deque[_Item] = deque()
        self._wake = threading.Condition()
        #: whether somebody waits for the next commit
        self._hurries = False
        self._stopping = False
        self._rate, self._last, self._cost = 0.0, time.monotonic(), 0.0
        self._taker: Taker | None = None
        #: name of the process, kept with the attempts
        self.worker: str | None = None

    def hand_to(self, taker: Taker) -> None:
        """From here on it is asked to take the tasks that follow those recorded."""
        self._taker = taker

    def admit(self, admissions: Sequence[Admission], unless: Callable[[], bool] = lambda: False) -> list[Work | None]:
        """Asks to run tasks; None for each that is not to be run (cancelled, ended, running elsewhere).

        Waits, through an outage too, but not once `unless` holds. Raises Stopped then, and when the committer
        has been stopped, and StoreUnavailable when it is stopped meanwhile.
        """
        futures = [self._future(a) for a in admissions]
        return [self._result(future, unless) for future in futures]

    @staticmethod
    def _result(future: "Future[Any]", unless: Callable[[], bool]) -> Any:
        while True:
            try:
                return future.result(_LOOK)
            except NotYet:
                if unless() and future.cancel():
                    raise Stopped from None

    def record(self, outcome: Outcome) -> Verdict:
        """Records what became of a task; returns when that is durable. Raises as `admit`."""
        verdict: Verdict = self._future(outcome).result()
        return verdict

    def record_then(
        self, outcome: Outcome, done: Callable[[Verdict | BaseException], None], followed_by: Work | None = None
    ) -> None:
        """Records an outcome and calls `done`, in the committing thread, when that is durable or has failed.

        `followed_by` is the promised task that was begun in the place of this one, for its taker.
        """
        self._put(_Item(outcome, done, followed_by))

    def _future(self, what: Admission | Outcome) -> "Future[Any]":
        future: Future[Any] = Future()
        self._put(_Item(what, lambda result: _settle(future, result)))
        return future

    def _put(self, item: _Item) -> None:
        with self._wake:
            if self._stopping:
                raise Stopped
            self._items.append(item)
            hurries = item.followed_by is None and not self._hurries
            self._hurries = self._hurries or hurries
            if hurries or len(self._items) == 1 or len(self._items) >= _MOST:
                self._wake.notify()

    def stop(self, seconds: float | None = None) -> None:
        """Commits what is there, then ends the thread; waits no longer than that for a database that hangs."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self.join(seconds)

    def run(self) -> None:
        """The thread's loop."""
        while batch := self._next():
            started = time.monotonic()
            self._commit_or_split(batch)
            self._cost = time.monotonic() - started
            self._measures.observe(COMMIT_SECONDS, self._cost)
            self._measures.count(COMMITTED, n=len(batch))

    def _next(self) -> list[_Item]:
        with self._wake:
            while not self._items and not self._stopping:
                self._wake.wait()
            self._wake.wait_for(lambda: self._hurries or len(self._items) >= _MOST or self._stopping, _PATIENCE)
            if self._rate > _BUSY and len(self._items) < _MOST and not self._stopping:
                self._wake.wait_for(lambda: len(self._items) >= _MOST or self._stopping, min(_LINGER, 2 * self._cost))
            batch = [self._items.popleft() for _ in range(min(len(self._items), _MOST))]
            self._hurries = any(item.followed_by is None for item in self._items)
        self._measure(len(batch))
        return batch

    def _measure(self, n: int) -> None:
        now = time.monotonic()
        passed = max(now - self._last, 1e-4)
        self._last = now
        # moving average over about half a second
        weight = min(1.0, passed * 2)
        self._rate += weight * (n / passed - self._rate)

    def _commit_or_split(self, batch: list[_Item]) -> None:
        """One item that cannot be committed must not fail its neighbours: then each goes alone."""
        try:
            self._commit(batch)
        except Exception as error:  # boundary: the thread must outlive any item
            if len(batch) == 1:
                log.exception("an item cannot be committed")
                if self._taker and batch[0].followed_by is not None:
                    self._taker.refuse([batch[0].followed_by])
                batch[0].done(error)
                return
            for item in batch:
                self._commit_or_split([item])

    def _commit(self, batch: Sequence[_Item]) -> None:
        admissions = [i for i in batch if isinstance(i.what, Admission)]
        outcomes = [i for i in batch if not isinstance(i.what, Admission)]
        result = self._handed(admissions, outcomes)
        self._dispatch(result)
        for item, work in zip(admissions, result.works, strict=True):
            item.done(work)
        for item, verdict in zip(outcomes, result.verdicts, strict=True):
            item.done(verdict)

    def _handed(self, admissions: Sequence[_Item], outcomes: Sequence[_Item]) -> StepResult:
        """Commits, and hands over what was started."""
        tried: list[int] = []
        taker = self._taker if outcomes else None
        # `what` is an Outcome in each
        ended: list[tuple[Any, Work | None]] = [(i.what, i.followed_by) for i in outcomes]
        hands = taker.offer(ended) if taker else None
        result: StepResult | None = None
        try:
            result = self._patiently(lambda: self._try(admissions, outcomes, tried, hands))
        finally:
            if taker and hands and result is None:
                taker.give_up(hands)
        if taker and hands:
            taker.take(hands, result, tried[-1])
        return result

    def _try(
        self, admissions: Sequence[_Item], outcomes: Sequence[_Item], tried: list[int], hands: Hands | None
    ) -> StepResult:
        now, earlier = self._clock(), tuple(tried)
        tried.append(now)
        return step.run(
            self._store,
            [i.what for i in admissions],  # type: ignore[misc]
            [i.what for i in outcomes],  # type: ignore[misc]
            now,
            self._lease,
            self._crowded(),
            earlier,
            hands,
            self.worker,
        )

    def _patiently(self, commit: Callable[[], StepResult]) -> StepResult:
        """Rides out a database that is away; gives up only when the worker stops."""
        wait = 0.1
        while True:
            try:
                return commit()
            except StoreUnavailable as error:
                if self._stopping:
                    raise
                log.warning("%s: again in %.1f s", error.message, wait)
            with self._wake:
                self._wake.wait_for(lambda: self._stopping, wait)
            wait = min(wait * 2, 2.0)

    def _dispatch(self, result: StepResult) -> None:
        if not result.dispatches or (self._taker and self._taker.tell([Queued(d) for d in result.dispatches])):
            return
        try:
            self._queue.enqueue(result.dispatches)
        except QueueUnavailable as error:
            log.warning("%s: the sweep will enqueue %d tasks", error.message, len(result.dispatches))


def _settle(future: "Future[Any]", result: Any) -> None:
    with suppress(InvalidStateError):  # nobody waits any more: an admission's lease runs out
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
