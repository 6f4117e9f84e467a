"""`/api/queues` and `/api/workers`: operations."""

from api.context import Answer, Call
from api.schemas.common import Data, NoBody, NoQuery
from api.schemas.queue_jobs import QueueList, QueueResult, WorkerList, WorkerResult
from shared import queue_ops
from shared.queue_ops import QueueInfo, WorkerInfo


def list_queues(call: Call, _given: NoQuery) -> Answer:
    """All queues and what is in them."""
    return Answer(QueueList(data=[_queue(info) for info in queue_ops.queues(call.queue)]))


def pause_queue(call: Call, _given: NoBody) -> Answer:
    """From now on workers take nothing from this queue."""
    return Answer(Data[QueueResult](data=_queue(queue_ops.pause(call.store, call.queue, call.path["name"]))))


def resume_queue(call: Call, _given: NoBody) -> Answer:
    """Workers take from this queue again."""
    return Answer(Data[QueueResult](data=_queue(queue_ops.resume(call.store, call.queue, call.path["name"]))))


def list_workers(call: Call, _given: NoQuery) -> Answer:
    """The worker processes that are registered."""
    return Answer(WorkerList(data=[_worker(info) for info in queue_ops.workers(call.queue)]))


def _queue(info: QueueInfo) -> QueueResult:
    return QueueResult(
        name=info.name,
        paused=info.is_paused,
        waiting=info.waiting,
        active=info.active,
        completed=info.completed,
        failed=info.failed,
        delayed=info.delayed,
    )


def _worker(info: WorkerInfo) -> WorkerResult:
    return WorkerResult(
        name=info.name,
        state=info.state,
        queues=list(info.queues),
        hostname=info.hostname,
        pid=info.pid,
        active_jobs=info.active,
        birth=info.birth,
        last_heartbeat=info.last_heartbeat,
        successful_jobs=info.successful,
        failed_jobs=info.failed,
        total_working_time=info.working_time,
    )
