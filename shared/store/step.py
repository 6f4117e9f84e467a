"""The hot transaction: record outcomes, admit links, hand out the next tasks, start what workers ask for.

One transaction for all that a worker process has to say at a moment (group commit). Tasks are locked
first and in the order of their ids, then each job's state row in the order of the jobs, so that two
committers never wait for each other in a circle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from shared import ids
from shared.models import (
    Delay,
    Dispatch,
    Finish,
    Found,
    Job,
    JobState,
    Outcome,
    Release,
    TaskKind,
    TaskState,
    Verdict,
    Work,
)
from shared.store import jobs, links
from shared.store.engine import Store
from shared.store.ledger import Ledger
from shared.store.tables import jobs as jobs_table
from shared.store.tables import pages, tasks

_T = tasks.c
_LOCK = select(tasks).where(_T.id.in_(bindparam("ids", expanding=True))).order_by(_T.id).with_for_update()


@dataclass(frozen=True, slots=True)
class Admission:
    """A worker asks to run a task that it took from the queue."""

    task_id: int
    #: an operator put a failed task back (`rq requeue`): run it again with fresh attempts
    requeued: bool = False


@dataclass(slots=True)
class StepResult:
    """What a step decided."""

    #: per admission: the work, or None when there is nothing (more) to run
    works: list[Work | None] = field(default_factory=list)
    #: per outcome
    verdicts: list[Verdict] = field(default_factory=list)
    #: tasks to enqueue now
    dispatches: list[Dispatch] = field(default_factory=list)


def run(store: Store, admissions: Sequence[Admission], outcomes: Sequence[Outcome], now: int, lease: int) -> StepResult:
    """Commits a batch. Times in microseconds; lease is how long an admitted task is held without renewal.

    Raises StoreUnavailable; then nothing of the batch is recorded and it can be repeated as it is.
    """
    return store.write(lambda conn: _step(conn, admissions, outcomes, now, lease))


def _step(
    conn: Connection, admissions: Sequence[Admission], outcomes: Sequence[Outcome], now: int, lease: int
) -> StepResult:
    wanted = {a.task_id for a in admissions} | {o.work.id for o in outcomes}
    rows = {row.id: row for row in conn.execute(_LOCK, {"ids": sorted(wanted)})}
    ledger = Ledger(conn, now)
    result = StepResult()
    _record(ledger, rows, outcomes, result)
    _admit(ledger, rows, admissions, now + lease, result)
    result.dispatches += ledger.close()
    return result


# -- outcomes ---------------------------------------------------------------


def _record(ledger: Ledger, rows: dict[int, Any], outcomes: Sequence[Outcome], result: StepResult) -> None:
    valid = [_is_current(rows.get(o.work.id), o.work) for o in outcomes]
    live = [o for o, ok in zip(outcomes, valid, strict=True) if ok]
    ledger.lock({ids.job_of(o.work.id) for o in live})
    finishes = [o for o in live if isinstance(o, Finish)]
    finish_rows(ledger, [(o, rows[o.work.id]) for o in finishes])
    _delay(ledger, [(o, rows[o.work.id]) for o in live if isinstance(o, Delay)])
    _release(ledger, [o.work.id for o in live if isinstance(o, Release)])
    for o in live:
        if isinstance(o, Finish | Found) and o.origin:
            ledger.account(o.work.job.id).origin = o.origin
    added = links.admit(ledger, [o for o in live if isinstance(o, Finish | Found) and o.links])
    result.verdicts = [_verdict(ledger, o, ok, added) for o, ok in zip(outcomes, valid, strict=True)]


def _verdict(ledger: Ledger, o: Outcome, ok: bool, added: dict[int, int]) -> Verdict:
    full = ok and ledger.account(o.work.job.id).is_full(o.work.job.options.max_pages)
    return Verdict(ok, added.get(o.work.id, 0), full)


def _is_current(row: Any, work: Work) -> bool:
    """Whether this outcome is the one awaited: not a duplicate, not of a cancelled or taken-over task."""
    return row is not None and row.state == TaskState.RUNNING and row.run == work.run


_FINISH = (
    update(tasks)
    .where(_T.id == bindparam("task"))
    .values(
        {
            name: bindparam(name)
            for name in (
                "state attempts status_code response_time bytes content_type cache_status error completed_at"
                " links_found documents"
            ).split()
        }
        | {"claimed_until": None, "next_attempt_at": None}
    )
)


def finish_rows(ledger: Ledger, finished: Sequence[tuple[Finish, Any]]) -> None:
    """Ends locked tasks: their rows, their job's counts, their page."""
    if not finished:
        return
    ledger.conn.execute(_FINISH, [_finish_values(o, row, ledger.now) for o, row in finished])
    for o, row in finished:
        account = ledger.account(row.job_id)
        if row.kind == TaskKind.DISCOVER_PAGES:
            account.discovery_ended(o)
            continue
        f = o.fetched
        account.tally.add(o.state, f.status_code, f.cache_status, f.response_time, f.bytes)
        account.ended(counts_as_page=o.state != TaskState.SKIPPED)
        if o.job_error:
            account.fail(o.job_error)
    _update_pages(ledger, [(o, row) for o, row in finished if o.facts is not None])


def _finish_values(o: Finish, row: Any, now: int) -> dict[str, Any]:
    f = o.fetched
    return {
        "task": row.id,
        "state": o.state,
        "attempts": row.attempts + 1,
        "status_code": f.status_code,
        "response_time": f.response_time,
        "bytes": f.bytes,
        "content_type": f.content_type,
        "cache_status": f.cache_status,
        "error": o.error,
        "completed_at": now,
        "links_found": o.found,
        "documents": o.documents,
    }


