"""`/queues`: queues and workers, for operators."""

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from api.context import Call
from shared import queue_ops


def show(call: Call) -> ResponseReturnValue:
    """The queues and the workers."""
    return render_template(
        "queues.html",
        queues=queue_ops.queues(call.queue),
        workers=queue_ops.workers(call.queue),
        counts=call.queue.counts(),
    )


def pause(call: Call) -> ResponseReturnValue:
    """Workers take nothing more from the queue."""
    queue_ops.pause(call.store, call.queue, call.path["name"])
    return redirect("/queues", 303)


def resume(call: Call) -> ResponseReturnValue:
    """Workers take from the queue again."""
    queue_ops.resume(call.store, call.queue, call.path["name"])
    return redirect("/queues", 303)
