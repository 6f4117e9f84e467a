"""Whole crawls in this process: the API's door, a real queue and store, a real worker; names are loopback's."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from shared.queue import TaskQueue, connect
from shared.settings import Settings
from shared.store import tables
from tests.api_kit import Api
from tests.waiting import until
from workers import runtime
from workers.executions import Executions
from workers.heartbeat import Heartbeat
from workers.successors import Successors
from workers.worker import ConcurrentWorker

SECRET_KEY = "a-secret-key-of-at-least-32-characters"


class Crawls:
    """Starts crawls over HTTP and waits for their ends."""

    def __init__(self, api: Api, redis: Redis) -> None:
        self.api = api
        self._redis = redis

    def run(self, domain: str, /, **options: Any) -> Any:
        """A crawl, when it has ended."""
        job = self.api.post("/v1/jobs", {"domain": domain, **options}, 201)
        until(lambda: self._state(job["id"]) not in ("created", "running"), 30, "the crawl has not ended")
        return self.api.get(f"/v1/jobs/{job['id']}")

    def _state(self, uid: str) -> str:
        return str(self.api.get(f"/v1/jobs/{uid}")["status"])

    def tasks(self, job: Any) -> list[Any]:
        """All page tasks of a crawl."""
        found: list[Any] = self.api.get(f"/v1/jobs/{job['id']}/tasks", limit=200)["tasks"]
        return found

    def statuses(self, job: Any) -> dict[str, str]:
        """Status by path, of all tasks."""
        return {task["path"]: task["status"] for task in self.tasks(job)}

    def dump(self) -> str:
        """All that SQL and Redis hold."""
        with self.api.store.read() as conn:
            # tuples, since the repr of a row cuts long values
            held = [tuple(row) for table in tables.metadata.sorted_tables for row in conn.execute(table.select())]
        return str(held) + str([(key, self._value(key)) for key in self._redis.keys("*")])

    def _value(self, key: bytes) -> Any:
        kind = self._redis.type(key)
        readers: dict[bytes, Any] = {
            b"string": self._redis.get,
            b"hash": self._redis.hgetall,
            b"set": self._redis.smembers,
            b"list": lambda k: self._redis.lrange(k, 0, -1),
            b"zset": lambda k: self._redis.zrange(k, 0, -1, withscores=True),
            b"stream": self._redis.xrange,
        }
        return readers[kind](key) if kind in readers else None  # type: ignore[index]


@contextmanager
def crawls(
    store_url: str, redis_url: str, home: Path, names: dict[str, str], patch: pytest.MonkeyPatch
) -> Iterator[Crawls]:
    """A system whose worker finds these host names at these loopback addresses."""
    patch.setattr("workers.egress.resolve", lambda host, port: [(int(socket.AF_INET), names.get(host, host))])
    patch.setattr(ConcurrentWorker, "_install_signal_handlers", lambda self: None)
    environ = {
        "CRAWLYARD_HOME": str(home),
        "REDIS_URL": redis_url,
        "DATABASE_URL": store_url,
        "CRAWLYARD_ALLOW_PRIVATE": "127.0.0.0/8",
        "CRAWLYARD_SECRET_KEY": SECRET_KEY,
        "CRAWLYARD_RATE_LIMIT": "0",
    }
    redis = connect(redis_url)
    ctx = runtime.build(Settings.from_env(environ), redis)
    patch.setattr(runtime, "_installed", ctx)
    executions = Executions()
    worker = ConcurrentWorker(
        redis,
        threads=8,
        grace=5,
        heartbeat=Heartbeat(executions, ctx.store),
        executions=executions,
        successors=Successors(executions, ctx.committer, ctx.queue),
    )
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        yield Crawls(Api(store_url, TaskQueue(redis), **environ), redis)
    finally:
        worker._stop_requested = True
        thread.join(15)
        ctx.close()
        redis.close()
