"""What a Redis server says about itself."""

from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.errors import QueueUnavailable
from shared.queue import connect


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What `doctor` judges."""

    version: str
    policy: str
    #: append-only file or snapshots are on
    persistent: bool
    #: the server's clock, seconds since the epoch
    clock: float


def redis_facts(url: str) -> RedisFacts:
    """Asks the server at `url`. Raises QueueUnavailable when it does not answer within 3 seconds, SettingsError."""
    try:
        once = Retry(NoBackoff(), 0)
        with connect(url, socket_timeout=3, socket_connect_timeout=3, retry=once) as link:
            info = dict(link.info())
            seconds, micros = link.time()
    except (redis.RedisError, OSError) as error:
        reason = str(error).partition("\n")[0] or repr(error)
        raise QueueUnavailable(f"Redis cannot be reached: {reason}") from None
    return RedisFacts(
        version=str(info.get("valkey_version") or info.get("redis_version", "0")),
        policy=str(info.get("maxmemory_policy", "unknown")),
        persistent=bool(info.get("aof_enabled")) or int(info.get("rdb_last_save_time", 0)) > 0,
        clock=seconds + micros / 1e6,
    )