_PAGE = (
    update(pages)
    .where(pages.c.domain_id == bindparam("domain"), pages.c.url_hash == bindparam("page"))
    .values(
        {
            name: bindparam(name)
            for name in "last_task_id status_code crawled_at title content_hash etag last_modified".split()
        }
    )
)


def _update_pages(ledger: Ledger, finished: Iterable[tuple[Finish, Any]]) -> None:
    values = [
        {
            "domain": o.work.job.domain.id,
            "page": row.url_hash,
            "last_task_id": row.id,
            "status_code": o.fetched.status_code,
            "crawled_at": ledger.now,
            "title": o.facts.title if o.facts else None,
            "content_hash": o.facts.content_hash if o.facts else None,
            "etag": o.facts.etag if o.facts else None,
            "last_modified": o.facts.last_modified if o.facts else None,
        }
        for o, row in sorted(finished, key=lambda pair: (pair[0].work.job.domain.id, pair[1].url_hash))
    ]
    if values:
        ledger.conn.execute(_PAGE, values)


_DELAY = (
    update(tasks)
    .where(_T.id == bindparam("task"))
    .values(
        state=TaskState.DELAYED,
        claimed_until=None,
        attempts=bindparam("n"),
        next_attempt_at=bindparam("at"),
        error=bindparam("reason"),
        status_code=bindparam("code"),
        response_time=bindparam("ms"),
    )
)


def _delay(ledger: Ledger, delayed: Sequence[tuple[Delay, Any]]) -> None:
    if delayed:
        ledger.conn.execute(_DELAY, [_delay_values(o, row) for o, row in delayed])


def _delay_values(o: Delay, row: Any) -> dict[str, Any]:
    return {
        "task": row.id,
        "n": row.attempts + (1 if o.spends_attempt else 0),
        "at": o.at,
        "reason": o.reason,
        "code": o.fetched.status_code,
        "ms": o.fetched.response_time,
    }


def _release(ledger: Ledger, released: Sequence[int]) -> None:
    """Back to queued, as if never started; the worker puts the RQ job back to the front itself."""
    if released:
        back = update(tasks).where(_T.id.in_(sorted(released)))
        ledger.conn.execute(back.values(state=TaskState.QUEUED, queued_at=ledger.now, claimed_until=None))


# -- admissions -------------------------------------------------------------

_START = (
    update(tasks)
    .where(_T.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=TaskState.RUNNING,
        run=_T.run + 1,
        started_at=bindparam("now"),
        claimed_until=bindparam("until"),
        next_attempt_at=None,
    )
)


def _admit(
    ledger: Ledger, rows: dict[int, Any], admissions: Sequence[Admission], until: int, result: StepResult
) -> None:
    requeued = [rows[a.task_id] for a in admissions if a.requeued and _has_failed(rows.get(a.task_id))]
    reopened = reopen_rows(ledger, requeued)
    started: set[int] = set()
    for a in admissions:
        row = rows.get(a.task_id)
        if row is not None and (row.state in (TaskState.QUEUED, TaskState.DELAYED) or row.id in reopened):
            started.add(row.id)
    if started:
        ledger.conn.execute(_START, {"ids": sorted(started), "now": ledger.now, "until": until})
        _start_jobs(ledger, [rows[i] for i in started])
    loaded = jobs.load(ledger.conn, {ids.job_of(i) for i in started})
    for a in admissions:
        # a task that was taken twice from the queue in one batch runs once
        row = rows[a.task_id] if a.task_id in started else None
        started.discard(a.task_id)
        result.works.append(_work(row, loaded[row.job_id], row.id in reopened) if row is not None else None)


def _has_failed(row: Any) -> bool:
    return row is not None and row.state == TaskState.FAILED


def _work(row: Any, job: Job, reopened: bool) -> Work:
    return Work(
        id=row.id,
        kind=TaskKind(row.kind),
        url=(row.origin or job.origin or "") + row.path,
        attempt=1 if reopened else row.attempts + 1,
        max_attempts=row.max_attempts,
        run=row.run + 1,
        job=job,
    )


def _start_jobs(ledger: Ledger, rows: Iterable[Any]) -> None:
    """The first task to start starts its job."""
    first = sorted({row.job_id for row in rows if row.run == 0 and ids.seq_of(row.id) <= 2})
    if first:
        ledger.conn.execute(
            update(jobs_table)
            .where(jobs_table.c.id.in_(first), jobs_table.c.state == JobState.CREATED)
            .values(state=JobState.RUNNING, started_at=ledger.now)
        )


def reopen_rows(ledger: Ledger, rows: Sequence[Any]) -> set[int]:
    """Takes failed tasks back into their jobs as queued ones with fresh attempts; the ids that were."""
    if not rows:
        return set()
    ledger.lock({row.job_id for row in rows})
    ledger.conn.execute(
        update(tasks)
        .where(_T.id.in_([row.id for row in rows]))
        .values(state=TaskState.QUEUED, attempts=0, crashes=0, queued_at=ledger.now, completed_at=None, error=None)
    )
    for row in rows:
        account = ledger.account(row.job_id)
        if row.kind == TaskKind.DISCOVER_PAGES:
            account.discovery_reopened()
        else:
            account.tally.add(row.state, row.status_code, row.cache_status, row.response_time, row.bytes, sign=-1)
            account.reopened()
    return {row.id for row in rows}
