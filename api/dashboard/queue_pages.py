"""`/queues/jobs`: queue jobs by state, one by one and in bulk."""

from collections.abc import Callable
from typing import Annotated, Any, cast

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from api import lookup, queue_jobs
from api.context import Answer, Call
from api.dashboard import urls
from api.inputs import read_query
from api.schemas.common import Data, DataPage, Meta, NoBody, NoQuery
from api.schemas.queue_jobs import ListQueueJobs, QueueJob, QueueJobDetail, Retried, RetryFailed
from shared import ids, queue_ops
from shared.errors import Conflict, Invalid, NotFound
from shared.store import queue_search

#: as Bull Board orders them
STATES = ("active", "waiting", "completed", "failed", "delayed")
_MOST = 100
_ACTIONS: dict[str, Callable[[Call, NoBody], Any]] = {
    "retry": queue_jobs.retry_queue_job,
    "promote": queue_jobs.promote_queue_job,
    "cancel": queue_jobs.cancel_queue_job,
}


class FindQueueJobs(ListQueueJobs):
    """Which queue jobs, and what came of the last form."""

    q: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    done: int | None = None
    left: int | None = None


def show(call: Call) -> ResponseReturnValue:
    """Queue jobs, with the API's filters, or those that a search finds."""
    return urls.without_empty() or _list(call)


def _list(call: Call) -> tuple[str, int]:
    errors: dict[str, str] = {}
    try:
        which = read_query(request, FindQueueJobs)
    except Invalid as error:
        which, errors = FindQueueJobs.model_validate({}), dict(error.details)
    found, meta, is_complete = _found(call, which)
    html = render_template(
        "queue_jobs.html",
        found=found,
        meta=meta,
        is_complete=is_complete,
        which=which,
        errors=errors,
        states=STATES,
        counts=call.queue.counts(),
    )
    return html, 400 if errors else 200


def _found(call: Call, which: FindQueueJobs) -> tuple[list[QueueJob], Meta, bool]:
    if which.q is None:
        listed = cast(DataPage[QueueJob], queue_jobs.list_queue_jobs(call, which).body)
        return listed.data, listed.meta, True
    records, is_complete = queue_search.find(call.store, queue_jobs.which_of(call, which), which.q.strip(), _MOST)
    found = [queue_jobs.queue_job(record) for record in records]
    return found, Meta(total=len(found), page=1, page_size=_MOST), is_complete


def show_one(call: Call) -> ResponseReturnValue:
    """A queue job: what it is, what came of it, and what Redis holds of it."""
    read_query(request, NoQuery)
    record = lookup.task(call, call.path["id"], "Job")
    try:
        job = _detail(queue_jobs.get_queue_job(call, NoQuery()))
    except NotFound:
        job = None  # pending, skipped or cancelled: the queue does not know it
    return render_template(
        "queue_job.html",
        job=job,
        record=record,
        payload=queue_ops.payload(call.queue, ids.task_uuid(record.job.ms, record.id).hex),
        function=queue_jobs.function_of(record),
    )


def act(call: Call) -> ResponseReturnValue:
    """Retries, promotes or cancels one. Raises NotFound for anything else."""
    _action(call.path["action"])(call, NoBody())
    return redirect(f"/queues/jobs/{call.path['id']}", 303)


def act_on_some(call: Call) -> ResponseReturnValue:
    """The same with those that are chosen; what is in another state by now is left out, and counted."""
    action, chosen = _action(request.form.get("action", "")), request.form.getlist("id")[:_MOST]
    done = 0
    for job_id in chosen:
        try:
            action(Call(call.services, {"id": job_id}, call.key, call.root), NoBody())
        except (Conflict, NotFound):
            continue
        done += 1
    return _back(done, len(chosen) - done)


def retry_failed(call: Call) -> ResponseReturnValue:
    """Runs all that failed again, as far as the API does at once."""
    answer = queue_jobs.retry_failed(call, RetryFailed.model_validate({}))
    return _back(cast(Data[Retried], answer.body).data.retried, 0)


def _back(done: int, left: int) -> ResponseReturnValue:
    status = request.form.get("status", "")
    kept = f"status={status}&" if status in STATES else ""
    return redirect(f"/queues/jobs?{kept}done={done}&left={left}", 303)


def _action(name: str) -> Callable[[Call, NoBody], Any]:
    if name not in _ACTIONS:
        raise NotFound("There is no such action")
    return _ACTIONS[name]


def _detail(answer: Answer) -> QueueJobDetail:
    return cast(Data[QueueJobDetail], answer.body).data
