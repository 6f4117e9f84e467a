"""Settings: the sole reader of the environment. Each value is validated at start; see deploy/env.example."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.env_reader import Reader
from shared.errors import SettingsError
from shared.sentinel_url import SCHEMES as SENTINEL_SCHEMES
from shared.sentinel_url import is_sentinel
from shared.sentinel_url import parse as parse_sentinels

#: the Google Analytics Data API
GA4_ENDPOINT = "https://analyticsdata.googleapis.com"
DEFAULT_USER_AGENT = "Crawlyard/0.1 (self-hosted crawler)"


#: of glibc's allocator; nothing where the system has another one
_TUNABLES = {"glibc.malloc.arena_max": "1", "glibc.malloc.tcache_count": "1"}


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds on one fetch. Times in seconds, sizes in bytes."""

    connect: float = 5.0
    first_byte: float = 15.0
    #: the whole request, redirects and slow drips included
    total: float = 30.0
    #: body as sent
    body: int = 10_000_000
    #: body after Content-Encoding
    decoded: int = 50_000_000
    redirects: int = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the environment can change."""

    #: folder of the embedded Redis, SQLite and their logs
    home: Path
    #: None: the embedded Valkey
    redis_url: str | None
    #: None: SQLite under `home`
    database_url: str | None
    #: seconds that a statement of PostgreSQL may take before it, and its connection, are given up
    database_timeout: float
    #: address that the API listens on; None: all for `crawlyard api`, loopback for `up` and `crawl`
    bind: str | None
    port: int
    web_concurrency: int
    worker_processes: int
    worker_threads: int
    #: whether a process of the API or of a worker keeps its threads on one CPU at a time
    one_cpu: bool
    #: accepted as the first organisation's admin key
    bootstrap_key: str | None
    #: what secrets are sealed with (shared/vault.py), newest first; none: a key file in `home`
    secret_keys: tuple[str, ...]
    #: host, host:port or CIDR that may be reached although private
    allow_private: tuple[str, ...]
    user_agent: str
    #: scheme://host[:port] that page views are asked of
    ga4_endpoint: str
    #: least seconds between two requests to one host, over all workers; 0: none
    host_delay: float
    #: most requests a second to one host, over all workers; 0: no limit
    host_rate: float
    #: most requests at once to one host, over all workers; 0: no limit
    host_connections: int
    limits: FetchLimits
    #: seconds between SIGTERM and giving up on running tasks
    grace: float
    #: seconds that Redis keeps a completed or failed queue job
    completed_ttl: int
    failed_ttl: int
    #: days after which an ended job is deleted; 0: never
    retention_days: int
    #: snapshots kept of one page, the newest included
    snapshots: int
    #: days that a replaced snapshot is kept; 0: for ever
    snapshot_days: int
    #: days that a change is kept; 0: for ever
    change_days: int
    #: requests per minute of one API key; 0: unlimited
    rate_limit: int
    #: event streams that one API process holds open at once, of its 16 threads; 0: none
    event_streams: int
    log_level: str
    #: TEXT or JSON
    log_format: str
    #: whether the API logs each request
    access_log: bool
    #: where errors and traces go, where anything goes
    sentry_dsn: str | None
    otlp_endpoint: str | None
    #: bearer token for `/metrics`, beside admin keys; it works while the database is away
    metrics_token: str | None
    #: where `crawlyard crawl`, `jobs` and `stats` find an API that is not in `home`, and the key for it
    api_url: str | None
    api_key: str | None

    @property
    def effective_database_url(self) -> str:
        """DATABASE_URL, or the embedded SQLite under `home`."""
        return self.database_url or f"sqlite:///{self.home / 'crawlyard.db'}"

    @property
    def host_interval(self) -> float:
        """Least seconds between two requests to one host: `host_delay` or what `host_rate` means, the longer one."""
        return max(self.host_delay, 1 / self.host_rate if self.host_rate else 0.0)

    @property
    def required_redis_url(self) -> str:
        """REDIS_URL, for a process that is not started by `crawlyard up`. Raises SettingsError when it is not set."""
        if self.redis_url is None:
            raise SettingsError("REDIS_URL is not set: name a Redis, or start the embedded system with `crawlyard up`")
        return self.redis_url

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Reads and validates. Raises SettingsError naming the first wrong variable in one line."""
        env = Reader(os.environ if environ is None else environ)
        return cls(
            home=Path(env.text("CRAWLYARD_HOME", "./.crawlyard")).absolute(),
            redis_url=_redis_url(env),
            database_url=env.url("DATABASE_URL", ("sqlite", "postgres", "postgresql", "postgresql+psycopg")),
            database_timeout=env.number("CRAWLYARD_DATABASE_TIMEOUT", 30.0, 1, 3600),
            bind=env.host("CRAWLYARD_BIND"),
            port=env.integer("PORT", 8000, 1, 65535),
            web_concurrency=env.integer("WEB_CONCURRENCY", 2, 1, 64),
            worker_processes=env.integer("WORKER_PROCESSES", os.cpu_count() or 1, 1, 256),
            worker_threads=env.integer("WORKER_THREADS", 32, 1, 512),
            one_cpu=env.choice("CRAWLYARD_CPU_AFFINITY", "ONE", ("ONE", "ANY")) == "ONE",
            bootstrap_key=env.key("CRAWLYARD_BOOTSTRAP_KEY"),
            secret_keys=env.keys("CRAWLYARD_SECRET_KEY"),
            allow_private=env.targets("CRAWLYARD_ALLOW_PRIVATE"),
            user_agent=env.header("CRAWLYARD_USER_AGENT", DEFAULT_USER_AGENT),
            ga4_endpoint=(env.url("CRAWLYARD_GA4_ENDPOINT", ("http", "https")) or GA4_ENDPOINT).rstrip("/"),
            host_delay=env.number("CRAWLYARD_HOST_DELAY", 0.0, 0, 3600),
            host_rate=env.number("CRAWLYARD_HOST_RATE", 0.0, 0, 10_000),
            host_connections=env.integer("CRAWLYARD_HOST_CONNECTIONS", 0, 0, 1_000),
            limits=_limits(env),
            grace=env.number("GRACE", 25.0, 0, 3600),
            completed_ttl=env.integer("CRAWLYARD_COMPLETED_TTL", 600, 1, 31_536_000),
            failed_ttl=env.integer("CRAWLYARD_FAILED_TTL", 7 * 86_400, 60, 31_536_000),
            retention_days=env.integer("CRAWLYARD_RETENTION_DAYS", 180, 0, 36_500),
            snapshots=env.integer("CRAWLYARD_SNAPSHOTS", 10, 1, 1_000),
            snapshot_days=env.integer("CRAWLYARD_SNAPSHOT_DAYS", 90, 0, 36_500),
            change_days=env.integer("CRAWLYARD_CHANGE_DAYS", 365, 0, 36_500),
            rate_limit=env.integer("CRAWLYARD_RATE_LIMIT", 1200, 0, 1_000_000),
            event_streams=env.integer("CRAWLYARD_EVENT_STREAMS", 6, 0, 12),
            log_level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            log_format=env.choice("LOG_FORMAT", "TEXT", ("TEXT", "JSON")),
            access_log=env.flag("CRAWLYARD_ACCESS_LOG"),
            sentry_dsn=env.url("SENTRY_DSN", ("http", "https")),
            otlp_endpoint=env.url("OTEL_EXPORTER_OTLP_ENDPOINT", ("http", "https")),
            metrics_token=env.key("CRAWLYARD_METRICS_TOKEN"),
            api_url=env.url("CRAWLYARD_API", ("http", "https")),
            api_key=env.key("CRAWLYARD_API_KEY"),
        )


