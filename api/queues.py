"""`/api/queues` and `/api/workers`: operations."""

from collections.abc import Iterable
from dataclasses import dataclass

from api.context import Answer, Call
from api.schemas.common import Data, NoBody, NoQuery
from api.schemas.queue_jobs import CurrentJob, QueueList, QueueResult, WorkerList, WorkerResult
from shared import ids, queue_ops
from shared.clock import SECOND, iso
from shared.queue import ROUTES
from shared.queue_ops import QueueInfo, WorkerInfo
from shared.store import tasks
from shared.store.task_records import TaskRecord


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
    """The worker processes that are registered, and what each does."""
    infos = queue_ops.workers(call.queue)
    runs = current(call, infos)
    return Answer(WorkerList(data=[_worker(info, runs[info.name]) for info in infos]))


@dataclass(frozen=True, slots=True)
class Current:
    """A task that a worker runs."""

    task: TaskRecord
    #: ISO 8601; None of a worker that is not ours
    since: str | None


def current(call: Call, infos: Iterable[WorkerInfo]) -> dict[str, list[Current]]:
    """What each worker runs, of the caller's own organisation: URLs are their owner's business."""
    decoded = {job_id: ids.decode(job_id) for info in infos for job_id, _ in info.doing.runs}
    numbers = {job_id: found.body for job_id, found in decoded.items() if found and found.kind is ids.Kind.TASK}
    records = {task.id: task for task in tasks.some(call.store, call.organisation_id, numbers.values())}
    return {
        info.name: [
            Current(records[numbers[job_id]], _iso(since))
            for job_id, since in info.doing.runs
            if numbers.get(job_id) in records
        ]
        for info in infos
    }


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else iso(round(seconds * SECOND))


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


def _worker(info: WorkerInfo, runs: list[Current]) -> WorkerResult:
    return WorkerResult(
        name=info.name,
        state=info.state,
        queues=list(info.queues),
        hostname=info.hostname,
        pid=info.pid,
        active_jobs=info.doing.n,
        observed_at=_iso(info.doing.at),
        current=[_current(run) for run in runs],
        birth=info.birth,
        last_heartbeat=info.last_heartbeat,
        successful_jobs=info.successful,
        failed_jobs=info.failed,
        total_working_time=info.working_time,
    )


def _current(run: Current) -> CurrentJob:
    return CurrentJob(id=run.task.uid, name=ROUTES[run.task.kind].name, url=run.task.url, since=run.since)  # type: ignore[arg-type]
