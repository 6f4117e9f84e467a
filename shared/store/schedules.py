"""Recurring crawls: create, load, list, change, delete. Their runs: `schedule_runs.py`."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, true, update

from shared import ids
from shared.errors import NotFound
from shared.models import Domain, Due, LastJob, Schedule
from shared.recurrence import Recurrence
from shared.states import JobState, Missed, Overlap, RunStatus
from shared.store import idempotency
from shared.store.engine import Store
from shared.store.idempotency import Claim
from shared.store.schedule_tables import schedule_runs, schedules
from shared.store.tables import domains, jobs

_S = schedules.c
_LOADED = (
    select(
        schedules,
        domains.c.uid.label("d_uid"),
        domains.c.ms.label("d_ms"),
        domains.c.host.label("d_host"),
        domains.c.created_at.label("d_created_at"),
        jobs.c.created_at.label("j_created_at"),
        jobs.c.state.label("j_state"),
    )
    .join(domains, domains.c.id == _S.domain_id)
    .outerjoin(jobs, jobs.c.id == _S.last_job_id)
)


def create(store: Store, schedule: Schedule, claim: Claim | None) -> Schedule:
    """Stores a new schedule (its id is not looked at); as it is stored.

    Where an earlier request with the same key has made one, that one. Raises NotFound when that is deleted.
    """

    def step(conn: Connection) -> Schedule:
        earlier = idempotency.made(conn, claim)
        if earlier is not None:
            return _load(conn, _S.id == earlier)
        new = {
            "uid": schedule.uid,
            "organisation_id": schedule.domain.organisation_id,
            "created_at": schedule.created_at,
        }
        made = insert(schedules).values({**new, "domain_id": schedule.domain.id, **_values(schedule)})
        number = conn.execute(made.returning(_S.id)).scalar_one()
        idempotency.note(conn, claim, number)
        return _load(conn, _S.id == number)

    return store.write(step)


def get(store: Store, uid: str, organisation_id: int) -> Schedule:
    """A schedule by its public id in either spelling. Raises NotFound."""
    with store.read() as conn:
        return _load(conn, _owned(uid, organisation_id))


def page(
    store: Store, organisation_id: int, domain_id: int | None, limit: int, offset: int
) -> tuple[list[Schedule], int]:
    """Schedules of an organisation, or of one domain of it, newest first, and how many there are."""
    mine = and_(_S.organisation_id == organisation_id, true() if domain_id is None else _S.domain_id == domain_id)
    with store.snapshot() as conn:
        total = conn.execute(select(func.count()).select_from(schedules).where(mine)).scalar_one()
        found = conn.execute(_LOADED.where(mine).order_by(_S.id.desc()).limit(limit).offset(offset))
        return [_schedule(row) for row in found], total


def upcoming(store: Store, organisation_id: int, limit: int) -> list[Schedule]:
    """The schedules of an organisation that run next, the first first."""
    mine = (_S.organisation_id == organisation_id, _S.next_run_at.is_not(None))
    with store.read() as conn:
        found = conn.execute(_LOADED.where(*mine).order_by(_S.next_run_at, _S.id).limit(limit))
        return [_schedule(row) for row in found]


def change(
    store: Store, uid: str, organisation_id: int, edit: Callable[[Schedule], Schedule]
) -> tuple[Schedule, Schedule]:
    """Changes a schedule while no run of it can begin; before and after. Raises NotFound and what `edit` raises."""

    def step(conn: Connection) -> tuple[Schedule, Schedule]:
        before = locked(conn, _owned(uid, organisation_id))
        after = edit(before)
        save(conn, after)
        if after.waiting_due is None and before.waiting_due is not None:
            run = (schedule_runs.c.schedule_id == before.id, schedule_runs.c.due_at == before.waiting_due)
            conn.execute(update(schedule_runs).where(*run).values(status=RunStatus.SKIPPED))
        return before, after

    return store.write(step)


def remove(store: Store, uid: str, organisation_id: int) -> Schedule:
    """Deletes a schedule with the record of its runs; its jobs stay. Raises NotFound."""

    def step(conn: Connection) -> Schedule:
        gone = locked(conn, _owned(uid, organisation_id))
        _delete(conn, [gone.id])
        return gone

    return store.write(step)


def remove_of_domain(conn: Connection, domain_id: int) -> None:
    """Deletes the schedules of a domain."""
    _delete(conn, list(conn.execute(select(_S.id).where(_S.domain_id == domain_id)).scalars()))


def forget_job(conn: Connection, job_no: int) -> None:
    """A job is deleted: SQLite may give its number to another one."""
    conn.execute(update(schedules).where(_S.last_job_id == job_no).values(last_job_id=None))
    conn.execute(update(schedule_runs).where(schedule_runs.c.job_id == job_no).values(job_id=None))


def timetable(store: Store) -> list[Due]:
    """The next run of each schedule that is not paused."""
    with store.read() as conn:
        return _dues(conn, _S.fire_at.is_not(None))


def due_before(store: Store, moment: int, limit: int = 100) -> list[Due]:
    """Runs that should have been started before a moment, the longest overdue first."""
    with store.read() as conn:
        return _dues(conn, _S.fire_at < moment, limit)


def waiting(store: Store, limit: int = 100) -> list[tuple[str, int]]:
    """Schedules with a run that waits for the last one, which has ended by now; and when the run was due."""
    query = (
        select(_S.uid, _S.waiting_due)
        .outerjoin(jobs, jobs.c.id == _S.last_job_id)
        .where(_S.waiting_due.is_not(None), func.coalesce(jobs.c.state, 0).not_in((3, 5)))
    )
    with store.read() as conn:
        return [(row.uid, row.waiting_due) for row in conn.execute(query.limit(limit))]


def _dues(conn: Connection, which: Any, limit: int | None = None) -> list[Due]:
    query = select(_S.uid, _S.next_run_at, _S.fire_at).join(domains, domains.c.id == _S.domain_id).where(which)
    return [Due(row.uid, row.next_run_at, row.fire_at) for row in conn.execute(query.order_by(_S.fire_at).limit(limit))]


def locked(conn: Connection, which: Any) -> Schedule:
    """A schedule whose row nobody else changes until the transaction ends. Raises NotFound."""
    # first the lock, then the read: what it waited for is in the answer
    conn.execute(select(_S.id).where(which).with_for_update())
    return _load(conn, which)


def by_uid(uid: str) -> Any:
    """The condition that names a schedule, whoever owns it."""
    return _S.uid == uid


def _owned(uid: str, organisation_id: int) -> Any:
    return and_(_S.uid == str(ids.parse_uuid(uid)), _S.organisation_id == organisation_id)


def _load(conn: Connection, which: Any) -> Schedule:
    row = conn.execute(_LOADED.where(which)).first()
    if row is None:
        raise NotFound("Schedule not found")
    return _schedule(row)


def save(conn: Connection, schedule: Schedule) -> None:
    """Writes what can change of a schedule."""
    conn.execute(update(schedules).where(_S.id == schedule.id).values(_values(schedule)))


def _values(s: Schedule) -> dict[str, Any]:
    return {
        "cron": s.rule.cron,
        "interval_hours": s.rule.interval_hours,
        "timezone": s.rule.zone,
        "options": s.options,
        "overlap": s.overlap,
        "missed": s.missed,
        "jitter": s.jitter,
        "paused": int(s.is_paused),
        "next_run_at": s.next_run_at,
        "fire_at": s.fire_at,
        "waiting_due": s.waiting_due,
        "last_run_at": s.last_run_at,
        "last_status": s.last_status,
        "last_error": s.last_error,
        "last_job_id": s.last_job.id if s.last_job else None,
        "updated_at": s.updated_at,
    }


def _schedule(row: Any) -> Schedule:
    return Schedule(
        id=row.id,
        uid=row.uid,
        domain=Domain(row.domain_id, row.d_uid, row.d_ms, row.organisation_id, row.d_host, row.d_created_at),
        rule=Recurrence(row.cron, row.timezone, row.interval_hours),
        options=row.options,
        overlap=Overlap(row.overlap),
        missed=Missed(row.missed),
        jitter=row.jitter,
        is_paused=bool(row.paused),
        next_run_at=row.next_run_at,
        fire_at=row.fire_at,
        waiting_due=row.waiting_due,
        last_run_at=row.last_run_at,
        last_status=None if row.last_status is None else RunStatus(row.last_status),
        last_error=row.last_error,
        last_job=_last_job(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _last_job(row: Any) -> LastJob | None:
    if row.j_state is None:
        return None
    uid = ids.encode(ids.Kind.JOB, row.j_created_at // 1000, row.last_job_id)
    return LastJob(row.last_job_id, str(uid), JobState(row.j_state))


def _delete(conn: Connection, numbers: Sequence[int]) -> None:
    conn.execute(delete(schedule_runs).where(schedule_runs.c.schedule_id.in_(numbers)))
    conn.execute(delete(schedules).where(_S.id.in_(numbers)))