def _redis_url(env: Reader) -> str | None:
    given = env.text("REDIS_URL", "")
    if is_sentinel(given):
        parse_sentinels(given)
        return given
    return env.url("REDIS_URL", ("redis", "rediss", "unix", *SENTINEL_SCHEMES))


def _limits(env: Reader) -> FetchLimits:
    d = FetchLimits()
    return FetchLimits(
        connect=env.number("CRAWLYARD_CONNECT_TIMEOUT", d.connect, 0.1, 60),
        first_byte=env.number("CRAWLYARD_FIRST_BYTE_TIMEOUT", d.first_byte, 0.1, 120),
        total=env.number("CRAWLYARD_TOTAL_TIMEOUT", d.total, 0.5, 300),
        body=env.integer("CRAWLYARD_MAX_BODY", d.body, 1_000, 1_000_000_000),
        decoded=env.integer("CRAWLYARD_MAX_DECODED", d.decoded, 1_000, 1_000_000_000),
        redirects=env.integer("CRAWLYARD_MAX_REDIRECTS", d.redirects, 0, 50),
    )


def worker_env(settings: Settings, **overrides: str | None) -> dict[str, str]:
    """`child_env` of a worker, whose threads share what glibc keeps (GNU C Library, "Memory Allocation Tunables").

    Each of its arenas, and each thread's cache, keeps what its largest pages needed, and only one thread at a time runs
    Python: without them a worker is smaller, grows less, and needs no more CPU. What the variable names already stays.
    """
    given = os.environ.get("GLIBC_TUNABLES", "")
    named = {part.partition("=")[0] for part in given.split(":")}
    ours = [f"{name}={value}" for name, value in _TUNABLES.items() if name not in named]
    return child_env(settings, **{"GLIBC_TUNABLES": ":".join(filter(None, (given, *ours))), **overrides})


def child_env(settings: Settings, **overrides: str | None) -> dict[str, str]:
    """The environment of a child process: this one's, with absolute paths, then `overrides` (None unsets)."""
    code = str(Path(__file__).resolve().parents[1])
    given: dict[str, str | None] = {
        "CRAWLYARD_HOME": str(settings.home),
        "DATABASE_URL": settings.effective_database_url,
        "REDIS_URL": settings.redis_url,
        "PYTHONPATH": os.pathsep.join(filter(None, (code, os.environ.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        # rq-scheduler computes cron in the process's local time
        "TZ": "UTC",
    }
    merged: dict[str, str | None] = {**os.environ, **given, **overrides}
    return {name: value for name, value in merged.items() if value is not None}
