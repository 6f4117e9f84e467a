"""The scheduler's steps, each repeated at its own pace in its own thread, none ending the others."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.reconcile import reconcile
from shared import analytics, history, queue_ops, schedules
from shared.clock import SECOND, now_us
from shared.errors import CrawlyardError
from shared.measures import STEPS, Measures
from shared.queue import TaskQueue
from shared.stages import Dispatch
from shared.store import Store, blocked, counters, deliveries, holders, order_builds, page_views, retention, sweep

log = logging.getLogger(__name__)

#: a task queued for longer than this should be in Redis
_SETTLED = 3 * SECOND
#: without a look for this long, something was away
_GAP = 8 * SECOND
#: seconds that all steps have together for their ends: each can be repeated
_END_SECONDS = 4.0
#: time to renew a claim after that
_MERCY = 5 * SECOND


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do again and again."""

    name: str
    #: seconds between the end of one run and the start of the next
    every: float
    run: Callable[[], object]


class Loop:
    """Runs steps until it is stopped. An outage is logged and waited out."""

    def __init__(self, steps: list[Step], measures: Measures | None = None) -> None:
        self._measures = measures or Measures()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(s,), name=s.name, daemon=True) for s in steps]

    def start(self) -> None:
        """Starts all steps."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends all steps after what they do now; what a service holds up is left to itself."""
        self._ended.set()
        deadline = time.monotonic() + _END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _repeat(self, step: Step) -> None:
        while True:
            outcome = "failed"
            try:
                step.run()
                outcome = "done"
            except CrawlyardError as error:
                log.warning("%s: %s", step.name, error.message)
            except Exception:  # boundary: a step must be there for the next case
                log.exception("%s failed", step.name)
            self._measures.count(STEPS, (step.name, outcome))
            if self._ended.wait(step.every):
                return


def move_due(store: Store, queue: TaskQueue) -> int:
    """Enqueues the delayed tasks whose time has come; how many."""
    moved = 0
    while sweep.has_due(store, now_us()):
        due = sweep.due(store, now_us())
        queue.enqueue(due, due=True)
        moved += len(due)
        if not due:  # another transaction holds what is due
            break
    return moved


class Recovery:
    """Takes back what dead workers held and enqueues what Redis has lost.

    After an outage of the database, or a start of our own, workers get time to renew their claims before
    anyone is called dead.
    """

    def __init__(self, store: Store, queue: TaskQueue) -> None:
        self._store, self._queue = store, queue
        self._last_good = self._mercy_until = 0

    def __call__(self) -> int:
        """One look; how many tasks were enqueued. Raises StoreUnavailable, QueueUnavailable."""
        now = now_us()
        if now - self._last_good > _GAP:
            self._mercy_until = now + _MERCY
        dead = sweep.expired(self._store, now) if now >= self._mercy_until else []
        self._last_good = now_us()
        return recover(self._store, self._queue, dead)


def recover(store: Store, queue: TaskQueue, dead: list[Dispatch]) -> int:
    """Enqueues what dead workers held and what Redis has lost; how many were enqueued."""
    enqueued = queue.enqueue(dead, taken_back=True)
    before, after = now_us() - _SETTLED, 0
    while batch := sweep.queued_before(store, before, after):
        # due: one that waits by the record is no delay in Redis any more, whoever died before saying so
        enqueued += queue.enqueue(batch, due=True)
        after = batch[-1].task_id
    if enqueued:
        log.info("%d tasks put back into the queue", enqueued)
    return enqueued


def remember_delayed(store: Store, queue: TaskQueue) -> int:
    """Registers delayed tasks that Redis has lost, so that its counts are true; how many there are."""
    seen = after = 0
    while batch := sweep.delayed(store, after):
        for dispatch, at in batch:
            queue.schedule([dispatch], at)
        seen, after = seen + len(batch), batch[-1][0].task_id
    return seen


def dispatch_deliveries(store: Store, queue: TaskQueue) -> int:
    """Enqueues the deliveries of webhooks that are due or were lost; how many."""
    return queue.enqueue_deliveries(deliveries.due(store, now_us()))


def give_up_blocked(store: Store, queue: TaskQueue) -> None:
    """Ends what is left of crawls on hosts that block them."""
    held, claimed = blocked.give_up(store, now_us())
    queue.remove(held)
    queue.enqueue(claimed)


def fold(store: Store) -> None:
    """Moves counts from deltas into rollups until there is nothing to move."""
    while counters.pending(store) and counters.fold(store):
        pass


def steps(store: Store, queue: TaskQueue) -> list[Step]:
    """What the scheduler does beside cron, each in moments."""
    return [
        Step("due", 0.5, lambda: move_due(store, queue)),
        Step("pauses", 1.0, lambda: queue_ops.apply_pauses(store, queue)),
        Step("deliveries", 1.0, lambda: dispatch_deliveries(store, queue)),
        Step("recover", 2.0, Recovery(store, queue)),
        Step("delayed", 15.0, lambda: remember_delayed(store, queue)),
        Step("overdue", 0.5, lambda: schedules.start_overdue(store, queue)),
        Step("waiting", 1.0, lambda: schedules.start_waiting(store, queue)),
        Step("timetable", 60.0, lambda: reconcile(store, queue)),
        Step("blocked", 3.0, lambda: give_up_blocked(store, queue)),
        Step("fold", 1.0, lambda: fold(store)),
        Step("history", history.EVERY, lambda: history.take(queue)),
        Step("reap", 5.0, lambda: queue.reap(time.time())),
        Step("clean", 30.0, queue.clean),
        Step("analytics", 10.0, lambda: analytics.enqueue_due(store, queue)),
    ]


def builds(store: Store, queue: TaskQueue, retention_days: int) -> list[Step]:
    """What takes its time with a large job. Jobs that ended longer ago than `retention_days` are deleted; 0: never."""
    return [
        Step("retention", 600.0, lambda: retention.apply(store, now_us(), retention_days)),
        Step("page views", 5.0, lambda: page_views.tend(store)),
        Step("orders", 5.0, lambda: order_builds.tend(store)),
        Step("holders", 5.0, lambda: holders.tend(store)),
        Step("heal", 30.0, lambda: queue.enqueue(sweep.heal(store, now_us()))),
    ]
