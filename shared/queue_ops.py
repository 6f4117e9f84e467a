"""What operators see of the queue and do to it: queues, pausing, workers. Reads of RQ's own data."""

from dataclasses import dataclass
from datetime import UTC, datetime

from rq.defaults import RQ_KEY_PREFIX

from shared import doing
from shared.clock import now_us
from shared.doing import Doing
from shared.errors import NotFound
from shared.queue import ALL_QUEUES, PAUSED_KEY, TaskQueue, redis_errors
from shared.store import Store, pauses

_REGISTRIES = ("wip", "finished", "failed", "scheduled")


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """One RQ queue."""

    name: str
    is_paused: bool
    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One worker process, as it registered itself. Moments are ISO 8601."""

    name: str
    state: str
    queues: tuple[str, ...]
    hostname: str | None
    pid: int | None
    doing: Doing
    birth: str | None
    last_heartbeat: str | None
    successful: int
    failed: int
    #: seconds
    working_time: float


def queues(queue: TaskQueue) -> list[QueueInfo]:
    """All queues, in one round trip. Raises QueueUnavailable."""
    with redis_errors(), queue.redis.pipeline(transaction=True) as pipe:
        for name in ALL_QUEUES:
            pipe.sismember(PAUSED_KEY, name)
            pipe.llen(f"{RQ_KEY_PREFIX}:queue:{name}")
            for registry in _REGISTRIES:
                pipe.zcard(f"{RQ_KEY_PREFIX}:{registry}:{name}")
        values = pipe.execute()
    width = 2 + len(_REGISTRIES)
    rows = [values[i : i + width] for i in range(0, len(values), width)]
    return [QueueInfo(name, bool(row[0]), *row[1:]) for name, row in zip(ALL_QUEUES, rows, strict=True)]


def oldest_ages(queue: TaskQueue) -> dict[str, float]:
    """Seconds that the oldest waiting job of each queue waits; queues without one are left out.

    Looked for at both ends: workers put jobs back at the front. Raises QueueUnavailable.
    """
    with redis_errors(), queue.redis.pipeline(transaction=False) as pipe:
        for name in ALL_QUEUES:
            pipe.lindex(f"{RQ_KEY_PREFIX}:queue:{name}", 0)
            pipe.lindex(f"{RQ_KEY_PREFIX}:queue:{name}", -1)
        ends = [_text(value) for value in pipe.execute() if value is not None]
        for job_id in ends:
            pipe.hmget(f"{RQ_KEY_PREFIX}:job:{job_id}", "origin", "enqueued_at")
        found = pipe.execute()
    now, ages = datetime.now(UTC), dict[str, float]()
    for origin, since in found:
        if origin and since:
            name = _text(origin)
            age = (now - datetime.fromisoformat(_text(since))).total_seconds()
            ages[name] = max(ages.get(name, 0.0), age)
    return ages


def pause(store: Store, queue: TaskQueue, name: str) -> QueueInfo:
    """From now on workers take nothing from this queue. Raises NotFound, QueueUnavailable, StoreUnavailable."""
    _require_known(name)
    queue.ping()  # first: a client that is told 503 knows that nothing was recorded
    pauses.pause_queue(store, name, now_us())
    apply_pauses(store, queue)
    return _one(queue, name)


def resume(store: Store, queue: TaskQueue, name: str) -> QueueInfo:
    """Workers take from this queue again. Raises NotFound, QueueUnavailable, StoreUnavailable."""
    _require_known(name)
    queue.ping()
    pauses.resume_queue(store, name)
    apply_pauses(store, queue)
    return _one(queue, name)


def apply_pauses(store: Store, queue: TaskQueue) -> None:
    """Tells Redis, where workers look, which queues the record says are paused. Raises QueueUnavailable."""
    wanted = pauses.queues(store)
    with redis_errors():
        known = {_text(name) for name in queue.redis.smembers(PAUSED_KEY)}
        if wanted != known:
            with queue.redis.pipeline(transaction=True) as pipe:
                for name in wanted - known:
                    pipe.sadd(PAUSED_KEY, name)
                for name in known - wanted:
                    pipe.srem(PAUSED_KEY, name)
                pipe.execute()


def workers(queue: TaskQueue) -> list[WorkerInfo]:
    """The registered workers, by name. Raises QueueUnavailable."""
    with redis_errors():
        keys = sorted(_text(key) for key in queue.redis.smembers(f"{RQ_KEY_PREFIX}:workers"))
        names = [key.rpartition(":")[2] for key in keys]
        with queue.redis.pipeline(transaction=False) as pipe:
            for key, name in zip(keys, names, strict=True):
                pipe.hgetall(key)
                doing.ask(pipe, name)
            values = pipe.execute()
    found = zip(names, values[::4], zip(values[1::4], values[2::4], values[3::4], strict=True), strict=True)
    return [_worker(name, fields, doing.read(answers)) for name, fields, answers in found if fields]


@dataclass(frozen=True, slots=True)
class Payload:
    """What Redis holds of an RQ job. Moments are ISO 8601."""

    #: function and argument
    description: str
    queue: str
    status: str
    enqueued_at: str | None
    started_at: str | None
    worker: str | None


def payload(queue: TaskQueue, job_id: str) -> Payload | None:
    """What Redis holds of an RQ job, None once it is gone there. Raises QueueUnavailable."""
    names = ("description", "origin", "status", "enqueued_at", "started_at", "worker_name")
    with redis_errors():
        values = queue.redis.hmget(f"{RQ_KEY_PREFIX}:job:{job_id}", names)
    if values[1] is None:
        return None
    texts = [None if value is None else _text(value) for value in values]
    return Payload(texts[0] or "", texts[1] or "", texts[2] or "?", *(text or None for text in texts[3:]))


def _require_known(name: str) -> None:
    if name not in ALL_QUEUES:
        raise NotFound("Queue not found")


def _one(queue: TaskQueue, name: str) -> QueueInfo:
    return next(info for info in queues(queue) if info.name == name)


def _worker(name: str, raw: dict[bytes, bytes], does: Doing) -> WorkerInfo:
    fields = {_text(key): _text(value) for key, value in raw.items()}
    return WorkerInfo(
        name=name,
        state=fields.get("state") or "?",
        queues=tuple(filter(None, fields.get("queues", "").split(","))),
        hostname=fields.get("hostname") or None,
        pid=int(fields["pid"]) if fields.get("pid", "").isdigit() else None,
        doing=does,
        birth=fields.get("birth") or None,
        last_heartbeat=fields.get("last_heartbeat") or None,
        successful=int(fields.get("successful_job_count") or 0),
        failed=int(fields.get("failed_job_count") or 0),
        working_time=float(fields.get("total_working_time") or 0),
    )


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
