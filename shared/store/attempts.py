"""Finished attempts of tasks: written with the outcome that ends them, read one task at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from shared import ids
from shared.answers import AnswerFacts, unpacked
from shared.stages import Delay, Finish
from shared.states import TaskState
from shared.store.attempt_tables import task_attempts
from shared.store.engine import Store
from shared.store.hot_rows import HotInsert

#: of one task; an operator may retry it for ever
KEPT = 50
#: rows deleted in one transaction
_CHUNK = 5000
_A = task_attempts.c
#: what is told of the second request comes later
_LATER = ("second_status_code", "second_answer")
_ADD = HotInsert(task_attempts, [c.name for c in task_attempts.c if c.name not in _LATER])
_NEWEST = task_attempts.alias()
_SECOND = (
    update(task_attempts)
    .where(
        _A.task_id == bindparam("task"),
        _A.run == select(func.max(_NEWEST.c.run)).where(_NEWEST.c.task_id == bindparam("task")).scalar_subquery(),
    )
    .values(second_status_code=bindparam("code"), second_answer=bindparam("facts"))
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A finished attempt. Times in microseconds."""

    #: COMPLETED, FAILED or SKIPPED; DELAYED where another one follows
    state: TaskState
    started_at: int | None
    ended_at: int
    status_code: int | None
    #: milliseconds
    response_time: int | None
    error: str | None
    #: None where no answer came
    answer: AnswerFacts | None
    #: name of the process that made it
    worker: str | None
    #: the answer of the second (cache) request that followed
    second_status_code: int | None
    second_answer: AnswerFacts | None


def record(conn: Connection, ended: Iterable[tuple[Finish | Delay, Any]], now: int, worker: str | None) -> None:
    """Keeps the attempts of a worker that these outcomes of locked tasks end."""
    rows = [_row(o, row, now, worker) for o, row in ended if _is_attempt(o)]
    if rows:
        _ADD.put(conn, rows)
    for row in rows:
        if row["run"] > KEPT:
            conn.execute(delete(task_attempts).where(_A.task_id == row["task_id"], _A.run <= row["run"] - KEPT))


def record_second(conn: Connection, finished: Iterable[Finish]) -> None:
    """Keeps what the second requests were answered, beside the attempts that they belong to."""
    answered = [(o.work.id, o.second) for o in finished if o.second is not None]
    if answered:
        rows = [{"task": task, "code": f.status_code, "facts": f.answer} for task, f in answered]
        conn.execute(_SECOND, rows)


def _is_attempt(o: Finish | Delay) -> bool:
    if isinstance(o, Delay):
        return o.spends_attempt
    # the second request is no attempt of its own, and what was never asked for was not tried
    return o.work.first is None and (o.state is not TaskState.SKIPPED or o.fetched.answer is not None)


def _row(o: Finish | Delay, row: Any, now: int, worker: str | None) -> dict[str, Any]:
    return {
        "task_id": row.id,
        "run": row.run,
        "state": o.state if isinstance(o, Finish) else TaskState.DELAYED,
        "started_at": row.started_at,
        "ended_at": now,
        "status_code": o.fetched.status_code,
        "response_time": o.fetched.response_time,
        "error": o.error if isinstance(o, Finish) else o.reason,
        "answer": o.fetched.answer,
        "worker": worker,
    }


def of_task(store: Store, task_id: int) -> list[Attempt]:
    """The newest KEPT attempts of a task, in the order in which they were made."""
    query = select(task_attempts).where(_A.task_id == task_id).order_by(_A.run.desc()).limit(KEPT)
    with store.read() as conn:
        return [_attempt(row) for row in conn.execute(query)][::-1]


def _attempt(row: Any) -> Attempt:
    known = (row.started_at, row.ended_at, row.status_code, row.response_time, row.error)
    answer, second = _facts(row.answer), _facts(row.second_answer)
    return Attempt(TaskState(row.state), *known, answer, row.worker, row.second_status_code, second)


def _facts(stored: bytes | None) -> AnswerFacts | None:
    return None if stored is None else unpacked(stored)


def forget_job(conn: Connection, job_no: int) -> int:
    """Deletes some of the attempts of a job's tasks; how many."""
    mine = (_A.task_id >= ids.pack(job_no, 0), _A.task_id < ids.pack(job_no + 1, 0))
    some = select(_A.task_id).where(*mine).order_by(_A.task_id).limit(_CHUNK)
    return conn.execute(delete(task_attempts).where(_A.task_id.in_(some.scalar_subquery()))).rowcount
