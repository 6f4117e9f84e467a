"""`/jobs/{id}/tasks/{id}`: one page of a crawl."""

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from api import lookup, tasks
from api.context import Call
from shared import jobs as cases
from shared.clock import SECOND
from shared.errors import NotFound
from shared.states import TaskState
from shared.store import notes
from shared.store.task_records import TaskRecord


def show(call: Call) -> ResponseReturnValue:
    """What is known of the task."""
    record = _record(call)
    return render_template(
        "task.html",
        task=tasks.task_result(record),
        record=record,
        job_id=record.job.uid,
        domain=record.job.domain.host,
        title=_title(call, record),
        redirects=notes.redirects_of(call.store, record.id),
        took=_took(record),
        is_failed=record.state is TaskState.FAILED,
    )


def retry(call: Call) -> ResponseReturnValue:
    """Runs a failed task again."""
    record = _record(call)
    cases.retry_task(call.store, call.queue, call.organisation_id, record.id)
    return redirect(f"/jobs/{record.job.uid}/tasks/{record.uid}", 303)


def _record(call: Call) -> TaskRecord:
    job = lookup.job(call, call.path["job_id"])
    record = lookup.task(call, call.path["task_id"])
    if record.job.id != job.id:
        raise NotFound("Task not found")
    return record


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
