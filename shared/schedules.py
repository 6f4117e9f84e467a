"""Use cases around recurring crawls: create, change, run. SQL first, Redis second.

What the second step does not reach, the sweep (a first task) and the reconciliation (the timetable) make good.
"""

import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from shared import analytics, ids, recurrence, timetable
from shared import jobs as job_cases
from shared.clock import SECOND, now_us
from shared.errors import Conflict, CrawlyardError, Invalid, NotFound, QueueFault, QueueUnavailable, Unavailable
from shared.models import Domain, Due, Schedule
from shared.queue import TaskQueue
from shared.recurrence import Recurrence
from shared.states import Missed, Overlap, RunStatus
from shared.store import Store, idempotency, schedule_runs, schedules
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
        if (after.rule, after.is_paused) != (before.rule, before.is_paused):
            after = _replanned(after, now)
        elif after.jitter != before.jitter:
            after = schedule_runs.planned(after, after.next_run_at, random.random())
        return replace(after, updated_at=now)

    before, after = schedules.change(store, uid, organisation_id, edited)
    _write(queue, put=after.due, remove=before.due)
    return after


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
    fired = _settled(store, queue, found.uid, partial(_fire_once, claim))
    if fired is None or fired.status is RunStatus.SKIPPED:
        raise Conflict("The last run has not ended")
    _go(store, queue, fired)
    return fired.schedule


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
    return _started(store, queue, uid, due, lambda conn, firing: schedule_runs.fire(conn, firing, due))


def start_overdue(store: Store, queue: TaskQueue) -> int:
    """Starts runs that rq-scheduler, Redis or the workers have not brought to their start; how many."""
    due = schedules.due_before(store, now_us() - _OVERDUE)
    return sum(fire(store, queue, run.schedule_uid, run.due) is not None for run in due)


def start_waiting(store: Store, queue: TaskQueue) -> int:
    """Starts runs whose predecessor has ended; how many."""
    ready = schedules.waiting(store)
    return sum(_started(store, queue, uid, due, schedule_runs.fire_waiting) is not None for uid, due in ready)


Step = Callable[[Any, Firing], Fired | None]


def _started(store: Store, queue: TaskQueue, uid: str, due: int, step: Step) -> str | None:
    try:
        fired = _settled(store, queue, uid, step)
    except NotFound:  # deleted meanwhile
        return None
    except Unavailable:
        raise
    except CrawlyardError as error:
        log.warning("schedule %s: the run cannot be started: %s", uid, error.message)
        reason = _readable(error)
        fired = store.write(lambda conn: schedule_runs.fail(conn, _firing(uid), due, reason))
    if fired is None:
        return None
    _go(store, queue, fired)
    is_started = fired.status is RunStatus.STARTED and fired.schedule.last_job is not None
    return fired.schedule.last_job.uid if is_started and fired.schedule.last_job else None


def _settled(store: Store, queue: TaskQueue, uid: str, step: Step) -> Fired | None:
    """Runs a step, after the last run was cancelled where the schedule says so."""
    for _ in range(_CANCELS):
        fired = store.write(lambda conn: step(conn, _firing(uid)))
        if fired is None or fired.status is not None:
            return fired
        _cancel_last(store, queue, fired.schedule)
    raise Conflict("The last run cannot be cancelled")


def _cancel_last(store: Store, queue: TaskQueue, schedule: Schedule) -> None:
    if schedule.last_job is not None:
        with suppress(Conflict, NotFound):  # it has ended by itself
            job_cases.cancel(store, queue, schedule.domain.organisation_id, schedule.last_job.id)


def _go(store: Store, queue: TaskQueue, fired: Fired) -> None:
    """What follows a recorded run: nothing of it may be needed for the run to happen.

    What is to precede a scheduled crawl (a look at its page views) is enqueued here, before its first task.
    """
    if fired.dispatch is not None:
        with suppress(Unavailable):
            analytics.refresh_soon(store, queue, fired.schedule.domain)
        job_cases.dispatch(queue, fired.dispatch, None)
    _write(queue, put=fired.schedule.due)


def _firing(uid: str) -> Firing:
    return Firing(uid, now_us(), random.random())


def _readable(error: CrawlyardError) -> str:
    details = "; ".join(f"{field} {message}" for field, message in error.details) if isinstance(error, Invalid) else ""
    return details or error.message


def _write(queue: TaskQueue, put: Due | None = None, remove: Due | None = None) -> None:
    """Corrects the timetable, as far as Redis is there."""
    gone = [timetable.entry(remove)] if remove is not None else []
    try:
        timetable.write(queue, [put] if put is not None else [], gone)
    except (QueueUnavailable, QueueFault) as error:
        log.warning("the timetable is not written, but reconciled every minute: %s", error.message)
