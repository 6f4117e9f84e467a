"""What time brings: due retries, expired leases, lost enqueues. The store decides, Redis is told."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update

from shared import ids
from shared.models import Job
from shared.stages import Dispatch, Fetched, Finish, Work
from shared.states import TaskKind, TaskState
from shared.store import jobs
from shared.store.among import among
from shared.store.engine import Store
from shared.store.ledger import Ledger
from shared.store.outcomes import finish_rows
from shared.store.tables import IS_DELAYED, IS_IN_FLIGHT, IS_PENDING, job_state, tasks
from shared.store.tables import jobs as jobs_table

#: a task whose worker died under it this often is at fault itself
POISON = 3
_CHUNK = 1000
_T = tasks.c
#: no index fits it, so that SQLite takes the small partial one and not the primary key of all tasks
_unindexed_id = _T.id + 0
_PAUSED = select(jobs_table.c.id).where(jobs_table.c.paused_at.is_not(None))
_IS_GOING = _T.job_id.not_in(_PAUSED)


def due(store: Store, now: int) -> list[Dispatch]:
    """Moves up to 1,000 delayed tasks whose time has come to queued; those to enqueue. Microseconds."""
    return store.write(lambda conn: _due(conn, now))


def _due(conn: Connection, now: int) -> list[Dispatch]:
    ripe = (
        select(_T.id)
        .where(IS_DELAYED, _T.next_attempt_at <= now, _IS_GOING)
        .order_by(_T.next_attempt_at)
        .limit(_CHUNK)
        .with_for_update(skip_locked=True)
    )
    found = list(conn.execute(ripe).scalars())
    if found:
        conn.execute(update(tasks).where(_T.id.in_(found)).values(state=TaskState.QUEUED, queued_at=now))
    return _dispatches(conn, found)


def has_due(store: Store, now: int) -> bool:
    """Whether any delayed task is due: a read, so that an idle scheduler writes nothing."""
    with store.read() as conn:
        ripe = select(_T.id).where(IS_DELAYED, _T.next_attempt_at <= now, _IS_GOING)
        return conn.execute(ripe.limit(1)).first() is not None


def expired(store: Store, now: int) -> list[Dispatch]:
    """Takes running tasks back whose worker stopped renewing its claim; those to enqueue.

    No attempt is spent. A task that did this to three workers is failed as poison.
    """
    with store.read() as conn:
        lost = conn.execute(select(_T.id).where(IS_IN_FLIGHT, _is_expired(now)).limit(1)).first()
    return store.write(lambda conn: _expired(conn, now)) if lost else []


def _is_expired(now: int) -> Any:
    return (_T.state == TaskState.RUNNING) & (_T.claimed_until < now)


def _expired(conn: Connection, now: int) -> list[Dispatch]:
    query: Select[Any] = select(tasks).where(IS_IN_FLIGHT, _is_expired(now)).order_by(_T.id)
    rows = conn.execute(query.limit(_CHUNK).with_for_update(skip_locked=True)).all()
    poison = [row for row in rows if row.crashes + 1 >= POISON]
    again = [row.id for row in rows if row.crashes + 1 < POISON]
    if again:
        back = update(tasks).where(_T.id.in_(again))
        conn.execute(back.values(state=TaskState.QUEUED, queued_at=now, claimed_until=None, crashes=_T.crashes + 1))
    claimed = _fail_poison(conn, poison, now) if poison else []
    paused = _park(conn, {row.job_id for row in rows}, now)
    return _dispatches(conn, [i for i in again if ids.job_of(i) not in paused]) + claimed


def _park(conn: Connection, job_ids: set[int], now: int) -> set[int]:
    """What was taken back of paused jobs waits until they go on; which of these jobs are paused."""
    paused = set(conn.execute(_PAUSED.where(jobs_table.c.id.in_(sorted(job_ids)))).scalars()) if job_ids else set()
    if paused:
        ledger = Ledger(conn, now)
        ledger.lock(paused)
        ledger.close()
    return paused


def _fail_poison(conn: Connection, rows: Sequence[Any], now: int) -> list[Dispatch]:
    ledger = Ledger(conn, now)
    ledger.lock({row.job_id for row in rows})
    owners = jobs.load(conn, {row.job_id for row in rows})
    reason = f"Its worker died under it {POISON} times"
    finish_rows(ledger, [(_poison(row, owners[row.job_id], reason), row) for row in rows])
    return ledger.close()


def _poison(row: Any, job: Job, reason: str) -> Finish:
    work = Work(row.id, TaskKind(row.kind), row.path, row.attempts, row.max_attempts, row.run, job)
    job_error = reason if row.kind == TaskKind.DISCOVER_PAGES else None
    return Finish(work, TaskState.FAILED, Fetched(status_code=row.status_code), error=reason, job_error=job_error)


def queued_before(store: Store, moment: int, after: int = 0) -> list[Dispatch]:
    """Up to 1,000 tasks queued before a moment, with ids over `after`: Redis should have them."""
    query = select(_T.id).where(
        IS_IN_FLIGHT, _T.state == TaskState.QUEUED, _T.queued_at < moment, _unindexed_id > after
    )
    with store.read() as conn:
        return _dispatches(conn, list(conn.execute(query.order_by(_unindexed_id).limit(_CHUNK)).scalars()))


def delayed(store: Store, after: int = 0) -> list[tuple[Dispatch, int]]:
    """Up to 1,000 delayed tasks with ids over `after`, and when they are due."""
    query = (
        select(_T.id, _T.next_attempt_at).where(IS_DELAYED, _unindexed_id > after).order_by(_unindexed_id).limit(_CHUNK)
    )
    with store.read() as conn:
        times = {row.id: row.next_attempt_at for row in conn.execute(query)}
        return [(d, times[d.task_id]) for d in _dispatches(conn, list(times))]


def _dispatches(conn: Connection, task_ids: Sequence[int]) -> list[Dispatch]:
    """Tasks in the form that the queue takes; their kind follows from their place in the job."""
    owners = {ids.job_of(i) for i in task_ids}
    query = select(jobs_table.c.id, jobs_table.c.created_at).where(jobs_table.c.id.in_(owners))
    created = {row.id: row.created_at // 1000 for row in conn.execute(query)} if owners else {}
    return [Dispatch(i, _kind(i), created[ids.job_of(i)]) for i in task_ids if ids.job_of(i) in created]


def _kind(task_id: int) -> TaskKind:
    return TaskKind.DISCOVER_PAGES if ids.seq_of(task_id) == 1 else TaskKind.CRAWL_PAGE


_HELD = select(_T.id, _T.run).where(among(_T.id, "ids"), _T.state == TaskState.RUNNING).order_by(_T.id)
_RENEW = update(tasks).where(among(_T.id, "ids")).values(claimed_until=bindparam("until"))


def renew(store: Store, works: Iterable[Work], until: int) -> set[int]:
    """Holds running tasks until a later moment (microseconds); the ids of those that are these workers' still."""
    runs = {w.id: w.run for w in works}
    return store.write(lambda conn: _renew(conn, runs, until)) if runs else set()


