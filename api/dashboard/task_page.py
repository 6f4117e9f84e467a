"""`/jobs/{id}/tasks/{id}`: one page of a crawl."""

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from api import lookup, task_details
from api.context import Call
from shared import jobs as cases
from shared.clock import SECOND
from shared.errors import NotFound
from shared.states import TaskState
from shared.store import attempts
from shared.store.task_records import TaskRecord


def show(call: Call) -> ResponseReturnValue:
    """What is known of the task."""
    record = task_details.record(call)
    kept = task_details.details(call, record)
    return render_template(
        "task.html",
        task=kept.task,
        record=record,
        job_id=record.job.uid,
        domain=record.job.domain.host,
        title=_title(call, record),
        redirects=kept.redirects,
        attempts=kept.attempts,
        linked_from=kept.linked_from,
        most_attempts=attempts.KEPT,
        took=_took(record),
        is_failed=record.state is TaskState.FAILED,
    )


def retry(call: Call) -> ResponseReturnValue:
    """Runs a failed task again."""
    record = task_details.record(call)
    cases.retry_task(call.store, call.queue, call.organisation_id, record.id)
    return redirect(f"/jobs/{record.job.uid}/tasks/{record.uid}", 303)


def _took(record: TaskRecord) -> float | None:
    """Seconds from the newest start to the end."""
    if record.started_at is None or record.completed_at is None:
        return None
    return (record.completed_at - record.started_at) / SECOND


def _title(call: Call, record: TaskRecord) -> str | None:
    """The page's title, where a crawl has learnt it."""
    try:
        return lookup.page(call, record.page_uid).title if record.page_uid else None
    except NotFound:
        return None
