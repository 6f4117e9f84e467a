"""Per host, across all workers and jobs: how soon the next request may go, and how many at once.

A host has an interval: its robots.txt `Crawl-delay`, the operator's `CRAWLYARD_HOST_DELAY` or `_RATE`, or a
penalty that doubles with each blocking answer (403, 429, 503), and halves with each other answer and every half
minute; a host that has become slow gets one too (workers/loads.py). A task that is early gives its worker back
and is delayed until its reserved moment; only waits below half a second, shorter than the scheduler's look, are
waited out in the thread.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis import Redis
from rq.utils import as_text

from shared import urls
from shared.queue import redis_errors, script
from workers.loads import HostLoads

#: not `crawlyard:penalties`, whose three fields workers of the first version read while they are replaced
PENALTIES_KEY = "crawlyard:host-penalties"
#: seconds
HALF_LIFE = 30.0
FIRST_DELAY = 0.5
MOST_DELAY = 60.0
_NEGLIGIBLE = 0.05
#: waits up to this many seconds are waited out
SHORT = 0.5
_REFRESH = 0.5
#: a host whose next moment is further away than this leaves its job's slots to others
_CROWDED = 1.0
#: the share of an interval below the wanted one that is not worth a call
_ENOUGH = 0.7
_MOST_HOSTS = 1_000
#: the host's connections are all taken
FULL = -1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows per host. Seconds between two requests and requests at once; 0: no limit."""

    interval: float = 0.0
    connections: int = 0
    #: seconds that one request takes at most
    longest: float = 60.0


