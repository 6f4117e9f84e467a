"""The part of the hot transaction that starts tasks, and takes failed ones back."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, case, select, update

from shared import ids
from shared.changes import Watch
from shared.models import Job
from shared.stages import Admission, Fetched, FirstRequest, Outcome, Verdict, Work
from shared.states import UNCACHED, CacheStatus, JobState, SourceType, TaskKind, TaskState
from shared.store import changes, jobs
from shared.store.among import among
from shared.store.hot import Hot
from shared.store.ledger import Ledger
from shared.store.tables import jobs as jobs_table
from shared.store.tables import tasks

_T = tasks.c

_START = Hot(
    update(tasks)
    .where(among(_T.id, "ids"))
    .values(
        state=TaskState.RUNNING,
        run=_T.run + 1,
        # what is pending was handed over, without having been in the queue
        queued_at=case((_T.state == TaskState.PENDING, bindparam("now")), else_=_T.queued_at),
        started_at=bindparam("now"),
        claimed_until=bindparam("until"),
        next_attempt_at=None,
    )
)


_HOLD = Hot(update(tasks).where(among(_T.id, "ids")).values(claimed_until=bindparam("until")))
_OPEN = Hot(select(_T.id, _T.state, _T.run, _T.claimed_until).where(among(_T.id, "ids")))


@dataclass(frozen=True, slots=True)
class Start:
    """A task to be started."""

    row: Any
    job: Job
    is_reopened: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """What was asked for, as the caller needs it."""

    #: None stays None
    started: list[Work | None]
    promised: list[Work]


def begin(ledger: Ledger, starts: Sequence[Start | None], promised: Sequence[Start]) -> Begun:
    """Starts tasks, and those promised ones that were begun; looks up what others need."""
    given = [s for s in starts if s is not None]
    starting = {s.row.id for s in given} | ledger.begun
    if starting:
        _START.put(ledger.conn, {"ids": sorted(starting), "now": ledger.now, "until": ledger.until})
    keys = {(s.job.domain.id, s.row.url_hash) for s in (*given, *promised) if s.row.kind == TaskKind.CRAWL_PAGE}
    watched = changes.watch(ledger.conn, keys) if keys else {}
    started = [_work(ledger, s, watched) if s is not None else None for s in starts]
    return Begun(started, [_work(ledger, s, watched) for s in promised])


def follow(ledger: Ledger, outcomes: Sequence[Outcome], verdicts: Sequence[Verdict], held: Collection[int]) -> set[int]:
    """Which promised tasks take the places of pages that ended here: they are started, if still pending.

    `held` as for `admit`.
    """
    asked = ledger.hands.followed
    if not asked:
        return set()
    # no lock: a pending task changes under the lock of its job only, and a job that is cancelled has no window
    rows = {row.id: row for row in _OPEN.rows(ledger.conn, {"ids": sorted(work.id for work in asked.values())})}
    found: set[int] = set()
    again: list[int] = []
    for o, verdict in zip(outcomes, verdicts, strict=True):
        work = asked.get(o.work.id)
        row = rows.get(work.id) if work is not None else None
        if work is None or row is None:
            continue
        if row.run == work.run and _is_ours(row, held):
            again.append(row.id)
        elif verdict.recorded and _is_untouched(row, work) and ledger.account(o.work.job.id).follow():
            found.add(row.id)
            ledger.begun.add(row.id)
    if again:
        _HOLD.put(ledger.conn, {"ids": sorted(again), "until": ledger.until})
    return found.union(again)


def _is_untouched(row: Any, work: Work) -> bool:
    """Whether a task is as it was when it was promised."""
    return bool(row.state == TaskState.PENDING and row.run + 1 == work.run)


def admit(
    ledger: Ledger, rows: dict[int, Any], admissions: Sequence[Admission], held: Collection[int] = ()
) -> list[Start | None]:
    """Which locked tasks are started for these admissions, None where there is nothing (more) to run.

    `held` are the moments until which an earlier try of the same worker may have held them.
    """
    if not admissions:
        return []
    requeued = [rows[a.task_id] for a in admissions if a.requeued and _has_failed(rows.get(a.task_id))]
    reopened = reopen_rows(ledger, requeued)
    loaded = jobs.load(ledger.conn, {row.job_id for row in rows.values()})
    started: set[int] = set()
    for a in admissions:
        row = rows.get(a.task_id)
        if row is None or loaded[row.job_id].paused_at is not None:
            continue
        if row.state in (TaskState.QUEUED, TaskState.DELAYED) or row.id in reopened or _is_ours(row, held):
            started.add(row.id)
    _start_jobs(ledger, [rows[i] for i in started])
    starts: list[Start | None] = []
    for a in admissions:
        # a task that was taken twice from the queue in one batch runs once
        row = rows[a.task_id] if a.task_id in started else None
        started.discard(a.task_id)
        starts.append(Start(row, loaded[row.job_id], row.id in reopened) if row is not None else None)
    return starts


def _is_ours(row: Any, held: Collection[int]) -> bool:
    """Whether this start is one whose answer was lost: to wait for its lease would count a crash."""
    return row.state == TaskState.RUNNING and row.claimed_until in held


def _has_failed(row: Any) -> bool:
    return row is not None and row.state == TaskState.FAILED


def _work(ledger: Ledger, start: Start, watched: dict[changes.PageKey, Watch]) -> Work:
    row, job = start.row, start.job
    return Work(
        id=row.id,
        kind=TaskKind(row.kind),
        url=(row.origin or job.origin or "") + row.path,
        attempt=1 if start.is_reopened else row.attempts + 1,
        max_attempts=row.max_attempts,
        run=row.run + 1,
        job=job,
        depth=row.depth or 0,
        is_start=row.source_type == SourceType.MANUAL,
        first=None if start.is_reopened else _first_request(row),
        watch=watched.get((job.domain.id, row.url_hash), Watch()),
        held_since=ledger.now,
    )


def _first_request(row: Any) -> FirstRequest | None:
    """What the first request brought, where only the second is left: nothing else leaves a cache status behind."""
    if row.cache_status not in UNCACHED:
        return None
    fetched = Fetched(row.status_code, row.response_time, row.bytes, row.content_type, CacheStatus(row.cache_status))
    return FirstRequest(fetched, row.links_found or 0)


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
    fresh = {"attempts": 0, "crashes": 0, "cache_status": None, "completed_at": None, "error": None}
    reopened = update(tasks).where(_T.id.in_([row.id for row in rows]))
    ledger.conn.execute(reopened.values(state=TaskState.QUEUED, queued_at=ledger.now, **fresh))
    for row in rows:
        account = ledger.account(row.job_id)
        if row.kind == TaskKind.DISCOVER_PAGES:
            account.discovery_reopened()
        else:
            account.tally.add(row.state, row.status_code, row.cache_status, row.response_time, row.bytes, sign=-1)
            account.reopened()
    return {row.id for row in rows}
