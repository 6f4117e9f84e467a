"""`/queues`: queues, workers and failures, for operators."""

from collections import defaultdict

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from api import queues as handlers
from api.context import Call
from api.dashboard.trends import trends
from api.schemas.common import NoBody
from shared import ids, queue_ops
from shared.clock import SECOND, now_us
from shared.store import failures, tasks
from shared.store.task_records import TaskRecord

_HOUR = 3600 * SECOND


def show(call: Call) -> ResponseReturnValue:
    """The queues and the workers."""
    workers = queue_ops.workers(call.queue)
    return render_template(
        "queues.html",
        queues=queue_ops.queues(call.queue),
        ages=queue_ops.oldest_ages(call.queue),
        workers=workers,
        doing=_doing(call, [worker.name for worker in workers]),
        counts=call.queue.counts(),
        trends=trends(call),
        failures=failures.by_kind(call.store, call.organisation_id, now_us() - _HOUR),
    )


def _doing(call: Call, names: list[str]) -> dict[str, list[TaskRecord]]:
    """The tasks that each worker runs: those of the operator's own organisation, for URLs are its owner's business."""
    runs = queue_ops.doing(call.queue, names)
    decoded = {job_id: ids.decode(job_id) for job_ids in runs.values() for job_id in job_ids}
    numbers = {job_id: found.body for job_id, found in decoded.items() if found and found.kind is ids.Kind.TASK}
    records = {record.id: record for record in tasks.some(call.store, call.organisation_id, numbers.values())}
    found = defaultdict[str, list[TaskRecord]](list)
    for name, job_ids in runs.items():
        found[name] = [records[numbers[job_id]] for job_id in job_ids if numbers.get(job_id) in records]
    return found


def pause(call: Call) -> ResponseReturnValue:
    """Workers take nothing more from the queue."""
    handlers.pause_queue(call, NoBody())
    return redirect("/queues", 303)


def resume(call: Call) -> ResponseReturnValue:
    """Workers take from the queue again."""
    handlers.resume_queue(call, NoBody())
    return redirect("/queues", 303)