def _renew(conn: Connection, runs: dict[int, int], until: int) -> set[int]:
    rows = conn.execute(_HELD.with_for_update(), {"ids": sorted(runs)})
    held = [row.id for row in rows if row.run == runs[row.id]]
    if held:
        conn.execute(_RENEW, {"ids": held, "until": until})
    return set(held)


def heal(store: Store, now: int) -> list[Dispatch]:
    """Recounts the slots of active jobs from their rows, and claims where counts had drifted; those to enqueue."""
    with store.read() as conn:
        active = list(conn.execute(select(jobs_table.c.id).where(jobs_table.c.state.in_((3, 5)))).scalars())
    claimed: list[Dispatch] = []
    for job_id in active:
        if _has_drifted(store, job_id):
            claimed += store.write(lambda conn, job=job_id: _heal(conn, job, now))  # type: ignore[misc]
    return claimed


def _in_flight(conn: Connection, job_id: int) -> int:
    count = select(func.count()).select_from(tasks).where(_T.job_id == job_id, IS_IN_FLIGHT)
    return conn.execute(count.where(_T.kind == TaskKind.CRAWL_PAGE)).scalar_one()


def _pending(job_id: int, limit: int) -> Select[Any]:
    """A job's pending tasks, in the order that makes SQLite take the partial index, not the unique one."""
    query = select(_T.id).where(_T.job_id == job_id, IS_PENDING)
    return query.order_by(_T.priority.desc(), _T.id).limit(limit)


def _has_drifted(store: Store, job_id: int) -> bool:
    with store.read() as conn:
        state = conn.execute(select(job_state).where(job_state.c.job_id == job_id)).first()
        if state is None:
            return False
        counted = _in_flight(conn, job_id)
        waiting = conn.execute(_pending(job_id, 1)).first()
    return bool(counted != state.n_inflight or (waiting and counted < state.window))


def _heal(conn: Connection, job_id: int, now: int) -> list[Dispatch]:
    ledger = Ledger(conn, now)
    ledger.lock({job_id})
    account = ledger.account(job_id)
    account.n_inflight = _in_flight(conn, job_id)
    pending = select(func.count()).select_from(_pending(job_id, ids.SEQ_MASK).subquery())
    account.n_open = account.n_inflight + conn.execute(pending).scalar_one()
    return ledger.close()
