"""Per host, across all workers and jobs: how soon the next request may go.

A host has an interval: its robots.txt `Crawl-delay`, the operator's `CRAWLYARD_HOST_DELAY`, or a penalty
that doubles with each blocking answer (403, 429, 503), and halves with each other answer and every half
minute. A task that is early gives its worker back and is delayed until its reserved moment; only waits
below half a second, shorter than the scheduler's look, are waited out in the thread.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis import Redis
from rq.utils import as_text

from shared.queue import redis_errors, script

PENALTIES_KEY = "crawlyard:penalties"
#: seconds
HALF_LIFE = 30.0
FIRST_DELAY = 0.5
MOST_DELAY = 60.0
_NEGLIGIBLE = 0.05
#: waits up to this many seconds are waited out
SHORT = 0.5
_REFRESH = 0.5


@dataclass(frozen=True, slots=True)
class Penalty:
    """How a host that blocked us is treated. Seconds; moments since the epoch."""

    delay: float
    at: float
    until: float

    @classmethod
    def parse(cls, text: str) -> "Penalty":
        """From what penalise.lua stores. Raises ValueError."""
        delay, at, until = (float(part) for part in text.split())
        return cls(delay, at, until)

    def interval(self, now: float) -> float:
        """What is left of the delay."""
        left = self.delay * 0.5 ** (max(0.0, now - self.at) / HALF_LIFE)
        return left if left > _NEGLIGIBLE else 0.0

    def is_over(self, now: float) -> bool:
        """Whether it no longer matters."""
        return now >= self.until and not self.interval(now)


class Politeness:
    """Asks for a moment to fetch. Thread-safe; costs nothing for hosts without an interval."""

    def __init__(self, redis: Redis, host_delay: float = 0.0, clock: Callable[[], float] = time.time) -> None:
        self._redis, self._host_delay, self._clock = redis, host_delay, clock
        self._reserve, self._penalise = script(redis, "reserve"), script(redis, "penalise")
        self._penalties: Mapping[str, Penalty] = {}
        self._read_at = 0.0

    def wait(self, host: str, task: str, crawl_delay: float | None) -> float:
        """Seconds until this task may fetch from a host[:port]; 0: now, and the request counts as made.

        Raises QueueUnavailable.
        """
        now = self._clock()
        penalty = self._penalty(host, now)
        interval = max(crawl_delay or 0.0, self._host_delay, penalty.interval(now) if penalty else 0.0)
        if not interval and (penalty is None or penalty.until <= now):
            return 0.0
        keys = [f"crawlyard:host:{host}", f"crawlyard:slot:{task}"]
        with redis_errors():
            answer = self._reserve(keys=keys, args=[now, interval, penalty.until if penalty else 0])
        return float(answer)

    def penalise(self, host: str, until: float) -> None:
        """Slows a host down for everybody; nothing goes to it before `until`. Raises QueueUnavailable."""
        self._multiply(host, 2.0, FIRST_DELAY, until)

    def relax(self, host: str) -> None:
        """Halves the delay of a host that answered. Raises QueueUnavailable."""
        if host in self._penalties:
            self._multiply(host, 0.5, 0.0, 0.0)

    def _multiply(self, host: str, factor: float, least: float, until: float) -> None:
        args: list[str | float] = [host, self._clock(), until, HALF_LIFE, factor, least, MOST_DELAY]
        with redis_errors():
            self._penalise(keys=[PENALTIES_KEY], args=args)
        self._read_at = 0.0

    def _penalty(self, host: str, now: float) -> Penalty | None:
        """By a copy of all penalties, half a second old at most: there are few, and mostly none."""
        if now - self._read_at > _REFRESH:
            self._read_at = now
            with redis_errors():
                stored = self._redis.hgetall(PENALTIES_KEY)
            self._penalties = {as_text(key): Penalty.parse(as_text(value)) for key, value in stored.items()}
            self._forget(now)
        return self._penalties.get(host)

    def _forget(self, now: float) -> None:
        over = [host for host, penalty in self._penalties.items() if penalty.is_over(now)]
        if over:
            with redis_errors():
                self._redis.hdel(PENALTIES_KEY, *over)
