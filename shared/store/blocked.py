"""Ends what is left of a job on a host that blocks us: at once, instead of page by page for days."""

from typing import Any

from sqlalchemy import Connection, TextClause, and_, func, select, update

from shared import ids
from shared.stages import Dispatch
from shared.states import ACTIVE_JOB, TaskKind, TaskState, WarningKind
from shared.store import notes
from shared.store.engine import Store
from shared.store.ledger import Ledger
from shared.store.note_tables import job_warnings
from shared.store.tables import IS_DELAYED, IS_PENDING, jobs, tasks

_CHUNK = 1000
_T = tasks.c


def give_up(store: Store, now: int) -> tuple[list[Dispatch], list[Dispatch]]:
    """Fails the waiting tasks of hosts that block active jobs. Tasks that Redis may hold; tasks to enqueue instead."""
    active = select(jobs.c.id).where(jobs.c.state.in_(ACTIVE_JOB))
    blocked = select(job_warnings.c.job_id).where(
        job_warnings.c.kind == WarningKind.BLOCKED, job_warnings.c.job_id.in_(active)
    )
    with store.read() as conn:
        job_nos = sorted(set(conn.execute(blocked).scalars()))
    held: list[Dispatch] = []
    claimed: list[Dispatch] = []
    for job_no in job_nos:
        for which in (IS_PENDING, IS_DELAYED):
            while ended := store.write(lambda conn, n=job_no, w=which: _end(conn, n, w, now)):  # type: ignore[misc]
                held, claimed = held + ended[0], claimed + ended[1]
    return held, claimed


def _end(conn: Connection, job_no: int, which: TextClause, now: int) -> tuple[list[Dispatch], list[Dispatch]] | None:
    """Ends up to 1,000 tasks; None where there are none."""
    ledger = Ledger(conn, now)
    hosts = notes.blocked_hosts(conn, job_no)
    rows = conn.execute(_waiting(conn, job_no, list(hosts), which)).all()
    if not rows:
        return None
    ledger.lock({job_no})
    account = ledger.account(job_no)
    reason = next(iter(hosts.values()))
    ended = update(tasks).where(_T.id.in_([row.id for row in rows]))
    values = {"state": TaskState.FAILED, "completed_at": now, "next_attempt_at": None, "claimed_until": None}
    conn.execute(ended.values(**values, error=reason))
    for row in rows:
        account.tally.add(TaskState.FAILED, row.status_code, row.cache_status, row.response_time, row.bytes)
    account.n_open -= len(rows)
    account.n_inflight -= len(rows) if which is IS_DELAYED else 0
    held = [Dispatch(row.id, TaskKind.CRAWL_PAGE, account.job_ms) for row in rows if which is IS_DELAYED]
    return held, ledger.close()


def _waiting(conn: Connection, job_no: int, hosts: list[str], which: TextClause) -> Any:
    own = conn.execute(select(jobs.c.origin).where(jobs.c.id == job_no)).scalar() or ""
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    mine = and_(_T.id >= ids.pack(job_no, 2), _T.id < ids.pack(job_no + 1, 0)) if which is IS_DELAYED else None
    query = select(tasks).where(which, func.coalesce(_T.origin, own).in_(origins), _T.kind == TaskKind.CRAWL_PAGE)
    query = query.where(mine) if mine is not None else query.where(_T.job_id == job_no)
    order = (_T.priority.desc(), _T.id) if which is IS_PENDING else (_T.id,)
    return query.order_by(*order).limit(_CHUNK).with_for_update(skip_locked=True)
