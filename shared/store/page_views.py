"""Page views of a domain's pages, and their copies in the tasks of its jobs.

The figures of a refresh are written under a version of their own and become true when the refresh ends, so that
no reader sees half of them. `tend` copies them into tasks: of jobs that run, as tasks are added, and once over
when a job has ended. Copying is repeatable and writes only what differs; two schedulers may do it at once.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from shared import ids
from shared.models import Job
from shared.page_views import Views, shown, twin_key
from shared.states import ACTIVE_JOB, JobMode, TaskState
from shared.store import jobs as job_rows
from shared.store import orders
from shared.store.analytics_tables import analytics, job_views, page_views
from shared.store.engine import Store
from shared.store.tables import jobs, tasks

_CHUNK = 2000
#: jobs that are looked after in one go
_MOST = 1000
_P, _A, _J, _T = page_views.c, analytics.c, job_views.c, tasks.c
_SET = (
    update(tasks)
    .where(_T.id == bindparam("task"))
    .values(pv7=bindparam("v7"), pv28=bindparam("v28"), pv180=bindparam("v180"))
)
_FOUND = select(_P.url_hash, _P.v7, _P.v28, _P.v180).where(
    _P.domain_id == bindparam("domain"),
    _P.version == bindparam("version"),
    _P.url_hash.in_(bindparam("hashes", expanding=True)),
)
_SAME_JOB = select(_T.url_hash, _T.state).where(
    _T.job_id == bindparam("job"), _T.url_hash.in_(bindparam("hashes", expanding=True))
)


class Copy(NamedTuple):
    """A job that does not have the newest figures yet."""

    job_no: int
    domain_id: int
    version: int
    has_ended: bool
    #: number of the last task that has them
    seq: int


def write(store: Store, domain_id: int, version: int, found: dict[int, Views]) -> None:
    """Writes a refresh's figures by URL key; nobody sees them before `analytics.end` names the version."""
    rows = [
        {"domain_id": domain_id, "version": version, "url_hash": key, "v7": v.v7, "v28": v.v28, "v180": v.v180}
        for key, v in sorted(found.items())
    ]
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        store.write(lambda conn, part=part: conn.execute(insert(page_views), part))  # type: ignore[misc]


def purge(store: Store, domain_id: int, keep: int) -> None:
    """Deletes all figures of a domain but those of the version `keep`."""
    _delete(store, and_(_P.domain_id == domain_id, _P.version != keep))


def discard(store: Store, domain_id: int, version: int) -> None:
    """Deletes the figures of a refresh that nobody waits for any more."""
    _delete(store, and_(_P.domain_id == domain_id, _P.version == version))


def _delete(store: Store, which: Any) -> None:
    some = select(_P.version, _P.url_hash).where(which).order_by(_P.version, _P.url_hash).limit(_CHUNK)

    def step(conn: Connection) -> int:
        rows = conn.execute(some).all()
        for version in {row.version for row in rows}:
            hashes = [row.url_hash for row in rows if row.version == version]
            chunk = and_(which, _P.version == version, _P.url_hash.between(hashes[0], hashes[-1]))
            conn.execute(delete(page_views).where(chunk))
        return len(rows)

    while store.write(step):
        pass


def tend(store: Store) -> int:
    """Copies figures into the tasks of every job that lacks some; how many tasks were changed."""
    changed = 0
    for copy in _lacking(store):
        changed += _copy(store, copy)
        if copy.has_ended:
            store.write(lambda conn, copy=copy: _settle(conn, copy))  # type: ignore[misc]
    return changed


def _lacking(store: Store) -> list[Copy]:
    """Jobs behind their domain's last settled one. Few: each refresh and each ended job adds one.

    Those that have all figures and only wait for an older job are left out here, lest they fill the limit.
    """
    is_done = and_(jobs.c.state.not_in(ACTIVE_JOB), func.coalesce(_J.complete, 0) == 1)
    query = (
        select(jobs.c.id, jobs.c.domain_id, jobs.c.state, _A.version, _J.version.label("copied"), _J.seq)
        .join(analytics, and_(_A.domain_id == jobs.c.domain_id, jobs.c.id > _A.settled_job))
        .outerjoin(job_views, _J.job_id == jobs.c.id)
        .where(_A.version > 0, jobs.c.mode != JobMode.DISCOVER, ~is_done)
        .order_by(jobs.c.id)
        .limit(_MOST)
    )
    with store.read() as conn:
        rows = conn.execute(query).all()
    found = []
    for row in rows:
        has_ended = row.state not in ACTIVE_JOB
        # states have changed until the end, so an ended job is gone through once more
        seq = row.seq if row.copied == row.version and not has_ended else orders.FIRST_SEQ - 1
        found.append(Copy(row.id, row.domain_id, row.version, has_ended, seq))
    return found


def _copy(store: Store, copy: Copy) -> int:
    """Goes through a job's tasks behind `copy.seq`; how many were changed."""
    with store.read() as conn:
        job = job_rows.load(conn, [copy.job_no]).get(copy.job_no)
    if job is None:
        return 0
    seq, total = copy.seq, 0
    for rows in _chunks(store, copy):
        changes = list(_changes(store, job, copy, rows))
        seq = ids.seq_of(rows[-1].id)
        total += len(changes)
        store.write(lambda conn, done=(changes, seq): _save(conn, copy, *done))  # type: ignore[misc]
    return total


