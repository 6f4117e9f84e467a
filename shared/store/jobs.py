"""Jobs: create, load, list, cancel."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, TextClause, and_, func, insert, select, update

from shared import ids
from shared.clock import now_us
from shared.errors import Conflict, NotFound
from shared.models import Domain, Job, JobOptions
from shared.stages import Dispatch
from shared.states import ACTIVE_JOB, JobState, SourceType, TaskKind, TaskState
from shared.store import counters, events, idempotency, job_options
from shared.store.among import among
from shared.store.domains import ensure as ensure_domain
from shared.store.engine import Store
from shared.store.hot import Hot
from shared.store.idempotency import Claim
from shared.store.inserts import insert_new
from shared.store.tables import IS_IN_FLIGHT, IS_PENDING, domains, job_state, jobs, organisations, pages, tasks

#: a discovery task has no URL of its own: this key cannot be a page's
DISCOVERY_HASH = -1
_CHUNK = 5000

_D = domains.c
_LOADED = (
    select(
        jobs,
        organisations.c.uid.label("organisation_uid"),
        _D.uid.label("d_uid"),
        _D.ms.label("d_ms"),
        _D.host.label("d_host"),
        _D.created_at.label("d_created_at"),
    )
    .join(domains, _D.id == jobs.c.domain_id)
    .join(organisations, organisations.c.id == jobs.c.organisation_id)
)
_LOAD = Hot(_LOADED.where(among(jobs.c.id, "ids")))


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The page of a one-page job: parts of its canonical URL."""

    url_hash: int
    origin: str
    path: str


def load(conn: Connection, job_ids: Collection[int]) -> dict[int, Job]:
    """Jobs by number; missing ones are left out."""
    if not job_ids:
        return {}
    return {row.id: _job(row) for row in _LOAD.rows_beside(conn, {"ids": sorted(job_ids)})}


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        organisation_id=row.organisation_id,
        organisation_uid=row.organisation_uid,
        domain=Domain(row.domain_id, row.d_uid, row.d_ms, row.organisation_id, row.d_host, row.d_created_at),
        origin=row.origin,
        options=job_options.read(row),
        state=JobState(row.state),
        error=row.error,
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        cancelled_at=row.cancelled_at,
        paused_at=row.paused_at,
    )


def get(store: Store, job_no: int, organisation_id: int | None = None) -> Job:
    """A job, of this organisation if one is given. Raises NotFound."""
    with store.read() as conn:
        job = load(conn, [job_no]).get(job_no)
    if job is None or organisation_id not in (None, job.organisation_id):
        raise NotFound("Job not found")
    return job


def halted(store: Store, job_nos: Collection[int]) -> tuple[set[int], set[int]]:
    """Which of these jobs are cancelled or deleted, and which are paused."""
    query = select(jobs.c.id, jobs.c.state, jobs.c.paused_at).where(jobs.c.id.in_(sorted(job_nos)))
    with store.read() as conn:
        rows = {row.id: row for row in conn.execute(query)}
    gone = {n for n in job_nos if n not in rows or rows[n].state == JobState.CANCELLED}
    return gone, {n for n in job_nos if n not in gone and rows[n].paused_at is not None}


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs of an organisation; times in microseconds."""

    organisation_id: int
    state: JobState | None = None
    domain_id: int | None = None
    created_from: int | None = None
    created_until: int | None = None


def page(store: Store, which: JobFilter, limit: int, offset: int) -> tuple[list[Job], int]:
    """Jobs, newest first, and how many there are in all."""
    condition = _condition(which)
    with store.read() as conn:
        total = conn.execute(select(func.count()).select_from(jobs).where(condition)).scalar_one()
        query = _LOADED.where(condition).order_by(jobs.c.id.desc()).limit(limit).offset(offset)
        return [_job(row) for row in conn.execute(query)], total


def _condition(which: JobFilter) -> Any:
    conditions = [jobs.c.organisation_id == which.organisation_id]
    if which.state is not None:
        conditions.append(jobs.c.state == which.state)
    if which.domain_id is not None:
        conditions.append(jobs.c.domain_id == which.domain_id)
    if which.created_from is not None:
        conditions.append(jobs.c.created_at >= which.created_from)
    if which.created_until is not None:
        conditions.append(jobs.c.created_at < which.created_until)
    return and_(*conditions)


@dataclass(frozen=True, slots=True)
class FirstTask:
    """How a job's first task is to run. Times in microseconds."""

    page: FirstPage | None = None
    priority: int = 0
    max_attempts: int = 3
    #: not before this moment; None: now
    not_before: int | None = None
    #: of the request that asks for the job: of any number with this key one makes it
    claim: Claim | None = None


def submit(
    store: Store, organisation_id: int, host: str, options: JobOptions, first: FirstTask, origin: str | None
) -> tuple[Job, int]:
    """Stores a job, with its domain if that is new; the job and its first task's id.

    Where an earlier request with the same key has made one, that one.
    """

    def step(conn: Connection) -> tuple[Job, int]:
        earlier = _made_before(conn, first)
        if earlier is not None:
            return earlier
        now = now_us()
        domain = ensure_domain(conn, organisation_id, host, now)
        if first.page is not None:
            add_page(conn, domain, first.page, now)
        job_no, task_id = create(conn, domain, options, now, first, origin)
        idempotency.note(conn, first.claim, job_no)
        return load(conn, [job_no])[job_no], task_id

    return store.write(step)


def _made_before(conn: Connection, first: FirstTask) -> tuple[Job, int] | None:
    job_no = idempotency.made(conn, first.claim)
    job = load(conn, [job_no]).get(job_no) if job_no is not None else None
    return (job, ids.pack(job.id, _first_seq(first))) if job is not None else None


