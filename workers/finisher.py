"""Ends executions in Redis, many in one call: what RQ leaves behind a job, by `shared/lua/finish.lua`."""

import binascii
import logging
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq.defaults import RQ_KEY_PREFIX, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.utils import utcformat

from shared.errors import QueueFault, QueueUnavailable
from shared.queue import redis_errors, script
from shared.rqtypes import OrjsonSerializer
from workers.executions import Running

log = logging.getLogger(__name__)

_MOST = 100
#: finishes kept for a Redis that is away; the sweep makes good what falls out
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended. Verbs: ok, fail, delay, release, drop (see finish.lua)."""

    running: Running
    verb: str
    value: Any = None
    error: str = ""
    #: seconds that Redis keeps the job; -1 for ever
    ttl: int = 600
    #: delay: due, seconds since the epoch
    due: int = 0

    def fields(self) -> tuple[Any, ...]:
        """The eight arguments of finish.lua."""
        r = self.running
        told, more = _compressed(self.error) if self.verb == "fail" else (_encoded(self.value), self.due)
        return (self.verb, r.job_id, r.queue, r.execution_id, r.begun, self.ttl, told, more)


def _compressed(error: str) -> tuple[bytes, bytes | int]:
    """For the result, and for the job."""
    compressed = zlib.compress(error.encode(errors="replace"))
    return binascii.b2a_base64(compressed, newline=False), compressed


def _encoded(value: Any) -> bytes:
    if value is None:
        return b""
    try:
        return binascii.b2a_base64(OrjsonSerializer.dumps(value), newline=False)
    except TypeError:
        return binascii.b2a_base64(OrjsonSerializer.dumps(UNSERIALIZABLE_RETURN_VALUE_PAYLOAD), newline=False)


class Finisher(threading.Thread):
    """The thread that ends executions. Batches form while a call runs."""

    def __init__(self, redis: Redis, worker: str, on_dependents: Callable[[str, str], None]) -> None:
        super().__init__(name="finisher", daemon=True)
        self._script = script(redis, "finish")
        self._worker, self._on_dependents = worker, on_dependents
        self._endings: deque[Ending] = deque(maxlen=_KEPT)
        self._wake = threading.Condition()
        self._stopping = False

    def put(self, ending: Ending) -> None:
        """Ends an execution soon."""
        with self._wake:
            self._endings.append(ending)
            self._wake.notify()

    def stop(self, seconds: float | None = None) -> None:
        """Ends what is there, then the thread; waits no longer than that for a Redis that hangs."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self.join(seconds)

    def run(self) -> None:
        """The thread's loop."""
        wait = 0.0
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._endings or self._stopping)
                if not self._endings:
                    return
                if wait:
                    self._wake.wait_for(lambda: self._stopping, wait)
                batch = [self._endings.popleft() for _ in range(min(len(self._endings), _MOST))]
            wait = self._finish_or_keep(batch, wait)
            if wait and self._stopping:
                return

    def _finish_or_keep(self, batch: list[Ending], wait: float) -> float:
        """Seconds to wait before the next try: none when it worked."""
        try:
            self.finish(batch)
        except QueueUnavailable as error:
            log.warning("%s: %d endings wait", error.message, len(batch))
            with self._wake:
                self._endings.extendleft(reversed(batch))
            return min(max(wait * 2, 0.1), 2.0)
        except QueueFault as error:
            self._finish_alone(batch, error)
        except Exception:  # boundary: the thread must outlive any job; the leases of these run out
            log.exception("%d endings cannot be told to Redis", len(batch))
        return 0.0

    def _finish_alone(self, batch: list[Ending], error: QueueFault) -> None:
        """One ending that Redis refuses must not hold up the others."""
        if len(batch) > 1:
            for ending in batch:
                self._finish_or_keep([ending], 0.0)
        else:
            log.error("job %s cannot be ended: %s", batch[0].running.job_id, error.message)

    def finish(self, batch: list[Ending]) -> None:
        """Ends executions now. Raises QueueUnavailable."""
        now = datetime.now(UTC)
        moment = time.monotonic()
        worked = sum(moment - e.running.started for e in batch)
        args: list[Any] = [RQ_KEY_PREFIX, self._worker, utcformat(now), now.timestamp(), f"{worked:.6f}"]
        for ending in batch:
            args += ending.fields()
        with redis_errors():
            changed = self._script(args=args)
        for ending, code in zip(batch, changed, strict=True):
            if code == 2:
                self._enqueue_dependents(ending.running)

    def _enqueue_dependents(self, running: Running) -> None:
        try:
            self._on_dependents(running.job_id, running.queue)
        except QueueUnavailable:
            raise
        except Exception:  # boundary: RQ's methods on data that others wrote; the thread must outlive it
            log.exception("what depends on job %s was not enqueued", running.job_id)
