"""`python -m scheduler`: due tasks, the sweep, counts and recurring crawls. Several may run at once."""

import logging
import signal
import sys
import threading
import time

import click

from scheduler import changes
from scheduler.cron import run_cron
from scheduler.loop import Loop, steps
from shared import telemetry
from shared.errors import CrawlyardError, SettingsError, Unavailable
from shared.logs import configure
from shared.measures import Flusher, Measures
from shared.queue import TaskQueue, connect
from shared.settings import Settings
from shared.store import Store, migrate, open_store

log = logging.getLogger("scheduler")

#: seconds that the scheduler waits at its start for Redis and the database
_PATIENCE = 15.0


@click.command()
def main() -> None:
    """Runs the scheduler until SIGTERM."""
    try:
        settings = Settings.from_env()
        run(settings)
    except SettingsError as error:
        click.echo(f"crawlyard scheduler: {error.message}", err=True)
        sys.exit(2)
    except CrawlyardError as error:
        click.echo(f"crawlyard scheduler: {error.message}", err=True)
        sys.exit(1)


def run(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT. Raises SettingsError, and StoreUnavailable or QueueUnavailable at the start."""
    configure(settings.log_level, "scheduler", settings.log_format)
    telemetry.start(settings, "scheduler")
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    redis = connect(settings.required_redis_url)
    store = open_store(settings.effective_database_url)
    queue = TaskQueue(redis, settings.completed_ttl, settings.failed_ttl)
    if not _await_services(store, queue, ended):
        return
    measures = Measures()
    flusher = Flusher(measures, redis)
    flusher.ensure()
    loop = Loop([*steps(store, queue, settings.retention_days), *changes.steps(store, settings)], measures)
    loop.start()
    run_cron(queue, ended)
    loop.stop()
    flusher.stop()
    telemetry.stop()
    store.close()


def _await_services(store: Store, queue: TaskQueue, ended: threading.Event) -> bool:
    """Waits a moment for services that start beside us; False when told to end. Raises what is away after that."""
    end = time.monotonic() + _PATIENCE
    while not ended.is_set():
        try:
            queue.ping()
            migrate.require_current(store)
            return True
        except Unavailable as error:
            if time.monotonic() > end:
                raise
            log.warning("%s: waiting", error.message)
        ended.wait(1.0)
    return False


if __name__ == "__main__":
    main()
