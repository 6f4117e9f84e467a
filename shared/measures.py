"""What processes measure for `/metrics`: counters and histograms, summed over all processes in one Redis hash.

A process adds up in memory and tells Redis every few seconds. Losing Redis starts the sums at nought again, which
Prometheus takes as a restart of the counter.
"""

import logging
import threading
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from redis import Redis

from shared.errors import CrawlyardError
from shared.queue import redis_errors

log = logging.getLogger(__name__)

KEY = "crawlyard:measures"
#: upper bounds in seconds
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: seconds between two flushes
EVERY = 5.0
#: series of one process between two flushes: labels come from fixed sets, this is for the case that they do not
_MOST = 5_000


@dataclass(frozen=True, slots=True)
class Measure:
    """A counter, or a histogram of seconds."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    is_histogram: bool = False


TASKS = Measure("crawlyard_tasks", "Tasks that ended", ("kind", "outcome"))
DELAYS = Measure("crawlyard_task_delays", "Tasks put off: retries spend an attempt, snoozes do not", ("reason",))
TASK_SECONDS = Measure("crawlyard_task_duration_seconds", "From a task's start to its record", ("kind",), True)
FETCH_SECONDS = Measure("crawlyard_fetch_duration_seconds", "First byte sent to last byte received", (), True)
COMMIT_SECONDS = Measure("crawlyard_commit_duration_seconds", "One group commit", (), True)
COMMITTED = Measure("crawlyard_commit_items", "Admissions and outcomes in group commits")
BYTES = Measure("crawlyard_fetched_bytes", "Bodies as received")
STEPS = Measure("crawlyard_scheduler_steps", "Runs of the scheduler's steps", ("step", "outcome"))
HTTP_SECONDS = Measure(
    "crawlyard_http_request_duration_seconds", "Answers of the API", ("method", "route", "status"), True
)
ALL = (TASKS, DELAYS, TASK_SECONDS, FETCH_SECONDS, COMMIT_SECONDS, COMMITTED, BYTES, STEPS, HTTP_SECONDS)

#: a series: measure, labels, and of a histogram its part: `sum`, or the number of a bucket
Series = tuple[str, tuple[str, ...], str]


class Measures:
    """What a process has measured since it last told Redis. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Series, float] = {}

    def count(self, measure: Measure, labels: Sequence[str] = (), n: float = 1) -> None:
        """Adds to a counter."""
        with self._lock:
            self._add((measure.name, tuple(labels), ""), n)

    def observe(self, measure: Measure, seconds: float, labels: Sequence[str] = ()) -> None:
        """Adds one observation to a histogram."""
        given = tuple(labels)
        with self._lock:
            self._add((measure.name, given, str(bisect_left(BUCKETS, seconds))), 1)
            self._add((measure.name, given, "sum"), seconds)

    def _add(self, series: Series, n: float) -> None:
        if series in self._sums or len(self._sums) < _MOST:
            self._sums[series] = self._sums.get(series, 0.0) + n

    def flush(self, redis: Redis) -> None:
        """Adds everything to the sums in Redis. Raises QueueUnavailable and keeps it then."""
        with self._lock:
            taken, self._sums = self._sums, {}
        if not taken:
            return
        try:
            with redis_errors(), redis.pipeline(transaction=True) as pipe:
                for series, n in taken.items():
                    pipe.hincrbyfloat(KEY, orjson.dumps(series).decode(), round(n, 6))
                pipe.execute()
        except CrawlyardError:
            with self._lock:
                for series, n in taken.items():
                    self._add(series, n)
            raise


def read(redis: Redis) -> dict[Series, float]:
    """The sums of all processes. Raises QueueUnavailable."""
    with redis_errors():
        found = redis.hgetall(KEY)
    sums = {}
    for field, value in found.items():
        name, labels, part = orjson.loads(field)
        sums[name, tuple(labels), part] = float(value)
    return sums


class Flusher:
    """A thread that flushes every few seconds. `ensure` begins it, so that a fork may come before."""

    def __init__(self, measures: Measures, redis: Redis) -> None:
        self._measures, self._redis = measures, redis
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Begins the thread unless it runs."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._repeat, name="measures", daemon=True)
                    self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Flushes for the last time, within so many seconds."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _repeat(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._ended.wait(EVERY)
            try:
                self._measures.flush(self._redis)
            except CrawlyardError as error:
                log.debug("%s: measures are kept", error.message)
