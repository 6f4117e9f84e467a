"""The queue: typed calls over RQ's data. The one file that knows queue and function names.

Redis holds no truth: whatever is lost here is enqueued again from the store by the sweep.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, TypeVar

import orjson
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.commands.core import Script
from redis.exceptions import NoScriptError, RedisError, ResponseError
from rq.defaults import RQ_KEY_PREFIX
from rq.utils import utcformat
from rq.worker_registration import clean_worker_registry

from shared.clock import SECOND
from shared.errors import QueueFault, QueueUnavailable, SettingsError
from shared.rqtypes import CrawlQueue
from shared.sentinel import connect_master
from shared.sentinel_url import is_sentinel
from shared.stages import Dispatch
from shared.states import TaskKind
from shared.tries import Tries

T = TypeVar("T")
#: a script, and its arguments
Call = tuple[Script, list[Any]]

#: answers of a server that starts, fails over or is full
_PASSING = ("LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "OOM", "MISCONF", "BUSY", "UNBLOCKED")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a kind of task runs."""

    queue: str
    function: str
    #: name in the API (BullMQ's job name)
    name: str
    #: seconds that RQ allows a run: more than the limits of its requests and waits, which can say what was wrong
    timeout: int


ROUTES = {
    TaskKind.DISCOVER_PAGES: Route("discover", "workers.tasks.discover_pages", "discover.pages", 3600),
    TaskKind.CRAWL_PAGE: Route("crawl", "workers.tasks.crawl_page", "crawl.page", 1800),
}
#: queues of tasks
QUEUES = tuple(route.queue for route in ROUTES.values())
#: queue of jobs that are no tasks, such as the ticks of recurring crawls
DEFAULT_QUEUE = "default"
#: all, in the order in which workers look: pages last, for there is no end of them
ALL_QUEUES = (QUEUES[0], DEFAULT_QUEUE, *QUEUES[1:])
#: function that rq-scheduler enqueues for a recurring crawl
START_CRAWL = "workers.tasks.start_crawl"
#: function that makes one delivery of a webhook
DELIVER = "workers.tasks.deliver"
#: seconds that RQ allows it; what bounds it are the limits of its one request
_DELIVER_SECONDS = 60
#: function that refreshes a domain's page views
REFRESH_ANALYTICS = "workers.tasks.refresh_analytics"
_REFRESH_SECONDS = 3600
#: zlib's window for a job's data, 1 KiB: the usual one takes longer to set up than to fill
_WINDOW = 10

WAKE_KEY = "crawlyard:wake"
PAUSED_KEY = "crawlyard:paused"
SCHEDULER_KEY = "rq:scheduler:scheduled_jobs"


def connect(url: str, **options: Any) -> Redis:
    """A client that gives up on a black hole in seconds. Opens no connection yet. Raises SettingsError.

    A URL of sentinels (`shared/sentinel_url.py`) means the master that they name, now and after a fail-over.
    """
    settings: dict[str, Any] = {
        "socket_connect_timeout": 3,
        "socket_timeout": 5,
        "retry": Tries(ExponentialBackoff(cap=0.5, base=0.05), 2),
        "health_check_interval": 30,
        **options,
    }
    if is_sentinel(url):
        return connect_master(url, settings)
    try:
        return Redis.from_url(url, **settings)
    except ValueError as error:
        raise SettingsError(f"REDIS_URL is not usable: {error}") from error


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turns the driver's errors into QueueUnavailable, or into QueueFault where waiting will not help."""
    try:
        yield
    except (RedisError, OSError) as error:
        if isinstance(error, ResponseError) and not str(error).startswith(_PASSING):
            raise QueueFault(f"Redis refused: {str(error)[:200]}") from error
        raise QueueUnavailable(f"Redis is away: {str(error)[:200]}") from error


def data_of(function: str, *args: Any) -> bytes:
    """The `data` field of an RQ job that calls a function by name."""
    return zlib.compress(orjson.dumps([function, None, list(args), {}]), 1, _WINDOW)