@dataclass(frozen=True, slots=True)
class Penalty:
    """How a host that blocked us, or became slow, is treated. Seconds; moments since the epoch."""

    delay: float
    at: float
    until: float
    #: blocking answers since the last other one
    blocks: int = 0

    @classmethod
    def parse(cls, text: str) -> "Penalty":
        """From what penalise.lua stores. Raises ValueError."""
        delay, at, until, blocks, _ = text.split()
        return cls(float(delay), float(at), float(until), int(blocks))

    def interval(self, now: float) -> float:
        """What is left of the delay."""
        left = self.delay * 0.5 ** (max(0.0, now - self.at) / HALF_LIFE)
        return left if left > _NEGLIGIBLE else 0.0

    def is_over(self, now: float) -> bool:
        """Whether it no longer matters."""
        return now >= self.until and not self.interval(now) and now > self.at + 20 * HALF_LIFE


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocking answers of a host since its last other one."""

    n: int = 0
    #: since the first of them
    seconds: float = 0.0


def host_of(url: str) -> str:
    """host[:port] of a canonical URL: what politeness counts by."""
    return urls.split(url)[0].partition("://")[2]


class Politeness:
    """Asks for a moment to fetch. Thread-safe; costs no call for hosts without an interval or a limit."""

    def __init__(
        self, redis: Redis, limits: Limits | None = None, threads: int = 32, clock: Callable[[], float] | None = None
    ) -> None:
        """`clock` (seconds since the epoch) stands in for this machine's and Redis' in tests."""
        self._redis, self._limits = redis, limits or Limits()
        self._given, self._clock = clock, clock or time.time
        self._reserve, self._penalise = script(redis, "reserve"), script(redis, "penalise")
        self._penalties: Mapping[str, Penalty] = {}
        self._read_at = 0.0
        self._delays: dict[str, float] = {}
        self._crowded: dict[str, float] = {}
        self.loads = HostLoads(threads)

    def wait(self, host: str, task: str, crawl_delay: float | None, urgent: bool = False) -> float:
        """Seconds until this task may fetch from a host[:port]; 0: now, and the request counts as made.

        FULL where all its connections are taken. A task that got 0 calls `release` after its request. `urgent`
        goes before what others have reserved. Raises QueueUnavailable.
        """
        now = self._clock()
        if crawl_delay:
            self.obey(host, crawl_delay)
        penalty = self._penalty(host, now)
        interval = self._interval(host, crawl_delay, penalty, now)
        until = penalty.until if penalty else 0.0
        if not interval and until <= now and not self._limits.connections:
            return 0.0
        wait = self._ask(host, task, interval, until, urgent)
        if wait > _CROWDED:
            self._note_crowded(host, now + wait)
        return wait

    def _interval(self, host: str, crawl_delay: float | None, penalty: Penalty | None, now: float) -> float:
        left = penalty.interval(now) if penalty else 0.0
        return max(crawl_delay or self._delays.get(host, 0.0), self._limits.interval, left)

    def _ask(self, host: str, task: str, interval: float, until: float, urgent: bool) -> float:
        keys = [f"crawlyard:host:{host}", f"crawlyard:slot:{task}", f"crawlyard:connections:{host}"]
        given = self._given() if self._given else ""
        most, longest = self._limits.connections, self._limits.longest
        with redis_errors():
            return float(self._reserve(keys=keys, args=[given, interval, until, int(urgent), most, task, longest]))

    def asked(self, host: str, task: str) -> None:
        """Counts a request to a host whose rules are not known yet. Raises QueueUnavailable."""
        self._ask(host, task, 0.0, 0.0, urgent=True)

    def release(self, host: str, task: str) -> None:
        """The task's request has ended: its connection is free. Raises QueueUnavailable."""
        if self._limits.connections:
            with redis_errors():
                self._redis.zrem(f"crawlyard:connections:{host}", task)

    def obey(self, host: str, crawl_delay: float | None) -> None:
        """Remembers a host's Crawl-delay (seconds) for requests that do not look at its robots.txt themselves."""
        if crawl_delay:
            if len(self._delays) >= _MOST_HOSTS:
                self._delays.clear()
            self._delays[host] = crawl_delay
        else:
            self._delays.pop(host, None)

    def crowded(self) -> frozenset[str]:
        """Hosts whose next moment is some way off: claims leave half of a job's slots to the others."""
        if not self._crowded and not self._penalties:
            return frozenset()
        now = self._clock()
        later = {host for host, until in list(self._crowded.items()) if until > now}
        later |= {host for host, penalty in self._penalties.items() if penalty.until > now + _CROWDED}
        return frozenset(later)

    def _note_crowded(self, host: str, until: float) -> None:
        if len(self._crowded) >= _MOST_HOSTS:
            self._crowded = {}
        self._crowded[host] = max(until, self._crowded.get(host, 0.0))

    def penalise(self, host: str, until: float) -> Blocks:
        """Slows a host down for everybody; nothing goes to it before `until`. Raises QueueUnavailable.

        Returns the blocking answers that it has given since the last other one.
        """
        if until > self._clock() + _CROWDED:
            self._note_crowded(host, until)
        return self._multiply(host, 2.0, FIRST_DELAY, until, "1")

    def relax(self, host: str) -> None:
        """Halves the delay of a host that answered. Raises QueueUnavailable."""
        if host in self._penalties:
            self._multiply(host, 0.5, 0.0, 0.0, "0")

    def slow(self, host: str, interval: float) -> None:
        """Gives a host that has become slow at least this interval (seconds). Raises QueueUnavailable."""
        penalty = self._penalties.get(host)
        if penalty is None or penalty.interval(self._clock()) < _ENOUGH * min(interval, MOST_DELAY):
            self._multiply(host, 1.0, interval, 0.0, "")

    def _multiply(self, host: str, factor: float, least: float, until: float, blocked: str) -> Blocks:
        args: list[str | float] = [host, self._clock(), until, HALF_LIFE, factor, least, MOST_DELAY, blocked]
        with redis_errors():
            n, since = self._penalise(keys=[PENALTIES_KEY], args=args)
        self._read_at = 0.0
        return Blocks(int(n), max(0.0, self._clock() - float(since)))

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
