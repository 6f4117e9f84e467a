"""Per host, across all workers and jobs: how soon the next request may go, and how many at once.

A host has an interval: its robots.txt `Crawl-delay`, the operator's `CRAWLYARD_HOST_DELAY` or `_RATE`, or a
penalty that doubles with each blocking answer (403, 429, 503), and halves with each other answer and every half
minute; a host that has become slow gets one too (workers/loads.py). A task that is early gives its worker back
and is delayed until its reserved moment; only waits below half a second, shorter than the scheduler's look, are
waited out in the thread. That gives a moment to connect; once the connection is open `go` and `went` frame the
sending of the request, so that two are never closer than the interval, however late a process comes to send.
"""

import threading
import time
from collections import OrderedDict
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
#: seconds that a request which was let go may take to leave; one that took `FRESH` to hear of it asks again
_LEASE, FRESH = 10.0, 2.0


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


def _key(host: str) -> str:
    return f"crawlyard:host:{host}"


class Politeness:
    """Asks for a moment to fetch. Thread-safe; costs no call for hosts without an interval or a limit."""

    def __init__(
        self, redis: Redis, limits: Limits | None = None, threads: int = 32, clock: Callable[[], float] | None = None
    ) -> None:
        """`clock` (seconds since the epoch) stands in for this machine's and Redis' in tests."""
        self._redis, self._limits = redis, limits or Limits()
        self._given, self._clock = clock, clock or time.time
        self._reserve, self._penalise = script(redis, "reserve"), script(redis, "penalise")
        self._depart = script(redis, "depart")
        self._penalties: Mapping[str, Penalty] = {}
        self._read_at = 0.0
        self._delays: OrderedDict[str, float] = OrderedDict()
        self._obeying = threading.Lock()
        self._crowded: dict[str, float] = {}
        self.loads = HostLoads(threads)

    def wait(self, host: str, task: str, crawl_delay: float | None, urgent: bool = False) -> float:
        """Seconds until this task may connect to a host[:port]; 0: now, and the moment is taken.

        FULL where all its connections are taken. A task that got 0 calls `release` after its request. `urgent`
        goes before what others have reserved. Raises QueueUnavailable.
        """
        now = self._clock()
        if crawl_delay:
            self.obey(host, crawl_delay)
        interval, until = self._pace(host, crawl_delay, now)
        if not interval and until <= now and not self._limits.connections:
            return 0.0
        keys = [_key(host), f"crawlyard:slot:{task}", f"crawlyard:connections:{host}"]
        most, longest = self._limits.connections, self._limits.longest
        with redis_errors():
            args = [self._moment(), interval, until, int(urgent), most, task, longest, SHORT]
            wait = float(self._reserve(keys=keys, args=args))
        if wait > _CROWDED:
            self._note_crowded(host, now + wait)
        return wait

    def is_paced(self, host: str, crawl_delay: float | None) -> bool:
        """Whether requests to a host[:port] have to keep apart at present. Raises QueueUnavailable."""
        now = self._clock()
        interval, until = self._pace(host, crawl_delay, now)
        return bool(interval) or until > now

    def go(self, host: str, who: str, crawl_delay: float | None) -> float:
        """Seconds until a request may be sent on its open connection; 0: at once, and then `went` is to be called.

        Nobody else is let go in between. Raises QueueUnavailable.
        """
        return self._departs("go", host, who, *self._pace(host, crawl_delay, self._clock()))

    def went(self, host: str, who: str, crawl_delay: float | None) -> None:
        """The request that `go` let go has left. Raises QueueUnavailable."""
        self._departs("went", host, who, *self._pace(host, crawl_delay, self._clock()))

    def _departs(self, what: str, host: str, who: str, interval: float, until: float) -> float:
        with redis_errors():
            return float(self._depart(keys=[_key(host)], args=[what, self._moment(), who, interval, until, _LEASE]))

    def _pace(self, host: str, crawl_delay: float | None, now: float) -> tuple[float, float]:
        """A host's interval, and the moment before which nothing goes."""
        penalty = self._penalty(host, now)
        left = penalty.interval(now) if penalty else 0.0
        interval = max(crawl_delay or self._delays.get(host, 0.0), self._limits.interval, left)
        return interval, penalty.until if penalty else 0.0

    def _moment(self) -> float | str:
        """For the scripts: the clock of a test, or nothing, which is Redis' own."""
        return self._given() if self._given else ""

    def release(self, host: str, task: str) -> None:
        """The task's request has ended: its connection is free. Raises QueueUnavailable."""
        if self._limits.connections:
            with redis_errors():
                self._redis.zrem(f"crawlyard:connections:{host}", task)

    def obey(self, host: str, crawl_delay: float | None) -> None:
        """Remembers a host's Crawl-delay (seconds) for requests that do not look at its robots.txt themselves."""
        with self._obeying:
            if not crawl_delay:
                self._delays.pop(host, None)
                return
            self._delays[host] = crawl_delay
            self._delays.move_to_end(host)
            if len(self._delays) > _MOST_HOSTS:
                self._delays.popitem(last=False)

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
