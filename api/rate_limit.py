"""Requests a minute of one key: a moving window over two counters in Redis, in memory while Redis is away."""

import threading
import time
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

WINDOW = 60
#: seconds in which Redis is not asked again after it failed: no request waits for it twice
_REST = 5.0
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a key's requests."""

    limit: int
    remaining: int
    #: seconds until there is more
    reset: int
    is_exceeded: bool

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers names them."""
        fields = {"Limit": self.limit, "Remaining": self.remaining, "Reset": self.reset}
        return {f"RateLimit-{name}": str(value) for name, value in fields.items()}


class RateLimiter:
    """Counts requests. Thread-safe; `limit` 0 lets everything through."""

    def __init__(self, redis: Redis, limit: int) -> None:
        self._redis = redis
        self._limit = limit
        self._memory: dict[str, int] = {}
        self._lock = threading.Lock()
        self._asleep_until = 0.0

    def spend(self, who: str, now: float | None = None) -> Allowance | None:
        """Counts a request of `who`; None where nothing is limited. Never raises, never waits long."""
        if self._limit == 0:
            return None
        moment = time.time() if now is None else now
        minute, passed = divmod(moment, WINDOW)
        current, previous = self._count(who, int(minute))
        # the last minute's requests fade out evenly
        used = current + previous * (1 - passed / WINDOW)
        remaining = max(0, int(self._limit - used))
        return Allowance(self._limit, remaining, max(1, round(WINDOW - passed)), used > self._limit)

    def _count(self, who: str, minute: int) -> tuple[int, int]:
        names = [f"crawlyard:rate:{who}:{m}" for m in (minute, minute - 1)]
        if time.monotonic() >= self._asleep_until:
            try:
                return self._count_in_redis(*names)
            except (RedisError, OSError):
                self._asleep_until = time.monotonic() + _REST
        return self._count_in_memory(*names)

    def _count_in_redis(self, current: str, previous: str) -> tuple[int, int]:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.incr(current)
            pipe.expire(current, 2 * WINDOW)
            pipe.get(previous)
            n, _, before = pipe.execute()
        return int(n), int(before or 0)

    def _count_in_memory(self, current: str, previous: str) -> tuple[int, int]:
        with self._lock:
            if len(self._memory) >= _MOST:
                self._memory.clear()
            self._memory[current] = self._memory.get(current, 0) + 1
            return self._memory[current], self._memory.get(previous, 0)
