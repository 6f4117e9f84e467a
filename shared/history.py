"""The last hour of the queue: samples that the scheduler takes, in one short list in Redis that may be lost."""

import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise

import orjson

from shared import measures
from shared.measures import TASKS
from shared.queue import TaskQueue, redis_errors

KEY = "crawlyard:history"
_TAKEN = "crawlyard:history:taken"
#: seconds between two samples, whoever takes them
EVERY = 10
#: seconds that are kept
SPAN = 3600
_MOST = SPAN // EVERY


@dataclass(frozen=True, slots=True)
class Sample:
    """The queue at one moment."""

    #: seconds since the epoch
    at: float
    waiting: int
    active: int
    delayed: int
    #: tasks that ended so, since Redis was empty
    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Tasks a minute, between two samples."""

    #: seconds since the epoch
    at: float
    completed: float
    failed: float

    @property
    def failure_rate(self) -> float | None:
        """Share of the tasks that failed, of those that ended."""
        ended = self.completed + self.failed
        return self.failed / ended if ended else None


def take(queue: TaskQueue) -> bool:
    """Takes a sample, unless another scheduler just did; whether it did. Raises QueueUnavailable."""
    with redis_errors():
        if not queue.redis.set(_TAKEN, b"1", nx=True, px=EVERY * 1000 - 500):
            return False
    counts, ended = queue.counts(), _ended(queue)
    sample = Sample(round(time.time(), 1), counts.waiting, counts.active, counts.delayed, *ended)
    with redis_errors(), queue.redis.pipeline(transaction=True) as pipe:
        pipe.rpush(KEY, orjson.dumps(astuple(sample)))
        pipe.ltrim(KEY, -_MOST, -1)
        pipe.expire(KEY, SPAN)
        pipe.execute()
    return True


def _ended(queue: TaskQueue) -> tuple[int, int]:
    sums = {"completed": 0.0, "failed": 0.0}
    for (name, labels, _), value in measures.read(queue.redis).items():
        if name == TASKS.name and labels[-1] in sums:
            sums[labels[-1]] += value
    return int(sums["completed"]), int(sums["failed"])


def read(queue: TaskQueue) -> list[Sample]:
    """The samples of the last hour, oldest first. Raises QueueUnavailable."""
    with redis_errors():
        found = queue.redis.lrange(KEY, 0, -1)
    since = time.time() - SPAN
    return [sample for sample in (Sample(*orjson.loads(raw)) for raw in found) if sample.at >= since]


def paces(samples: Sequence[Sample]) -> list[Pace]:
    """How fast tasks ended between the samples; a sum that fell began anew at nought."""
    return [_pace(before, after) for before, after in pairwise(samples) if after.at > before.at]


def recent(samples: Sequence[Sample], seconds: int = 60) -> Pace | None:
    """The pace over the newest samples; None without two of them."""
    if not samples:
        return None
    near = [sample for sample in samples if sample.at >= samples[-1].at - seconds - EVERY / 2]
    return _pace(near[0], near[-1]) if len(near) > 1 else None


def _pace(before: Sample, after: Sample) -> Pace:
    minutes = (after.at - before.at) / 60
    completed, failed = (
        new - old if new >= old else new
        for old, new in ((before.completed, after.completed), (before.failed, after.failed))
    )
    return Pace(after.at, completed / minutes, failed / minutes)
