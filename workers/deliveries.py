"""Jobs as a claim (`shared/lua/dequeue.lua`) brings them from their queue."""

import zlib
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis

from shared.queue import QUEUES
from shared.rqtypes import CrawlJob, CrawlQueue
from workers.executions import Running

#: hash fields whose meaning only RQ's own methods carry out
_SPECIAL = frozenset(
    {
        b"success_callback_name",
        b"failure_callback_name",
        b"stopped_callback_name",
        b"webhooks",
        b"repeats_left",
        b"retries_left",
        b"rate_limit_key",
        b"group_id",
    }
)
#: hash fields that a delivery brings along, in dequeue.lua's order
FIELDS = (b"status", b"data", b"timeout", b"result_ttl", b"failure_ttl", b"dispatched", *_SPECIAL)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job taken from a queue."""

    running: Running
    fields: dict[bytes, bytes]
    #: the dispatcher's mark is missing: an operator requeued a failed job
    requeued: bool

    @classmethod
    def from_reply(
        cls, started: float, begun: float, job_id: bytes, queue: bytes, execution: bytes, values: list[bytes | None]
    ) -> "Delivery":
        """From one job of dequeue.lua's reply to `FIELDS`; the moment, monotonic and since the epoch."""
        fields = {name: value for name, value in zip(FIELDS, values, strict=True) if value}
        deadline = started + int(fields.get(b"timeout", CrawlQueue.DEFAULT_TIMEOUT))
        running = Running(job_id.decode(), queue.decode(), execution.decode(), started, begun, deadline=deadline)
        return cls(running, fields, b"dispatched" not in fields)

    @property
    def is_special(self) -> bool:
        """Whether RQ's own methods must end it."""
        return not _SPECIAL.isdisjoint(self.fields)

    @property
    def is_task(self) -> bool:
        """Whether it is one of our tasks, by its queue; other jobs run in the default queue."""
        return self.running.queue in QUEUES

    def call(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Function name and arguments. Raises for data that is not ours."""
        name, _instance, args, kwargs = orjson.loads(zlib.decompress(self.fields[b"data"]))
        return name, args, kwargs


class Restored:
    """A delivery's RQ job, read from Redis when it is first asked for."""

    __slots__ = ("_connection", "_delivery", "_job")

    def __init__(self, connection: Redis, delivery: Delivery) -> None:
        self._connection, self._delivery = connection, delivery
        self._job: CrawlJob | None = None

    def __call__(self) -> CrawlJob:
        if self._job is None:
            job = CrawlJob(self._delivery.running.job_id, connection=self._connection)
            job.refresh()  # type: ignore[no-untyped-call]
            self._job = job
        return self._job
