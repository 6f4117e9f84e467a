"""What the tasks of a process share, made once: store, queue, committer, fetcher, caches."""

import threading
import time
from dataclasses import dataclass, field

from redis import Redis

from shared.measures import Flusher, Measures
from shared.queue import TaskQueue, connect
from shared.settings import Settings
from shared.store import Store, open_store
from workers.committer import Committer
from workers.egress import EgressPolicy
from workers.fetch import Fetcher
from workers.large import Places
from workers.politeness import Limits, Politeness
from workers.reading import Reading
from workers.robots_cache import RobotsCache
from workers.robots_store import RobotsStore
from workers.seen import SeenUrls
from workers.traps import Traps
from workers.turns import visits


@dataclass(frozen=True, slots=True)
class Runtime:
    """The shared things of a worker process."""

    settings: Settings
    store: Store
    queue: TaskQueue
    committer: Committer
    fetcher: Fetcher
    robots: RobotsCache
    politeness: Politeness
    measures: Measures
    flusher: Flusher
    seen: SeenUrls = field(default_factory=SeenUrls)
    traps: Traps = field(default_factory=Traps)
    large: Places = field(default_factory=Places)
    reading: Reading = field(default_factory=Reading)

    def close(self, seconds: float = 5.0) -> None:
        """Commits what is left and closes everything; waits no longer than that for what hangs."""
        end = time.monotonic() + seconds
        self.committer.stop(max(0.0, end - time.monotonic()))
        self.flusher.stop(max(0.0, end - time.monotonic()))
        self.fetcher.close()
        self.store.close()


def build(settings: Settings, redis: Redis | None = None) -> Runtime:
    """Makes a runtime and starts its committer. Raises SettingsError."""
    redis = redis or connect(settings.required_redis_url)
    store = open_store(settings.effective_database_url, patience=settings.database_timeout, by_index=True)
    queue = TaskQueue(redis, settings.completed_ttl, settings.failed_ttl)
    policy = EgressPolicy(settings.allow_private)
    # where connections are limited none may lie idle at the host
    keep_alive = not settings.host_connections
    fetcher = Fetcher(settings.limits, policy, settings.user_agent, settings.worker_threads, keep_alive=keep_alive)
    limits = Limits(settings.host_interval, settings.host_connections, 2 * settings.limits.total)
    politeness = Politeness(redis, limits, settings.worker_threads)
    measures = Measures()
    flusher = Flusher(measures, redis)
    flusher.ensure()
    committer = Committer(store, queue, measures=measures, crowded=politeness.crowded)
    committer.start()
    robots = RobotsCache(fetcher, settings.user_agent, RobotsStore(redis), visits(politeness))
    return Runtime(settings, store, queue, committer, fetcher, robots, politeness, measures, flusher)


_lock = threading.Lock()
_installed: Runtime | None = None


def install(runtime: Runtime) -> None:
    """Makes this the runtime of the process."""
    global _installed
    _installed = runtime


def current() -> Runtime:
    """The runtime of the process; a stock `rq worker` gets one from its environment on first use."""
    global _installed
    with _lock:
        if _installed is None:
            _installed = build(Settings.from_env())
        return _installed
