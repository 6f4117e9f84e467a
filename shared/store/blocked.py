"""Ends what is left of a job on a host that blocks us: at once, instead of page by page for days."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, TextClause, and_, func, select, update

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
            while _is_waiting(store, job_no, which):
                ended = store.write(lambda conn, n=job_no, w=which: _end(conn, n, w, now))  # type: ignore[misc]
                if ended is None:
                    break
                held, claimed = held + ended[0], claimed + ended[1]
    return held, claimed


def _is_waiting(store: Store, job_no: int, which: TextClause) -> bool:
    """Whether anything is to be ended: where the rest of a job is long, no lock is held while that is looked for."""
    with store.read() as conn:
        return (
            conn.execute(_waiting(conn, job_no, notes.blocked_hosts(conn, job_no), which).limit(1)).first() is not None
        )


def _end(conn: Connection, job_no: int, which: TextClause, now: int) -> tuple[list[Dispatch], list[Dispatch]] | None:
    """Ends up to 1,000 tasks; None where there are none."""
    ledger = Ledger(conn, now)
    # the job before tasks that wait, as whoever claims them; tasks that others hold are left alone
    ledger.lock({job_no})
    hosts = notes.blocked_hosts(conn, job_no)
    rows = conn.execute(_waiting(conn, job_no, hosts, which).limit(_CHUNK).with_for_update(skip_locked=True)).all()
    if not rows:
        return None
    account = ledger.account(job_no)
    _fail(conn, rows, hosts, account.known_origin or "", now)
    for row in rows:
        account.tally.add(TaskState.FAILED, row.status_code, row.cache_status, row.response_time, row.bytes)
    account.n_open -= len(rows)
    account.n_inflight -= len(rows) if which is IS_DELAYED else 0
    held = [Dispatch(row.id, TaskKind.CRAWL_PAGE, account.job_ms) for row in rows if which is IS_DELAYED]
    return held, ledger.close()


def _fail(conn: Connection, rows: Sequence[Any], hosts: Mapping[str, str], own: str, now: int) -> None:
    by_host: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_host[(row.origin or own).partition("://")[2]].append(row.id)
    values = {"state": TaskState.FAILED, "completed_at": now, "next_attempt_at": None, "claimed_until": None}
    for host, task_ids in by_host.items():
        conn.execute(update(tasks).where(_T.id.in_(task_ids)).values(**values, error=hosts[host]))


def _waiting(conn: Connection, job_no: int, hosts: Iterable[str], which: TextClause) -> Select[Any]:
    own = conn.execute(select(jobs.c.origin).where(jobs.c.id == job_no)).scalar() or ""
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    mine = and_(_T.id >= ids.pack(job_no, 2), _T.id < ids.pack(job_no + 1, 0)) if which is IS_DELAYED else None
    query = select(tasks).where(which, func.coalesce(_T.origin, own).in_(origins), _T.kind == TaskKind.CRAWL_PAGE)
    query = query.where(mine) if mine is not None else query.where(_T.job_id == job_no)
    return query.order_by(*((_T.priority.desc(), _T.id) if which is IS_PENDING else (_T.id,)))
