"""The part of the hot transaction that puts tasks off, or back."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, func, select, update

from shared.stages import Delay, Work
from shared.states import TaskKind, TaskState
from shared.store.ledger import Ledger
from shared.store.tables import IS_IN_FLIGHT, tasks

_T = tasks.c
_DELAY = (
    update(tasks)
    .where(_T.id == bindparam("task"))
    .values(
        state=bindparam("to"),
        claimed_until=None,
        crashes=0,  # its worker outlived it: it is no poison
        attempts=bindparam("n"),
        next_attempt_at=bindparam("at"),
        error=bindparam("reason"),
        status_code=bindparam("code"),
        response_time=bindparam("ms"),
    )
)


_COUNT = (
    select(func.count())
    .select_from(tasks)
    .where(_T.job_id == bindparam("job"), IS_IN_FLIGHT, _T.state == TaskState.DELAYED)
)


def delay(ledger: Ledger, delayed: Sequence[tuple[Delay, Any]]) -> set[int]:
    """Puts locked tasks off. Those that gave their slots back and are pending again."""
    put_back = _put_back(ledger, delayed) if any(o.yields for o, _ in delayed) else set()
    if delayed:
        ledger.conn.execute(_DELAY, [_delay_values(o, row, row.id in put_back) for o, row in delayed])
    return put_back


def _put_back(ledger: Ledger, delayed: Sequence[tuple[Delay, Any]]) -> set[int]:
    """Which tasks give their slots back: half of a job's slots are for hosts that need not be waited for."""
    by_job: dict[int, list[Any]] = defaultdict(list)
    for o, row in delayed:
        if o.yields and row.kind == TaskKind.CRAWL_PAGE:
            by_job[row.job_id].append(row)
    put_back: set[int] = set()
    for job_id, rows in by_job.items():
        account = ledger.account(job_id)
        waiting = ledger.conn.execute(_COUNT, {"job": job_id}).scalar_one()
        over = rows[max(0, account.half - waiting) :]
        put_back |= {row.id for row in over}
        account.n_inflight -= len(over)
    return put_back


def _delay_values(o: Delay, row: Any, put_back: bool) -> dict[str, Any]:
    return {
        "task": row.id,
        "to": TaskState.PENDING if put_back else TaskState.DELAYED,
        "n": row.attempts + (1 if o.spends_attempt else 0),
        "at": None if put_back else o.at,
        "reason": o.reason,
        "code": o.fetched.status_code,
        "ms": o.fetched.response_time,
    }


def release(ledger: Ledger, released: Sequence[Work]) -> set[int]:
    """Back to queued, as if never started; the worker puts the RQ job back to the front itself.

    Those of paused jobs, which are returned, it does not: the ledger delays them until the job goes on.
    """
    if released:
        back = update(tasks).where(_T.id.in_(sorted(work.id for work in released)))
        ledger.conn.execute(back.values(state=TaskState.QUEUED, queued_at=ledger.now, claimed_until=None))
    return {work.id for work in released if ledger.account(work.job.id).is_paused}
