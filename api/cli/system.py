"""A whole system on this machine: Redis, database, API, workers, scheduler."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from api.cli.client import Client
from api.cli.home import Key, ensure_key
from api.cli.processes import api_argv, migrate, module_argv
from api.cli.redis_facts import redis_facts
from shared.embedded import start_redis
from shared.errors import CrawlyardError
from shared.flock import FileLock
from shared.ports import free_port
from shared.settings import Settings, child_env, worker_env
from shared.supervisor import ChildSpec, Supervisor

LOOPBACK = "127.0.0.1"
READY_SECONDS = 60.0
#: seconds beyond the workers' own grace: more than the 12 that `python -m workers` gives its processes
EXTRA_GRACE = 14.0


@contextmanager
def prepared(settings: Settings) -> Iterator[Settings]:
    """Locks the home, starts Redis if none is named, migrates; yields settings that name both services.

    Raises Conflict when another system runs on this home, Unavailable when a service does not answer.
    """
    lock = FileLock(settings.home / "lock", f"another crawlyard runs on {settings.home}; see CRAWLYARD_HOME")
    try:
        database = migrate(settings)
        if settings.redis_url:
            redis_facts(settings.redis_url)
            yield replace(settings, database_url=database)
            return
        redis = start_redis(settings.home)
        redis.keep()
        try:
            yield replace(settings, database_url=database, redis_url=redis.url)
        finally:
            redis.stop()
    finally:
        lock.release()


def children(settings: Settings, key: Key, logs: Path | None = None) -> list[ChildSpec]:
    """API, workers and scheduler. Their output goes to files in `logs`, or through to ours."""
    own = {
        "PORT": str(settings.port),
        "CRAWLYARD_BIND": settings.bind,
        "CRAWLYARD_BOOTSTRAP_KEY": key.secret,
        "CRAWLYARD_ALLOW_PRIVATE": ",".join(settings.allow_private),
    }
    env = child_env(settings, **own)
    counts = ("--processes", str(settings.worker_processes), "--threads", str(settings.worker_threads))
    commands = {
        "api": (api_argv(settings), env),
        "workers": (module_argv("workers", *counts), worker_env(settings, **own)),
        "scheduler": (module_argv("scheduler"), env),
    }
    return [ChildSpec(n, argv, its, log=logs / f"{n}.log" if logs else None) for n, (argv, its) in commands.items()]


@contextmanager
def temporary(settings: Settings, allow: Sequence[str]) -> Iterator[Client]:
    """A quiet system on free ports for the length of one command; `allow`: private targets it may reach."""
    logs = settings.home / "logs"
    own = replace(settings, allow_private=(*settings.allow_private, *allow), bind=LOOPBACK, web_concurrency=1)
    with prepared(own) as services:
        ready = replace(services, port=free_port())
        key = ensure_key(ready)
        client = Client(f"http://{LOOPBACK}:{ready.port}", key.secret)
        supervisor = Supervisor(children(ready, key, logs), ready.grace + EXTRA_GRACE, report=_ignore)
        supervisor.start()
        try:
            wait_ready(client, supervisor, logs)
            yield client
        finally:
            client.close()
            supervisor.stop()


def wait_ready(client: Client, supervisor: Supervisor, logs: Path) -> None:
    """Waits until the API is ready. Raises CrawlyardError when it is not within a minute."""
    deadline = time.monotonic() + READY_SECONDS
    pause = threading.Event()
    while not client.answers("/readyz"):
        if not supervisor.running() or time.monotonic() > deadline:
            raise CrawlyardError(f"the system did not start; {last_words(logs)}; see {logs}")
        pause.wait(0.1)


def last_words(logs: Path) -> str:
    """The last line of each log, one after another."""
    texts = {file.stem: file.read_text(errors="replace").strip() for file in sorted(logs.glob("*.log"))}
    return "; ".join(f"{name}: {text.splitlines()[-1]}" for name, text in texts.items() if text) or "no logs"


def _ignore(line: str) -> None:
    """The logs say it already."""
