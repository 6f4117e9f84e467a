"""Use cases around recurring crawls: create, change, run. SQL first, Redis second.

What the second step does not reach, the sweep (a first task) and the reconciliation (the timetable) make good.
"""

import logging
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shared import analytics, ids, recurrence, timetable
from shared.clock import SECOND, now_us
from shared.errors import (
    Conflict,
    CrawlyardError,
    Invalid,
    NotFound,
    QueueFault,
    QueueUnavailable,
    StoreUnavailable,
    Unavailable,
)
from shared.models import Domain, Due, Schedule
from shared.queue import TaskQueue
from shared.recurrence import Recurrence
from shared.stages import Dispatch
from shared.states import Missed, Overlap, RunStatus
from shared.store import Store, idempotency, jobs, schedule_runs, schedules
from shared.store.idempotency import Claim
from shared.store.schedule_runs import Fired, Firing

log = logging.getLogger(__name__)

#: a run that rq-scheduler has not brought to its start after this is started by the record alone
_OVERDUE = 1 * SECOND
#: a last run that ends is followed by another one at most
_CANCELS = 5


def new(domain: Domain, rule: Recurrence, options: str) -> Schedule:
    """A schedule as it is without further wishes; not stored yet. Raises Invalid for a wrong rule."""
    now = now_us()
    recurrence.check(rule, now)
    fresh = Schedule(
        id=0,
        uid=str(ids.new_uuid()),
        domain=domain,
        rule=rule,
        options=options,
        overlap=Overlap.SKIP,
        missed=Missed.ONE,
        jitter=0,
        is_paused=False,
        next_run_at=None,
        fire_at=None,
        waiting_due=None,
        last_run_at=None,
        last_status=None,
        last_error=None,
        last_job=None,
        created_at=now,
        updated_at=now,
    )
    return _replanned(fresh, now)


def create(store: Store, queue: TaskQueue, schedule: Schedule, claim: Claim | None = None) -> Schedule:
    """Stores a schedule that `new` made, once for a key. Raises NotFound when its domain is gone."""
    made = schedules.create(store, _replanned(schedule, now_us()), claim)
    _write(queue, put=made.due)
    return made


def change(
    store: Store, queue: TaskQueue, organisation_id: int, uid: str, edit: Callable[[Schedule], Schedule]
) -> Schedule:
    """Changes a schedule; the runs that follow are of the new one. Raises NotFound, Invalid."""

    def edited(before: Schedule) -> Schedule:
        now, after = now_us(), edit(before)
        recurrence.check(after.rule, now)
        if (_beat(after.rule), after.is_paused) != (_beat(before.rule), before.is_paused):
            after = _replanned(after, now)
        elif after.jitter != before.jitter:
            after = schedule_runs.planned(after, after.next_run_at, random.random())
        return replace(after, updated_at=now)

    before, after = schedules.change(store, uid, organisation_id, edited)
    _write(queue, put=after.due, remove=before.due)
    return after


def _beat(rule: Recurrence) -> Recurrence:
    """What of a rule decides when it is due: the zone of an interval is only shown."""
    return replace(rule, zone="") if rule.cron is None else rule


def _replanned(schedule: Schedule, now: int) -> Schedule:
    """The schedule as it goes on from now."""
    if schedule.is_paused:
        return replace(schedule, next_run_at=None, fire_at=None, waiting_due=None)
    return schedule_runs.planned(schedule, recurrence.first(schedule.rule, now), random.random())


def remove(store: Store, queue: TaskQueue, organisation_id: int, uid: str) -> Schedule:
    """Deletes a schedule; its jobs go on. Raises NotFound."""
    gone = schedules.remove(store, uid, organisation_id)
    _write(queue, remove=gone.due)
    return gone


def run_now(store: Store, queue: TaskQueue, organisation_id: int, uid: str, claim: Claim | None = None) -> Schedule:
    """Starts a run at once, paused or not, one for a key; it waits where the schedule says so.

    Raises NotFound, Conflict where the last run still goes and the schedule skips then, Invalid.
    """
    found = schedules.get(store, uid, organisation_id)
    run = _settled(store, found.uid, partial(_fire_once, claim))
    if run.fired is None or run.fired.status is RunStatus.SKIPPED:
        raise Conflict("The last run has not ended")
    _go(store, queue, [run])
    return run.fired.schedule


def _fire_once(claim: Claim | None, conn: Any, firing: Firing) -> Fired | None:
    if idempotency.made(conn, claim) is not None:
        return Fired(schedules.locked(conn, schedules.by_uid(firing.schedule_uid)), RunStatus.STARTED)
    fired = schedule_runs.fire_now(conn, firing)
    if fired is not None and fired.status not in (None, RunStatus.SKIPPED):
        idempotency.note(conn, claim, fired.schedule.id)
    return fired


def fire(store: Store, queue: TaskQueue, uid: str, due: int) -> str | None:
    """Starts the run of `due` (microseconds), once, whoever asks how often; its job's public id, None without one.

    Raises StoreUnavailable. Whatever else prevents the start is noted on the schedule, which goes on.
    """
    run = _recorded(store, uid, due, _firing_of(due))
    _go(store, queue, [run])
    return run.started


