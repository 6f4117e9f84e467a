"""A client of the Redis that the sentinels call the master at that moment."""

import copy
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.sentinel_url import parse

#: most seconds that a sentinel has for its answer: the next one knows the same
_PATIENCE = 0.5


class _Sentinels(Sentinel):
    """redis-py's, for many threads."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """The master's address. Raises MasterNotFoundError."""
        # redis-py moves the one that answered to the front; two threads at once would lose one of the list
        seen = copy.copy(self)
        seen.sentinels = list(self.sentinels)
        found: tuple[str, int] = super(_Sentinels, seen).discover_master(service_name)  # type: ignore[no-untyped-call]
        self.sentinels = seen.sentinels
        return found


def connect_master(url: str, options: dict[str, Any]) -> Redis:
    """A client that asks the sentinels at each new connection. Opens none yet. Raises SettingsError.

    options: arguments of redis-py for the connection to the master. Its `socket_connect_timeout` bounds the whole
    round of questions too, so that sentinels which do not answer cost no more than a Redis that does not.
    """
    said = parse(url)
    patience = min(_PATIENCE, options["socket_connect_timeout"] / len(said.sentinels))
    bounds = {"socket_connect_timeout": patience, "socket_timeout": patience, "retry": Retry(NoBackoff(), 0)}
    sentinels = _Sentinels(said.sentinels, sentinel_kwargs={**said.sentinel, **bounds})  # type: ignore[no-untyped-call]
    client: Redis = sentinels.master_for(said.service, **said.redis, **options)  # type: ignore[no-untyped-call]
    return client
