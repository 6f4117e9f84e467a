"""The outbox: an event becomes a delivery to each webhook that wants it, in the transaction that makes it true."""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Connection, Text, bindparam, insert, select

from shared import ids
from shared.clock import iso, now_us
from shared.states import DeliveryState, JobState, TaskState
from shared.store import counters
from shared.store.tables import domains, job_state, jobs
from shared.store.task_lists import FIRST_PAGE_SEQ
from shared.store.webhook_tables import webhook_deliveries, webhooks

JOB_COMPLETED = "job.completed"
JOB_FAILED = "job.failed"
JOB_CANCELLED = "job.cancelled"
PAGE_CHANGED = "page.changed"
SCHEDULE_MISSED = "schedule.missed"
#: all that a webhook can ask for
TYPES = (JOB_CANCELLED, JOB_COMPLETED, JOB_FAILED, PAGE_CHANGED, SCHEDULE_MISSED)

_W = webhooks.c
_WANTING = select(_W.id).where(
    _W.organisation_id == bindparam("organisation"),
    _W.is_active == 1,
    _W.events.like(bindparam("pattern", type_=Text)),
)


def emit(connection: Connection, organisation_id: int, type: str, payload: dict[str, Any]) -> None:
    """Tells the organisation's webhooks that want this type, once the caller's transaction is committed.

    `payload` is what JSON can hold.
    """
    emit_many(connection, organisation_id, type, [payload])


def emit_many(connection: Connection, organisation_id: int, type: str, payloads: Iterable[dict[str, Any]]) -> None:
    """Several events of one type; see `emit`. Raises ValueError for an unknown type.

    Where no active webhook wants them they cost one look, and `payloads` are not even asked for.
    """
    if type not in TYPES:
        raise ValueError(f"{type!r} is no type of event")
    wanted = {"organisation": organisation_id, "pattern": pattern(type)}
    wanting = connection.execute(_WANTING.order_by(_W.id), wanted).scalars().all()
    if not wanting:
        return
    now = now_us()
    common = {"event_type": type, "state": DeliveryState.PENDING, "next_attempt_at": now, "created_at": now}
    told = [{**common, "message_id": new_message_id(), "payload": body(type, payload, now)} for payload in payloads]
    if told:
        rows = [{**event, "webhook_id": webhook} for event in told for webhook in wanting]
        connection.execute(insert(webhook_deliveries), rows)


def body(type: str, data: dict[str, Any], at: int) -> str:
    """The JSON of an event (Standard Webhooks, "Payload structure"); `at` in microseconds."""
    return orjson.dumps({"type": type, "timestamp": iso(at), "data": data}).decode()


def new_message_id() -> str:
    """The `webhook-id` of an event: the same at each attempt, so that a receiver knows a repetition."""
    return f"msg_{ids.new_uuid().hex}"


def pattern(type: str) -> str:
    """What `webhooks.events` is LIKE when it names this type."""
    return f"% {type} %"


# -- the ends of jobs ---------------------------------------------------------------

_ENDS = {
    JobState.COMPLETED: JOB_COMPLETED,
    JobState.FAILED: JOB_FAILED,
    JobState.CANCELLED: JOB_CANCELLED,
}
_IS_WANTED = (
    select(_W.id)
    .join(jobs, jobs.c.organisation_id == _W.organisation_id)
    .where(jobs.c.id == bindparam("job"), _W.is_active == 1, _W.events.like(bindparam("pattern", type_=Text)))
    .limit(1)
)
_JOB = (
    select(jobs, domains.c.host, job_state.c.next_seq)
    .join(domains, domains.c.id == jobs.c.domain_id)
    .join(job_state, job_state.c.job_id == jobs.c.id)
    .where(jobs.c.id == bindparam("job"))
)


def job_ended(connection: Connection, job_no: int, state: JobState) -> None:
    """Emits the end of a job, in the transaction that ends it and after its row and counts are written."""
    type = _ENDS[state]
    if connection.execute(_IS_WANTED, {"job": job_no, "pattern": pattern(type)}).first() is None:
        return
    row = connection.execute(_JOB, {"job": job_no}).one()
    emit(connection, row.organisation_id, type, _job(row, counters.read(connection, job_no)))


def _job(row: Any, counts: counters.Counts) -> dict[str, Any]:
    total = max(0, row.next_seq - FIRST_PAGE_SEQ)
    completed, failed = counts.ended(TaskState.COMPLETED), counts.ended(TaskState.FAILED)
    return {
        "id": str(ids.encode(ids.Kind.JOB, row.created_at // 1000, row.id)),
        "domain": row.host,
        "domain_id": row.domain_id,
        "status": JobState(row.state).name.lower(),
        "error": row.error,
        "source_type": row.source_type,
        "source_detail": row.source_detail,
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "completed_at": iso(row.completed_at),
        "total_tasks": total,
        "completed_tasks": completed,
        "failed_tasks": failed,
        # nothing is open in a job that ended; what a cancel still has to mark is counted already
        "skipped_tasks": total - completed - failed,
    }
