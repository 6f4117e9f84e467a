"""`/queues`: queues, workers and failures, for operators."""

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from api import queues as handlers
from api.context import Call
from api.dashboard.trends import trends
from api.schemas.common import NoBody
from shared import queue_ops
from shared.clock import SECOND, now_us
from shared.store import failures

_HOUR = 3600 * SECOND


def show(call: Call) -> ResponseReturnValue:
    """The queues and the workers."""
    workers = queue_ops.workers(call.queue)
    return render_template(
        "queues.html",
        queues=queue_ops.queues(call.queue),
        ages=queue_ops.oldest_ages(call.queue),
        workers=workers,
        doing=handlers.current(call, workers),
        counts=call.queue.counts(),
        trends=trends(call),
        failures=failures.by_kind(call.store, call.organisation_id, now_us() - _HOUR),
    )


def pause(call: Call) -> ResponseReturnValue:
    """Workers take nothing more from the queue."""
    handlers.pause_queue(call, NoBody())
    return redirect("/queues", 303)


def resume(call: Call) -> ResponseReturnValue:
    """Workers take from the queue again."""
    handlers.resume_queue(call, NoBody())
    return redirect("/queues", 303)