def start_overdue(store: Store, queue: TaskQueue) -> int:
    """Starts runs that rq-scheduler, Redis or the workers have not brought to their start; how many."""
    due = schedules.due_before(store, now_us() - _OVERDUE)
    return _start_all(store, queue, [(run.schedule_uid, run.due, _firing_of(run.due)) for run in due])


def start_waiting(store: Store, queue: TaskQueue) -> int:
    """Starts runs whose predecessor has ended; how many."""
    ready = schedules.waiting(store)
    return _start_all(store, queue, [(uid, due, schedule_runs.fire_waiting) for uid, due in ready])


Step = Callable[[Any, Firing], Fired | None]


@dataclass(frozen=True, slots=True)
class _Settled:
    """What came of a run in the record, and what Redis may still hold of the one that was cancelled for it."""

    fired: Fired | None = None
    held: Sequence[Dispatch] = ()

    @property
    def started(self) -> str | None:
        """The public id of the job that was started."""
        if self.fired is None or self.fired.status is not RunStatus.STARTED or self.fired.schedule.last_job is None:
            return None
        return self.fired.schedule.last_job.uid


def _firing_of(due: int) -> Step:
    return lambda conn, firing: schedule_runs.fire(conn, firing, due)


def _start_all(store: Store, queue: TaskQueue, runs: Iterable[tuple[str, int, Step]]) -> int:
    """All on record first: a Redis that hangs would keep the later ones waiting until they count as missed."""
    done: list[_Settled] = []
    try:
        for uid, due, step in runs:
            done.append(_recorded(store, uid, due, step))
    finally:
        _go(store, queue, done)
    return sum(run.started is not None for run in done)


def _recorded(store: Store, uid: str, due: int, step: Step) -> _Settled:
    try:
        return _settled(store, uid, step)
    except NotFound:  # deleted meanwhile
        return _Settled()
    except Unavailable:
        raise
    except Exception as error:  # boundary: a fault must not keep a schedule, nor those after it, from what comes next
        reason = _told(uid, error)
        return _Settled(store.write(lambda conn: schedule_runs.fail(conn, _firing(uid), due, reason)))


def _settled(store: Store, uid: str, step: Step) -> _Settled:
    """Runs a step, after the last run was cancelled where the schedule says so."""
    held: list[Dispatch] = []
    for _ in range(_CANCELS):
        fired = store.write(lambda conn: step(conn, _firing(uid)))
        if fired is None or fired.status is not None:
            return _Settled(fired, held)
        if fired.schedule.last_job is not None:
            with suppress(Conflict, NotFound):  # it has ended by itself
                held += jobs.cancel(store, fired.schedule.last_job.id, now_us())
    raise Conflict("The last run cannot be cancelled")


def _go(store: Store, queue: TaskQueue, runs: Sequence[_Settled]) -> None:
    """What follows recorded runs: nothing of it may be needed for them to happen.

    Redis is asked no more after its first failure: the sweep and the reconciliation make good what it does not hear.
    """
    viewed = [run.fired is not None and run.fired.dispatch is not None and _hasten(store, run.fired) for run in runs]
    try:
        for run, has_views in zip(runs, viewed, strict=True):
            _tell(store, queue, run, has_views)
    except (QueueUnavailable, QueueFault) as error:
        log.warning("recurring crawls are recorded while Redis is away, and enqueued later: %s", error.message)


def _hasten(store: Store, fired: Fired) -> bool:
    with suppress(Unavailable):
        return analytics.hasten(store, fired.schedule.domain)
    return False


def _tell(store: Store, queue: TaskQueue, run: _Settled, has_views: bool) -> None:
    """Enqueues a run's first task, after the look at its domain's page views, and plans the next run."""
    if run.held:
        queue.remove(run.held)
    if run.fired is None:
        return
    if run.fired.dispatch is not None:
        with suppress(StoreUnavailable):
            if has_views:
                analytics.enqueue(store, queue, run.fired.schedule.domain)
        queue.enqueue([run.fired.dispatch])
    if run.fired.schedule.due is not None:
        timetable.write(queue, [run.fired.schedule.due])


def _firing(uid: str) -> Firing:
    return Firing(uid, now_us(), random.random())


def _told(uid: str, error: Exception) -> str:
    """Why a run cannot be started, for its owner; the operator reads it in the log."""
    if not isinstance(error, CrawlyardError):
        log.exception("schedule %s: the run broke", uid)
        return f"Internal error: {type(error).__name__}"
    log.warning("schedule %s: the run cannot be started: %s", uid, error.message)
    details = "; ".join(f"{field} {message}" for field, message in error.details) if isinstance(error, Invalid) else ""
    return details or error.message


def _write(queue: TaskQueue, put: Due | None = None, remove: Due | None = None) -> None:
    """Corrects the timetable, as far as Redis is there."""
    gone = [timetable.entry(remove)] if remove is not None else []
    try:
        timetable.write(queue, [put] if put is not None else [], gone)
    except (QueueUnavailable, QueueFault) as error:
        log.warning("the timetable is not written, but reconciled every minute: %s", error.message)
