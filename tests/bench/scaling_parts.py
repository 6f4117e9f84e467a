"""Parts of the system alone: the commits of one job, and hundreds of simulated workers on one Redis."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from redis import Redis

from shared.clock import now_us
from shared.embedded import start_redis
from shared.models import JobOptions
from shared.queue import connect
from shared.stages import Admission, Fetched, Finish, Work
from shared.states import TaskState
from shared.store import migrate, open_store
from tests.crawls import Crawl, numbered
from tests.postgres import PostgresServer, find_binaries
from workers.executions import Executions
from workers.heartbeat import Heartbeat
from workers.worker import ConcurrentWorker

_GROUP = 20
_STEPS = 200
_TICK = os.sysconf("SC_CLK_TCK")


def serial_ms() -> float:
    """Milliseconds of CPU, ours and PostgreSQL's, per page of one job's commits, groups of 20 one after the other."""
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed")
    server = PostgresServer(binaries)
    try:
        url = server.url(server.create())
        migrate.upgrade(url)
        store = open_store(url, by_index=True)
        crawl = Crawl(store, JobOptions(concurrency=2 * _GROUP))
        ready = [d.task_id for d in crawl.discover(*numbered(_GROUP * (_STEPS + 3)))]
        works = [w for w in crawl.run(ready[:_GROUP]).works if w]
        before = _cpu_with(server)
        _commit_all(crawl, works, ready[_GROUP:])
        used = _cpu_with(server) - before
        store.close()
        return used / (_STEPS * _GROUP)
    finally:
        server.stop()


def _commit_all(crawl: Crawl, works: list[Work], waiting: list[int]) -> None:
    for _ in range(_STEPS):
        fetched = Fetched(status_code=200, response_time=100, bytes=6000)
        done = [Finish(work, TaskState.COMPLETED, fetched, links=(), found=0) for work in works]
        result = crawl.run([Admission(i) for i in waiting[:_GROUP]], done, now_us())
        works = [w for w in result.works if w]
        waiting = waiting[_GROUP:] + [d.task_id for d in result.dispatches]


def _cpu_with(server: PostgresServer) -> float:
    main = server.process.pid
    return cpu(os.getpid()) + cpu(main) + sum(map(cpu, children(main)))


def cpu(pid: int) -> float:
    """User and system time of a process and its ended children, in ms."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) * 1000 / _TICK


def children(pid: int) -> list[int]:
    """The processes that it started."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def simulated(counts: tuple[int, ...] = (10, 200, 1000)) -> list[str]:
    """Rows: Redis' CPU in µs for a heartbeat and for a look into empty queues, with so many workers registered."""
    rows = []
    with tempfile.TemporaryDirectory() as home:
        server = start_redis(Path(home))
        redis = connect(server.url)
        workers: list[ConcurrentWorker] = []
        for count in counts:
            new = [ConcurrentWorker(redis, threads=8) for _ in range(count - len(workers))]
            for worker in new:
                worker.register_birth()
            workers += new
            beats = _redis_us(redis, [lambda w=w: Heartbeat(Executions())._beat(w) for w in workers])
            looks = _redis_us(redis, [lambda w=w: w._take(8) for w in workers])
            rows.append(f"| {count} simulated | heartbeat {beats:.0f} µs | look {looks:.0f} µs |")
        server.stop()
    return rows


def _redis_us(redis: Redis, calls: list[Callable[[], object]], most: int = 4000) -> float:
    """CPU of Redis per call, in µs, over a few thousand calls."""
    rounds = max(1, most // len(calls))
    before = _cpu(redis)
    for _ in range(rounds):
        for call in calls:
            call()
    return (_cpu(redis) - before) * 1e6 / (rounds * len(calls))


def _cpu(redis: Redis) -> float:
    info = redis.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])
