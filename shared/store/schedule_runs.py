"""The runs of recurring crawls. One transaction decides a run, starts its job and moves the schedule on.

A run is named by its schedule and its due time, so whoever comes twice, late or at the same time as another
finds that it is done: the schedule's row is locked, its due time compared, and (schedule, due) is a key.
"""

from dataclasses import dataclass, replace

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from shared import recurrence
from shared.clock import SECOND, iso
from shared.errors import Invalid
from shared.models import JobOptions, LastJob, Schedule
from shared.recurrence import Situation
from shared.stages import Dispatch
from shared.states import JobState, RunStatus, TaskKind
from shared.store import events, jobs, schedules
from shared.store.engine import Store
from shared.store.schedule_tables import schedule_runs

_R = schedule_runs.c
#: how far the clocks of two machines may be apart
_SKEW = 2 * SECOND
#: how long the record of a run is kept
KEPT = 90 * 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of firing a run."""

    #: the schedule, moved on
    schedule: Schedule
    #: None: the last run has to be cancelled first
    status: RunStatus | None
    #: the first task of the job that was started
    dispatch: Dispatch | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """A run to be fired. Times in microseconds."""

    schedule_uid: str
    now: int
    #: the chance in the jitter of the run after this one, 0 to 1
    fraction: float


def fire(conn: Connection, firing: Firing, due: int) -> Fired | None:
    """Decides and starts the run of `due`; None: that is not the next one any more, or not yet due.

    Raises NotFound when the schedule is deleted.
    """
    found = schedules.locked(conn, schedules.by_uid(firing.schedule_uid))
    if found.next_run_at != due or (found.fire_at or 0) > firing.now + _SKEW:
        return None
    if _is_done(conn, found, due):
        return _moved_on(conn, found, firing, due)
    late = recurrence.is_late(found.fire_at or due, firing.now)
    missed = recurrence.passed(found.rule, due, firing.now) if late else 0
    situation = Situation(missed, found.is_busy, found.waiting_due is not None)
    status = recurrence.decide(situation, found.missed, found.overlap)
    if status is None:
        return Fired(found, None)
    if missed:
        _tell(conn, found, due, missed, status)
    return _record(conn, advanced(found, firing.now, firing.fraction), firing, due, status, missed)


def fire_now(conn: Connection, firing: Firing) -> Fired:
    """Starts a run by request, beside those that are due. Raises NotFound."""
    found = schedules.locked(conn, schedules.by_uid(firing.schedule_uid))
    situation = Situation(0, found.is_busy, found.waiting_due is not None)
    status = recurrence.decide(situation, found.missed, found.overlap)
    if status in (None, RunStatus.SKIPPED):
        return Fired(found, status)
    return _record(conn, found, firing, firing.now, status, 0)


def fire_waiting(conn: Connection, firing: Firing) -> Fired | None:
    """Starts the run that waited for the last one; None: there is none, or it still has to. Raises NotFound."""
    found = schedules.locked(conn, schedules.by_uid(firing.schedule_uid))
    if found.waiting_due is None or found.is_busy:
        return None
    due, free = found.waiting_due, replace(found, waiting_due=None)
    return _start(conn, free, firing, due, 0, is_new=False)


def fail(conn: Connection, firing: Firing, due: int, reason: str) -> Fired | None:
    """Notes that a run could not be started, and moves on to the next one. None: somebody else has dealt with it."""
    found = schedules.locked(conn, schedules.by_uid(firing.schedule_uid))
    if due not in (found.next_run_at, found.waiting_due):
        return None
    if due == found.waiting_due:
        conn.execute(update(schedule_runs).where(_run(found, due)).values(status=RunStatus.FAILED))
        after = replace(found, waiting_due=None)
    else:
        if not _is_done(conn, found, due):
            _insert(conn, found, due, firing.now, RunStatus.FAILED, 0)
        after = _advanced_if_possible(found, firing)
    noted = replace(after, last_run_at=firing.now, last_status=RunStatus.FAILED, last_error=reason)
    schedules.save(conn, noted)
    return Fired(noted, RunStatus.FAILED)


def purge(store: Store, now: int) -> None:
    """Deletes the record of old runs."""
    store.write(lambda conn: conn.execute(delete(schedule_runs).where(_R.created_at < now - KEPT)))


def advanced(schedule: Schedule, now: int, fraction: float) -> Schedule:
    """The schedule after the run that is next by now."""
    due = schedule.next_run_at
    after = None if due is None else recurrence.following(schedule.rule, due, now)
    return planned(schedule, after, fraction)


def _advanced_if_possible(schedule: Schedule, firing: Firing) -> Schedule:
    try:
        return advanced(schedule, firing.now, firing.fraction)
    except Invalid:  # a zone that a newer zone database has not any more
        return planned(schedule, None, 0)


def options_of(schedule: Schedule) -> JobOptions:
    """What the jobs of a schedule are to do. Raises Invalid for options that are none any more."""
    try:
        given = orjson.loads(schedule.options)
        return JobOptions.from_dict({**given, "source_type": "scheduler", "source_detail": "recurring"})
    except (TypeError, ValueError) as error:
        raise Invalid(f"The options of the crawl are not valid: {str(error)[:200]}") from error


def planned(schedule: Schedule, due: int | None, fraction: float) -> Schedule:
    """The schedule with its next run due then; None: it has none."""
    fire_at = None if due is None else recurrence.jittered(schedule.rule, due, schedule.jitter, fraction)
    return replace(schedule, next_run_at=due, fire_at=fire_at)


def _record(conn: Connection, schedule: Schedule, firing: Firing, due: int, status: RunStatus, missed: int) -> Fired:
    if status is RunStatus.STARTED:
        return _start(conn, schedule, firing, due, missed)
    _insert(conn, schedule, due, firing.now, status, missed)
    waits = due if status is RunStatus.WAITING else schedule.waiting_due
    noted = replace(schedule, last_run_at=firing.now, last_status=status, last_error=None, waiting_due=waits)
    schedules.save(conn, noted)
    return Fired(noted, status)


def _start(conn: Connection, schedule: Schedule, firing: Firing, due: int, missed: int, is_new: bool = True) -> Fired:
    now = firing.now
    job_no, task_id = jobs.create(conn, schedule.domain, options_of(schedule), now, jobs.FirstTask())
    job = jobs.load(conn, [job_no])[job_no]
    if is_new:
        _insert(conn, schedule, due, now, RunStatus.STARTED, missed, job_no)
    else:
        values = {"status": RunStatus.STARTED, "job_id": job_no}
        conn.execute(update(schedule_runs).where(_run(schedule, due)).values(values))
    last = LastJob(job_no, job.uid, JobState.CREATED)
    noted = replace(schedule, last_run_at=now, last_status=RunStatus.STARTED, last_error=None, last_job=last)
    schedules.save(conn, noted)
    return Fired(noted, RunStatus.STARTED, Dispatch(task_id, TaskKind.DISCOVER_PAGES, job.ms))


def _moved_on(conn: Connection, schedule: Schedule, firing: Firing, due: int) -> Fired:
    """A clock that was set back has led to a run that was there already."""
    after = planned(schedule, recurrence.following(schedule.rule, due, due), firing.fraction)
    schedules.save(conn, after)
    return Fired(after, RunStatus.SKIPPED)


def _is_done(conn: Connection, schedule: Schedule, due: int) -> bool:
    return conn.execute(select(_R.due_at).where(_run(schedule, due))).first() is not None


def _run(schedule: Schedule, due: int) -> ColumnElement[bool]:
    return and_(_R.schedule_id == schedule.id, _R.due_at == due)


def _insert(
    conn: Connection, schedule: Schedule, due: int, now: int, status: RunStatus, missed: int, job: int | None = None
) -> None:
    values = {"schedule_id": schedule.id, "due_at": due, "status": status, "missed": missed, "job_id": job}
    conn.execute(insert(schedule_runs).values(**values, created_at=now))


def _tell(conn: Connection, schedule: Schedule, due: int, missed: int, status: RunStatus) -> None:
    told = {
        "schedule_id": schedule.uid,
        "domain": schedule.domain.host,
        "due_at": iso(due),
        "missed": missed,
        "caught_up": status in (RunStatus.STARTED, RunStatus.WAITING),
    }
    events.emit(conn, schedule.domain.organisation_id, events.SCHEDULE_MISSED, told)
