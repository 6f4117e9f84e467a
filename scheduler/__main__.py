"""`python -m scheduler`: due tasks, the sweep, counts and recurring crawls. Several may run at once."""

import signal
import sys
import threading

import click

from scheduler.cron import run_cron
from scheduler.loop import Loop, steps
from shared.errors import CrawlyardError, SettingsError
from shared.logs import configure
from shared.queue import TaskQueue, connect
from shared.settings import Settings
from shared.store import migrate, open_store


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
    configure(settings.log_level, "scheduler")
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    redis = connect(settings.required_redis_url)
    store = open_store(settings.effective_database_url)
    queue = TaskQueue(redis, settings.completed_ttl, settings.failed_ttl)
    queue.ping()
    migrate.require_current(store)
    loop = Loop(steps(store, queue, settings.retention_days))
    loop.start()
    run_cron(redis, ended)
    loop.stop()
    store.close()


if __name__ == "__main__":
    main()
