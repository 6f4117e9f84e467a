"""The part of the hot transaction that starts tasks, and takes failed ones back."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, update

from shared import ids
from shared.changes import Watch
from shared.models import Job
from shared.stages import Admission, Fetched, FirstRequest, Work
from shared.states import UNCACHED, CacheStatus, JobState, SourceType, TaskKind, TaskState
from shared.store import changes, jobs
from shared.store.among import among
from shared.store.ledger import Ledger
from shared.store.tables import jobs as jobs_table
from shared.store.tables import tasks

_T = tasks.c

_START = (
    update(tasks)
    .where(among(_T.id, "ids"))
    .values(
        state=TaskState.RUNNING,
        run=_T.run + 1,
        started_at=bindparam("now"),
        claimed_until=bindparam("until"),
        next_attempt_at=None,
    )
)
#: without having been in the queue
_HAND_OVER = _START.values(queued_at=bindparam("now"))


def start(ledger: Ledger, owners: dict[int, Job], until: int) -> list[Work]:
    """Starts what the ledger has claimed for the caller, held until a moment; `owners` are the jobs by number."""
    if not ledger.handed:
        return []
    rows = ledger.handed
    ledger.conn.execute(_HAND_OVER, {"ids": sorted(row.id for row in rows), "now": ledger.now, "until": until})
    watched = _watched(ledger, rows, owners)
    return [_work(ledger, row, owners[row.job_id], False, watched) for row in rows]


def admit(
    ledger: Ledger, rows: dict[int, Any], admissions: Sequence[Admission], until: int, held: Collection[int] = ()
) -> list[Work | None]:
    """Starts locked tasks, held until a moment; the work of each, None where there is nothing (more) to run.

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
    if started:
        ledger.conn.execute(_START, {"ids": sorted(started), "now": ledger.now, "until": until})
        _start_jobs(ledger, [rows[i] for i in started])
    watched = _watched(ledger, [rows[i] for i in started], loaded)
    works: list[Work | None] = []
    for a in admissions:
        # a task that was taken twice from the queue in one batch runs once
        row = rows[a.task_id] if a.task_id in started else None
        started.discard(a.task_id)
        is_reopened = row is not None and row.id in reopened
        works.append(_work(ledger, row, loaded[row.job_id], is_reopened, watched) if row is not None else None)
    return works


def _watched(ledger: Ledger, rows: Sequence[Any], loaded: dict[int, Job]) -> dict[changes.PageKey, Watch]:
    """What is known of the pages that are about to be fetched."""
    keys = [(loaded[row.job_id].domain.id, row.url_hash) for row in rows if row.kind == TaskKind.CRAWL_PAGE]
    return changes.watch(ledger.conn, keys) if keys else {}


def _is_ours(row: Any, held: Collection[int]) -> bool:
    """Whether this start is one whose answer was lost: to wait for its lease would count a crash."""
    return row.state == TaskState.RUNNING and row.claimed_until in held


def _has_failed(row: Any) -> bool:
    return row is not None and row.state == TaskState.FAILED


def _work(ledger: Ledger, row: Any, job: Job, reopened: bool, watched: dict[changes.PageKey, Watch]) -> Work:
    return Work(
        id=row.id,
        kind=TaskKind(row.kind),
        url=(row.origin or job.origin or "") + row.path,
        attempt=1 if reopened else row.attempts + 1,
        max_attempts=row.max_attempts,
        run=row.run + 1,
        job=job,
        depth=row.depth or 0,
        is_start=row.source_type == SourceType.MANUAL,
        first=None if reopened else _first_request(row),
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
