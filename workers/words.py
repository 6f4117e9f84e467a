"""What a worker tells Redis of tasks: that they were started, are to be queued, have ended."""

import binascii
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rq.defaults import RQ_KEY_PREFIX, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.utils import utcformat

from shared.records import record
from shared.rqtypes import OrjsonSerializer
from shared.stages import Dispatch
from workers.executions import Running


@record(frozen=True, slots=True)
class Started:
    """A task that this worker has started by itself, without a queue."""

    dispatch: Dispatch
    execution_id: str


@record(frozen=True, slots=True)
class Queued:
    """A task for its queue."""

    dispatch: Dispatch
    #: a start of it, of which Redis was told, counts no more
    taken_back: bool = False


@record(frozen=True, slots=True)
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


Word = Started | Queued | Ending


def ending_args(endings: Sequence[Ending], worker: str) -> list[Any]:
    """All arguments of finish.lua."""
    now, moment = datetime.now(UTC), time.monotonic()
    worked = sum(moment - e.running.started for e in endings)
    args: list[Any] = [RQ_KEY_PREFIX, worker, utcformat(now), now.timestamp(), f"{worked:.6f}"]
    for ending in endings:
        args += ending.fields()
    return args


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