def _chunks(store: Store, copy: Copy) -> Iterator[Sequence[Any]]:
    last, end = ids.pack(copy.job_no, copy.seq), ids.pack(copy.job_no + 1, 0)
    columns = (_T.id, _T.url_hash, _T.origin, _T.path, _T.state, _T.pv7, _T.pv28, _T.pv180)
    while True:
        with store.read() as conn:
            query = select(*columns).where(_T.id > last, _T.id < end).order_by(_T.id).limit(_CHUNK)
            rows = conn.execute(query).all()
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _changes(store: Store, job: Job, copy: Copy, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """What the tasks show otherwise than they should."""
    twins = {row.id: twin_key((row.origin or job.origin or "") + row.path) for row in rows if row.origin or job.origin}
    keys = {row.url_hash for row in rows}
    with store.read() as conn:
        views = _views(conn, copy, keys | {twin for twin in twins.values() if twin is not None})
        # a twin matters only where one of the two has views
        rivals = {t for row in rows if (t := twins.get(row.id)) is not None and (t in views or row.url_hash in views)}
        states = _states(conn, copy.job_no, rivals)
    for row in rows:
        twin = twins.get(row.id)
        twin_is_shown = twin in states and states[twin] != TaskState.SKIPPED
        known = (views.get(row.url_hash), views.get(twin) if twin is not None else None)
        wanted = shown(*known, row.state == TaskState.SKIPPED, twin_is_shown)
        if (row.pv7, row.pv28, row.pv180) != (wanted or (None, None, None)):
            yield {"task": row.id, **dict(zip(Views._fields, wanted or (None, None, None), strict=True))}


def _views(conn: Connection, copy: Copy, keys: Collection[int]) -> dict[int, Views]:
    values = {"domain": copy.domain_id, "version": copy.version, "hashes": sorted(keys)}
    return {row.url_hash: Views(row.v7, row.v28, row.v180) for row in conn.execute(_FOUND, values)}


def _states(conn: Connection, job_no: int, keys: Collection[int]) -> dict[int | None, int]:
    if not keys:
        return {}
    rows = conn.execute(_SAME_JOB, {"job": job_no, "hashes": sorted(keys)})
    return {row.url_hash: row.state for row in rows}


def _save(conn: Connection, copy: Copy, changes: list[dict[str, Any]], seq: int) -> None:
    if changes:
        # locked in the order of their ids, as the step does: two schedulers and a worker never wait in a circle
        conn.execute(_SET, sorted(changes, key=lambda change: change["task"]))
        if copy.has_ended:
            orders.forget(conn, copy.job_no)
    _note(conn, copy, {"seq": seq, "complete": 0})


def _settle(conn: Connection, copy: Copy) -> None:
    """The job has all figures; the domain's pointer moves up to it unless an older job still lacks some."""
    _note(conn, copy, {"complete": 1})
    older = and_(jobs.c.domain_id == copy.domain_id, jobs.c.id < copy.job_no, jobs.c.mode != JobMode.DISCOVER)
    lacking = select(jobs.c.id).outerjoin(job_views, _J.job_id == jobs.c.id).where(older, jobs.c.id > _A.settled_job)
    pending = lacking.where(func.coalesce(_J.complete, 0) == 0).exists()
    settled = and_(_A.domain_id == copy.domain_id, _A.version == copy.version, _A.settled_job < copy.job_no, ~pending)
    conn.execute(update(analytics).where(settled).values(settled_job=copy.job_no))


def reopen(conn: Connection, domain_id: int, settled: int) -> int:
    """New figures: the newest ended crawl and what came after lack them; the domain's new settled job.

    Jobs before it keep the figures of their own time. `settled` is 0 where the domain had no figures before.
    """
    mine = jobs.c.domain_id == domain_id
    ended = select(func.max(jobs.c.id)).where(mine, jobs.c.mode == JobMode.CRAWL, jobs.c.state.not_in(ACTIVE_JOB))
    newest = conn.execute(ended).scalar()
    if newest is not None:
        since = select(jobs.c.id).where(mine, jobs.c.id >= newest)
        conn.execute(update(job_views).where(_J.job_id.in_(since)).values(complete=0))
    if settled:
        return settled if newest is None else min(settled, newest - 1)
    oldest = conn.execute(select(func.min(jobs.c.id)).where(mine, jobs.c.state.in_(ACTIVE_JOB))).scalar()
    return min((no for no in (newest, oldest) if no is not None), default=1) - 1


def _note(conn: Connection, copy: Copy, values: dict[str, int]) -> None:
    dialect: Any = sqlite if conn.dialect.name == "sqlite" else postgresql
    values = {"version": copy.version, **values}
    new = dialect.insert(job_views).values({"job_id": copy.job_no, "seq": 0, "complete": 0, **values})
    conn.execute(new.on_conflict_do_update(index_elements=["job_id"], set_=values))