def description_of(function: str, argument: str) -> str:
    """What `rq info` and logs show of a job."""
    return f"{function}('{argument}')"


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs by state over all queues."""

    waiting: int = 0
    active: int = 0
    completed: int = 0
    failed: int = 0
    delayed: int = 0


class TaskQueue:
    """What API, workers and scheduler do with Redis. Every call raises QueueUnavailable when it is away."""

    def __init__(self, redis: Redis, completed_ttl: int = 600, failed_ttl: int = 7 * 86_400) -> None:
        self.redis = redis
        self._ttls = (completed_ttl, failed_ttl)
        names = ("enqueue", "schedule", "remove", "reap", "start")
        self._enqueue, self._schedule, self._remove, self._reap, self._start = (script(redis, n) for n in names)

    def enqueue(self, dispatches: Iterable[Dispatch], due: bool = False, taken_back: bool = False) -> int:
        """Puts tasks into their queues; those alive there already stay. The number enqueued.

        due: the time of delayed ones has come. taken_back: those that were started are started no more.
        """
        header = [RQ_KEY_PREFIX, _iso_now(), "2" if taken_back else "1" if due else "0"]
        return sum(self._call(self._enqueue, header + part) for part in self._parts(dispatches, lambda d: d.at_front))

    def enqueue_deliveries(self, deliveries: Sequence[str]) -> int:
        """Puts deliveries of webhooks (public ids in hex) into the default queue, as `enqueue` does tasks."""
        header = [RQ_KEY_PREFIX, _iso_now(), "1"]
        rest = (_DELIVER_SECONDS, *self._ttls, 0)
        jobs = [(d, DEFAULT_QUEUE, data_of(DELIVER, d), description_of(DELIVER, d), *rest) for d in deliveries]
        return sum(self._call(self._enqueue, header + [v for job in part for v in job]) for part in _chunks(jobs))

    def enqueue_call(self, job_id: str, function: str, *args: Any) -> bool:
        """Puts a job that is no task into the default queue, unless it is alive there already; whether it did."""
        fields = (job_id, DEFAULT_QUEUE, data_of(function, *args), description_of(function, str(args[0])), 180)
        return bool(self._call(self._enqueue, [RQ_KEY_PREFIX, _iso_now(), "1", *fields, *self._ttls, 0]))

    def enqueue_refresh(self, domain_id: int, run: int) -> None:
        """Puts the refresh of a domain's page views into the queue of jobs that are no tasks."""
        job_id = f"analytics-{domain_id}-{run}"
        call = (data_of(REFRESH_ANALYTICS, domain_id, run), description_of(REFRESH_ANALYTICS, job_id))
        job = (job_id, DEFAULT_QUEUE, *call, _REFRESH_SECONDS, *self._ttls, 0)
        self._call(self._enqueue, [RQ_KEY_PREFIX, _iso_now(), "1", *job])

    def schedule(self, dispatches: Iterable[Dispatch], at: int) -> None:
        """Registers tasks as delayed until a moment (microseconds)."""
        due = -(-at // SECOND)
        for part in self._parts(dispatches, lambda _: due):
            self._call(self._schedule, [RQ_KEY_PREFIX, _iso_now(), *part])

    def enqueuing(self, dispatches: Iterable[Dispatch], taken_back: bool = False) -> Call:
        """The call of `enqueue` for a few tasks, to be made `together` with others."""
        rest = [value for d in dispatches for value in (*self._fields(d), int(d.at_front))]
        return self._enqueue, [RQ_KEY_PREFIX, _iso_now(), "2" if taken_back else "0", *rest]

    def starting(self, starts: Iterable[tuple[Dispatch, str]], worker: str, lease: int) -> Call:
        """The call that tells of tasks which a worker has started itself, without a queue.

        One execution's id (32 hex digits) a task; `lease`: seconds. It answers for each task 1, or 0 where the job is
        another's in Redis and stays so, or 2 where it was told but no more of this queue are to be started.
        """
        now = datetime.now(UTC)
        rest = [value for d, execution in starts for value in (*self._fields(d), execution)]
        return self._start, [RQ_KEY_PREFIX, worker, utcformat(now), now.timestamp(), lease, *rest]

    def together(self, calls: Sequence[Call]) -> list[Any]:
        """Makes calls in their order, in one round trip; of each its answer, or the QueueFault that it met.

        Each must be repeatable: where Redis has forgotten a script, that one and all after it are made again.
        """
        with redis_errors(), self.redis.pipeline(transaction=False) as pipe:
            for code, args in calls:
                pipe.evalsha(code.sha, 0, *args)
            answers = pipe.execute(raise_on_error=False)
            forgotten = next((n for n, a in enumerate(answers) if isinstance(a, NoScriptError)), None)
            if forgotten is None:
                return [_or_fault(answer) for answer in answers]
            for code, _ in calls[forgotten:]:
                self.redis.script_load(code.script)
        return [*map(_or_fault, answers[:forgotten]), *self.together(calls[forgotten:])]

    def is_held(self, queue: str) -> bool:
        """Whether nothing of a queue is to be started: it is paused, or RQ is suspended."""
        with redis_errors():
            return bool(self.redis.sismember(PAUSED_KEY, queue) or self.redis.exists(f"{RQ_KEY_PREFIX}:suspended"))

    def waiting(self, queues: Iterable[str]) -> int:
        """How many jobs these queues hold."""
        with redis_errors(), self.redis.pipeline(transaction=False) as pipe:
            for name in queues:
                pipe.llen(f"{RQ_KEY_PREFIX}:queue:{name}")
            return sum(pipe.execute())

    def workers(self, queue: str) -> int:
        """How many workers take from a queue; a dead one counts until RQ cleans it up."""
        with redis_errors():
            return int(self.redis.scard(f"rq:workers:{queue}"))

    def remove(self, dispatches: Iterable[Dispatch]) -> None:
        """Takes tasks out of Redis."""
        for chunk in _chunks(list(dispatches)):
            flat = [value for d in chunk for value in (d.rq_id, ROUTES[d.kind].queue)]
            self._call(self._remove, [RQ_KEY_PREFIX, *flat])

    def counts(self) -> Counts:
        """Queue lengths, registries and rq-scheduler's set, in one round trip, cleaning up nothing."""
        with redis_errors(), self.redis.pipeline(transaction=True) as pipe:
            for name in ALL_QUEUES:
                pipe.llen(f"{RQ_KEY_PREFIX}:queue:{name}")
                for registry in ("wip", "finished", "failed", "scheduled"):
                    pipe.zcard(f"{RQ_KEY_PREFIX}:{registry}:{name}")
            pipe.zcard(SCHEDULER_KEY)
            *values, recurring = pipe.execute()
        sums = [sum(values[i::5]) for i in range(5)]
        return Counts(sums[0], sums[1], sums[2], sums[3], sums[4] + recurring)

    def reap(self, now: float) -> int:
        """Takes away the marks of dead executions of tasks (now: seconds); how many."""
        with redis_errors():
            return sum(int(self._reap(args=[RQ_KEY_PREFIX, name, now])) for name in QUEUES)

    def clean(self) -> None:
        """What stock RQ workers do now and then: expired entries of registries, dead workers, abandoned jobs."""
        with redis_errors():
            for name in ALL_QUEUES:
                queue = CrawlQueue(name, connection=self.redis)
                for registry in (queue.finished_job_registry, queue.failed_job_registry):
                    registry.cleanup()
                clean_worker_registry(queue)
            CrawlQueue(DEFAULT_QUEUE, connection=self.redis).started_job_registry.cleanup()

    def ping(self) -> None:
        """Raises QueueUnavailable unless Redis answers."""
        with redis_errors():
            self.redis.ping()

    def _parts(self, dispatches: Iterable[Dispatch], last: Callable[[Dispatch], Any]) -> Iterator[list[Any]]:
        for chunk in _chunks(list(dispatches)):
            yield [value for d in chunk for value in (*self._fields(d), int(last(d)))]

    def _fields(self, d: Dispatch) -> tuple[Any, ...]:
        route = ROUTES[d.kind]
        data, description = data_of(route.function, d.rq_id), description_of(route.function, d.rq_id)
        return (d.rq_id, route.queue, data, description, route.timeout, *self._ttls)

    def _call(self, code: Script, args: Sequence[Any]) -> int:
        with redis_errors():
            return int(code(args=args))


def _or_fault(answer: Any) -> Any:
    """An answer within a pipeline. Raises QueueUnavailable."""
    try:
        with redis_errors():
            if isinstance(answer, Exception):
                raise answer
    except QueueFault as fault:
        return fault
    return answer


def script(redis: Redis, name: str) -> Script:
    """A Lua script of `shared/lua`, loaded by its digest and again when Redis has forgotten it."""
    return redis.register_script(files("shared").joinpath("lua", f"{name}.lua").read_text())


def _chunks(items: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    # Lua's unpack limit is far off, but one call must not hold Redis up for long
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _iso_now() -> str:
    return utcformat(datetime.now(UTC))
