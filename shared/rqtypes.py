"""RQ's job and queue with our serializer baked in, so that every tool that is handed them agrees.

`rq --job-class shared.rqtypes.CrawlJob --queue-class shared.rqtypes.CrawlQueue` and rq-scheduler both
take them; no pickle is read or written anywhere.
"""

from typing import Any

import orjson
from redis import Redis
from rq.job import Job
from rq.queue import Queue


class OrjsonSerializer:
    """RQ's serializer protocol on orjson. Raises TypeError for what JSON cannot hold."""

    @staticmethod
    def dumps(obj: Any, *_args: Any, **_kwargs: Any) -> bytes:
        """JSON bytes."""
        return orjson.dumps(obj)

    @staticmethod
    def loads(data: bytes, *_args: Any, **_kwargs: Any) -> Any:
        """The value of JSON bytes. Raises orjson.JSONDecodeError."""
        return orjson.loads(data)


class CrawlJob(Job):
    """An RQ job that is always JSON."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:
        super().__init__(id, connection=connection, serializer=OrjsonSerializer)


class CrawlQueue(Queue):
    """An RQ queue of such jobs."""

    job_class = CrawlJob

    def __init__(self, name: str = "default", **kwargs: Any) -> None:
        kwargs["serializer"] = OrjsonSerializer
        kwargs.setdefault("job_class", CrawlJob)
        super().__init__(name, **kwargs)
