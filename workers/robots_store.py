"""robots.txt files that any worker has fetched lately, kept in Redis for all of them."""

import zlib
from dataclasses import dataclass

import orjson
from redis import Redis

from shared.queue import redis_errors

#: seconds that a file is kept for the time when it cannot be had (RFC 9309, 2.4)
KEPT = 7 * 86_400
#: seconds that one fetch may take
_FETCHING = 60


@dataclass(frozen=True, slots=True)
class StoredRobots:
    """One origin's file, or why it could not be had. Moments in seconds since the epoch."""

    #: None: never had
    text: str | None
    fresh_until: float
    #: the newest fetch failed so (kind and message), and is not to be repeated before `fresh_until`
    failure: tuple[str, str] | None = None
    retry_after: str | None = None


class RobotsStore:
    """The files by origin. Every call raises QueueUnavailable when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(self, origin: str) -> StoredRobots | None:
        """What is known of an origin's file."""
        with redis_errors():
            packed = self._redis.get(_key(origin))
        return StoredRobots(*orjson.loads(zlib.decompress(packed))) if isinstance(packed, bytes) else None

    def put(self, origin: str, robots: StoredRobots) -> None:
        """Keeps a file, and lets the next one fetch it."""
        values = [robots.text, robots.fresh_until, robots.failure, robots.retry_after]
        with redis_errors(), self._redis.pipeline() as pipe:
            pipe.set(_key(origin), zlib.compress(orjson.dumps(values), 1), ex=KEPT)
            pipe.delete(_lock(origin))
            pipe.execute()

    def may_fetch(self, origin: str) -> bool:
        """Whether nobody else is fetching the file; if so, the others wait until it is put or given up."""
        with redis_errors():
            return bool(self._redis.set(_lock(origin), "1", nx=True, ex=_FETCHING))

    def give_up(self, origin: str) -> None:
        """The fetch was not ended."""
        with redis_errors():
            self._redis.delete(_lock(origin))


def _key(origin: str) -> str:
    return f"crawlyard:robots:{origin}"


def _lock(origin: str) -> str:
    return f"crawlyard:robots-fetch:{origin}"
