"""Settings: the sole reader of the environment. Each value is validated at start; see deploy/env.example."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from shared.errors import SettingsError

N = TypeVar("N", int, float)

DEFAULT_USER_AGENT = "Crawlyard/0.1 (+https://github.com/crawlyard/crawlyard)"


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
    port: int
    web_concurrency: int
    worker_processes: int
    worker_threads: int
    #: accepted as the first organisation's admin key
    bootstrap_key: str | None
    #: host, host:port or CIDR that may be reached although private
    allow_private: tuple[str, ...]
    user_agent: str
    limits: FetchLimits
    #: seconds between SIGTERM and giving up on running tasks
    grace: float
    #: seconds that Redis keeps a completed or failed queue job
    completed_ttl: int
    failed_ttl: int
    #: requests per minute of one API key; 0: unlimited
    rate_limit: int
    log_level: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Reads and validates. Raises SettingsError naming the first wrong variable in one line."""
        env = _Reader(os.environ if environ is None else environ)
        return cls(
            home=Path(env.text("CRAWLYARD_HOME", "./.crawlyard")).absolute(),
            redis_url=env.url("REDIS_URL", ("redis", "rediss", "unix")),
            database_url=env.url("DATABASE_URL", ("sqlite", "postgres", "postgresql", "postgresql+psycopg")),
            port=env.integer("PORT", 8000, 1, 65535),
            web_concurrency=env.integer("WEB_CONCURRENCY", 2, 1, 64),
            worker_processes=env.integer("WORKER_PROCESSES", os.cpu_count() or 1, 1, 256),
            worker_threads=env.integer("WORKER_THREADS", 32, 1, 512),
            bootstrap_key=env.key("CRAWLYARD_BOOTSTRAP_KEY"),
            allow_private=env.words("CRAWLYARD_ALLOW_PRIVATE"),
            user_agent=env.header("CRAWLYARD_USER_AGENT", DEFAULT_USER_AGENT),
            limits=_limits(env),
            grace=env.number("GRACE", 25.0, 0, 3600),
            completed_ttl=env.integer("CRAWLYARD_COMPLETED_TTL", 600, 1, 31_536_000),
            failed_ttl=env.integer("CRAWLYARD_FAILED_TTL", 7 * 86_400, 60, 31_536_000),
            rate_limit=env.integer("CRAWLYARD_RATE_LIMIT", 1200, 0, 1_000_000),
            log_level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        )


def _limits(env: "_Reader") -> FetchLimits:
    d = FetchLimits()
    return FetchLimits(
        connect=env.number("CRAWLYARD_CONNECT_TIMEOUT", d.connect, 0.1, 60),
        first_byte=env.number("CRAWLYARD_FIRST_BYTE_TIMEOUT", d.first_byte, 0.1, 120),
        total=env.number("CRAWLYARD_TOTAL_TIMEOUT", d.total, 0.5, 300),
        body=env.integer("CRAWLYARD_MAX_BODY", d.body, 1_000, 1_000_000_000),
        decoded=env.integer("CRAWLYARD_MAX_DECODED", d.decoded, 1_000, 1_000_000_000),
        redirects=env.integer("CRAWLYARD_MAX_REDIRECTS", d.redirects, 0, 50),
    )


class _Reader:
    """Typed reads of one environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._env = environ

    def text(self, name: str, default: str) -> str:
        return self._env.get(name, "").strip() or default

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(w.strip() for w in self._env.get(name, "").split(",") if w.strip())

    def header(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not value.isascii() or not value.isprintable() or len(value) > 500:
            raise SettingsError(f"{name} must be printable ASCII of at most 500 characters")
        return value

    def key(self, name: str) -> str | None:
        value = self._env.get(name, "").strip() or None
        if value and (len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value):
            raise SettingsError(f"{name} must be at least 16 printable characters without spaces")
        return value

    def url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        value = self._env.get(name, "").strip()
        if not value:
            return None
        try:
            scheme = urlsplit(value).scheme
        except ValueError:
            scheme = ""
        if scheme not in schemes:
            raise SettingsError(f"{name} must be a URL that starts with one of {', '.join(s + '://' for s in schemes)}")
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default).upper()
        if value not in choices:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        return self._within(name, str(default), low, high, int, "a whole number")

    def number(self, name: str, default: float, low: float, high: float) -> float:
        return self._within(name, str(default), low, high, float, "a number")

    def _within(self, name: str, default: str, low: float, high: float, convert: Callable[[str], N], what: str) -> N:
        text = self.text(name, default)
        value: N | None
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise SettingsError(f"{name} must be {what} from {low:g} to {high:g}, not {text!r}")
        return value
