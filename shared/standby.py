"""The start of a process whose services may be away: it waits with backoff, says for what, and goes on by itself."""

import logging
import math
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from shared.errors import Unavailable
from shared.queue import connect, redis_errors
from shared.store import Store, migrate

log = logging.getLogger(__name__)

#: seconds between two looks: the first pause, and the longest
_FIRST, _LONGEST = 0.25, 5.0
#: seconds after which a line that is still true is said again
_SAY_AGAIN = 60.0


@dataclass(frozen=True, slots=True)
class Need:
    """A service that a process cannot begin without."""

    #: for the log: what it is, where, and by which setting; no secrets
    name: str
    #: raises Unavailable while the process cannot begin
    check: Callable[[], None]


def redis_need(url: str) -> Need:
    """A Redis that answers. Raises SettingsError."""
    # tries of its own would only delay the line that says why we wait
    redis = connect(url, retry=Retry(NoBackoff(), 0))

    def ping() -> None:
        with redis_errors():
            redis.ping()

    return Need(f"Redis at {_address(redis)} (REDIS_URL)", ping)


def store_need(store: Store) -> Need:
    """A database that answers, with the newest schema."""
    return Need(f"the database at {store.address} (DATABASE_URL)", lambda: migrate.require_current(store))


def stand_by(needs: Sequence[Need], patience: float = math.inf, sleep: Callable[[float], None] = time.sleep) -> None:
    """Waits until all are there; SIGTERM and SIGINT end the process meanwhile, and until the caller handles them.

    A wrong address and an outage look the same from here: both are waited for, and the log names what and where.
    Raises Unavailable when something is away after `patience` seconds, and at once what no waiting mends.
    """
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: sys.exit(0))
    end, pause, said = time.monotonic() + patience, _FIRST, _Said()
    while away := [error for need in needs if (error := said.look(need))]:
        if time.monotonic() > end:
            raise away[0]
        sleep(random.uniform(pause / 2, pause))  # nosec B311
        pause = min(2 * pause, _LONGEST)


@dataclass(slots=True)
class _Said:
    """What the log has been told of each need, and when."""

    lines: dict[str, tuple[str, float]] = field(default_factory=dict)

    def look(self, need: Need) -> Unavailable | None:
        """Why a service is away; None when it is there."""
        try:
            need.check()
        except Unavailable as error:
            self._say(need.name, error.message)
            return error
        if self.lines.pop(need.name, None):
            log.info("%s is there", need.name)
        return None

    def _say(self, name: str, why: str) -> None:
        known, at = self.lines.get(name, ("", -math.inf))
        if why != known or time.monotonic() - at > _SAY_AGAIN:
            log.warning("waiting for %s: %s", name, why)
            self.lines[name] = why, time.monotonic()


def _address(redis: Redis) -> str:
    """Where a client connects to: what the driver has read, so that no password is taken for a host."""
    pool = redis.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        asked = ", ".join(_address(sentinel) for sentinel in pool.sentinel_manager.sentinels)
        return f"{pool.service_name} of the sentinels {asked}"
    said = pool.connection_kwargs
    return str(said.get("path") or f"{said.get('host', 'localhost')}:{said.get('port', 6379)}")
