"""Warnings of jobs and redirects of tasks."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from shared import answers, ids
from shared.stages import Finish, JobWarning, Redirect
from shared.states import WarningKind
from shared.store.engine import Store
from shared.store.note_tables import job_warnings, task_redirects

#: traps that one job is warned of
_MOST = 100
#: rows deleted in one transaction
_CHUNK = 5000
_W, _R = job_warnings.c, task_redirects.c


def record(conn: Connection, finished: Iterable[Finish], now: int) -> None:
    """Keeps the warnings and redirects that ended tasks bring."""
    warnings = [(o.work.job.id, w) for o in finished for w in o.warnings]
    for job_id, warning in sorted(warnings, key=lambda pair: (pair[0], pair[1].kind, pair[1].subject)):
        warn(conn, job_id, warning, now)
    rows = {o.work.id: _redirects(o) for o in finished if o.redirects}
    if rows:
        put = _dialect(conn).insert(task_redirects)
        values = {name: put.excluded[name] for name in ("hops", "headers")}
        conn.execute(
            put.on_conflict_do_update(index_elements=[_R.task_id], set_=values), [rows[i] for i in sorted(rows)]
        )


def warn(conn: Connection, job_id: int, warning: JobWarning, now: int) -> None:
    """Keeps a warning of a job; one that it has is counted on."""
    if not _has_room(conn, job_id, warning):
        return
    values = {"job_id": job_id, "kind": warning.kind, "subject": warning.subject, "created_at": now}
    put = _dialect(conn).insert(job_warnings).values(**values, message=warning.message, n=warning.n)
    key = [_W.job_id, _W.kind, _W.subject]
    conn.execute(put.on_conflict_do_update(index_elements=key, set_={"n": _W.n + put.excluded.n}))


def _dialect(conn: Connection) -> Any:
    return sqlite if conn.dialect.name == "sqlite" else postgresql


def _has_room(conn: Connection, job_id: int, warning: JobWarning) -> bool:
    """Whether a warning may be kept: one that is known is counted on, and a block ends what waits on its host."""
    if warning.kind is not WarningKind.TRAP:
        return True
    traps = select(_W.subject).where(_W.job_id == job_id, _W.kind == WarningKind.TRAP).limit(_MOST)
    known = conn.execute(traps).scalars().all()
    return len(known) < _MOST or warning.subject in known


def _redirects(o: Finish) -> dict[str, Any]:
    hops = json.dumps([[hop.status_code, hop.url] for hop in o.redirects])
    return {"task_id": o.work.id, "hops": hops, "headers": answers.joined([hop.answer or b"" for hop in o.redirects])}


def of_job(store: Store, job_no: int) -> list[JobWarning]:
    """What a job is warned of, oldest first."""
    query = select(job_warnings).where(_W.job_id == job_no).order_by(_W.created_at, _W.kind, _W.subject)
    with store.read() as conn:
        return [JobWarning(WarningKind(row.kind), row.subject, row.message, row.n) for row in conn.execute(query)]


def redirects_of(store: Store, task_id: int) -> list[Redirect]:
    """Where a task's page was redirected, in order."""
    with store.read() as conn:
        row = conn.execute(select(_R.hops, _R.headers).where(_R.task_id == task_id)).first()
    if row is None:
        return []
    hops = json.loads(row.hops)
    said = answers.split(row.headers or b"")
    if len(said) != len(hops):  # an older version wrote the one without the other
        said = [b""] * len(hops)
    return [Redirect(status, url, answer or None) for (status, url), answer in zip(hops, said, strict=True)]


def blocked_reason(conn: Connection, job_id: int) -> str | None:
    """Who blocked a job, if anybody did."""
    query = select(_W.message).where(_W.job_id == job_id, _W.kind == WarningKind.BLOCKED)
    return conn.execute(query.order_by(_W.created_at).limit(1)).scalar()


def blocked_hosts(conn: Connection, job_id: int) -> dict[str, str]:
    """The hosts that blocked a job, with the reason."""
    query = select(_W.subject, _W.message).where(_W.job_id == job_id, _W.kind == WarningKind.BLOCKED)
    return {row.subject: row.message for row in conn.execute(query)}


def forgive(conn: Connection, job_id: int) -> None:
    """A job that goes on gives the hosts that blocked it another chance."""
    conn.execute(delete(job_warnings).where(_W.job_id == job_id, _W.kind == WarningKind.BLOCKED))


def forget_job(conn: Connection, job_no: int) -> None:
    """Deletes the warnings of a job."""
    conn.execute(delete(job_warnings).where(_W.job_id == job_no))


def forget_redirects(conn: Connection, job_no: int) -> int:
    """Deletes some of the redirects of a job's tasks; how many."""
    mine = (_R.task_id >= ids.pack(job_no, 0), _R.task_id < ids.pack(job_no + 1, 0))
    some = select(_R.task_id).where(*mine).order_by(_R.task_id).limit(_CHUNK)
    return conn.execute(delete(task_redirects).where(_R.task_id.in_(some.scalar_subquery()))).rowcount