def _first_seq(first: FirstTask) -> int:
    """A page's task has the number of a job's first page, also where no discovery came before."""
    return 1 if first.page is None else 2


def create(
    conn: Connection, domain: Domain, options: JobOptions, now: int, first: FirstTask, origin: str | None = None
) -> tuple[int, int]:
    """Stores a job with its first task, already counted as queued. Returns (job number, task id)."""
    made = insert(jobs).values(_job_values(domain, options, now, origin)).returning(jobs.c.id)
    job_no: int = conn.execute(made).scalar_one()
    job_options.add_seeds(conn, job_no, options.urls)
    is_page = first.page is not None
    seq = _first_seq(first)
    conn.execute(
        insert(job_state).values(
            job_id=job_no,
            next_seq=3 if is_page else 2,
            n_pages=int(is_page),
            n_open=int(is_page),
            n_inflight=int(is_page),
            window=options.concurrency,
            discovering=int(not is_page),
        )
    )
    conn.execute(insert(tasks).values(_first_task_values(job_no, seq, first, now)))
    return job_no, ids.pack(job_no, seq)


def _job_values(domain: Domain, options: JobOptions, now: int, origin: str | None) -> dict[str, Any]:
    return {
        "organisation_id": domain.organisation_id,
        "domain_id": domain.id,
        "origin": origin,
        "state": JobState.CREATED,
        "created_at": now,
        **job_options.columns(options),
    }


def _first_task_values(job_no: int, seq: int, first: FirstTask, now: int) -> dict[str, Any]:
    return {
        "id": ids.pack(job_no, seq),
        "job_id": job_no,
        "url_hash": first.page.url_hash if first.page else DISCOVERY_HASH,
        "kind": TaskKind.CRAWL_PAGE if first.page else TaskKind.DISCOVER_PAGES,
        "state": TaskState.QUEUED if first.not_before is None else TaskState.DELAYED,
        "priority": first.priority,
        "path": first.page.path if first.page else "/",
        "source_type": SourceType.MANUAL,
        "max_attempts": first.max_attempts,
        "created_at": now,
        "queued_at": now,
        "next_attempt_at": first.not_before,
    }


def add_page(conn: Connection, domain: Domain, first: FirstPage, now: int) -> None:
    """Makes a page known to its domain."""
    page = {"url_hash": first.url_hash, "origin": first.origin, "path": first.path}
    insert_new(conn, pages, domain_id=domain.id, **page, created_at=now)


def cancel(store: Store, job_no: int, now: int) -> list[Dispatch]:
    """Cancels a job: no task of it starts from here on. Returns the tasks that Redis may still hold.

    A job that was cancelled before stays as it was. Raises NotFound, and Conflict for one that ended.
    """
    held = store.write(lambda conn: _cancel(conn, job_no, now))
    while store.write(lambda conn: _cancel_tasks(conn, job_no, now, IS_PENDING)):
        pass
    return held


def _cancel(conn: Connection, job_no: int, now: int) -> list[Dispatch]:
    conn.execute(select(job_state.c.job_id).where(job_state.c.job_id == job_no).with_for_update())
    job = load(conn, [job_no]).get(job_no)
    if job is None:
        raise NotFound("Job not found")
    if job.state in (JobState.COMPLETED, JobState.FAILED):
        raise Conflict(f"The job is {job.state.name.lower()} and cannot be cancelled")
    if job.state in ACTIVE_JOB:
        conn.execute(
            update(jobs)
            .where(jobs.c.id == job_no)
            .values(state=JobState.CANCELLED, cancelled_at=now, completed_at=now, paused_at=None)
        )
    conn.execute(update(job_state).where(job_state.c.job_id == job_no).values(window=0, discovering=0))
    held = _cancel_tasks(conn, job_no, now, IS_IN_FLIGHT)
    if job.state in ACTIVE_JOB:
        events.job_ended(conn, job_no, JobState.CANCELLED)
    return [Dispatch(task, TaskKind(kind), job.ms) for task, kind in held]


def _cancel_tasks(conn: Connection, job_no: int, now: int, which: TextClause) -> list[tuple[int, int]]:
    """Cancels up to 5,000 of these tasks and keeps the job's open count true."""
    query: Select[Any] = select(tasks.c.id, tasks.c.kind).where(tasks.c.job_id == job_no, which)
    # the order of the partial index on pending tasks: in any other, each part would read and sort a million rows
    order = (tasks.c.priority.desc(), tasks.c.id)
    rows = [(row.id, row.kind) for row in conn.execute(query.order_by(*order).limit(_CHUNK).with_for_update())]
    if rows:
        conn.execute(
            update(tasks)
            .where(tasks.c.id.in_([row[0] for row in rows]))
            .values(state=TaskState.CANCELLED, completed_at=now, claimed_until=None, next_attempt_at=None)
        )
        pages_ended = sum(1 for _, kind in rows if kind == TaskKind.CRAWL_PAGE)
        _count_cancelled(conn, job_no, pages_ended, which is IS_IN_FLIGHT, now)
    return rows


def _count_cancelled(conn: Connection, job_no: int, n: int, were_in_flight: bool, now: int) -> None:
    tally = counters.Tally()
    tally.cells[(TaskState.CANCELLED, 0, 0)][0] += n
    counters.append(conn, [(job_no, tally)])
    state = job_state.c
    conn.execute(
        update(job_state)
        .where(state.job_id == job_no)
        .values(n_open=state.n_open - n, n_inflight=state.n_inflight - (n if were_in_flight else 0))
    )
