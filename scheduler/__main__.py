"""`python -m scheduler`: due tasks, the sweep, counts and recurring crawls. Several may run at once."""

import signal
import sys
import threading

import click

from scheduler import changes
from scheduler.cron import run_cron
from scheduler.loop import Loop, builds, steps
from shared import telemetry
from shared.backstop import Backstop, leave
from shared.errors import CrawlyardError, SettingsError
from shared.logs import configure
from shared.measures import Flusher, Measures
from shared.queue import TaskQueue, connect
from shared.settings import Settings
from shared.standby import redis_need, stand_by, store_need
from shared.store import open_store

#: seconds after SIGTERM by which the process is gone
_GONE = 7.0
#: how much longer than others statements that build and delete may take: those of a large job have much to do
_SLOW = 10


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
    """Runs until SIGTERM or SIGINT, through outages, at the start too. Raises SettingsError."""
    configure(settings.log_level, "scheduler", settings.log_format)
    telemetry.start(settings, "scheduler")
    redis = connect(settings.required_redis_url)
    store = open_store(settings.effective_database_url, patience=settings.database_timeout)
    slow = open_store(settings.effective_database_url, patience=_SLOW * settings.database_timeout)
    queue = TaskQueue(redis, settings.completed_ttl, settings.failed_ttl)
    stand_by([redis_need(settings.required_redis_url), store_need(store)])
    ended = _told_to_end()
    measures = Measures()
    flusher = Flusher(measures, redis)
    flusher.ensure()
    timed = steps(store, queue), builds(slow, queue, settings.retention_days), changes.steps(slow, settings)
    loop = Loop([step for some in timed for step in some], measures)
    loop.start()
    run_cron(queue, ended)
    loop.stop()
    flusher.stop(1.0)
    telemetry.stop()
    store.close()
    slow.close()


def _told_to_end() -> threading.Event:
    """Set by SIGTERM and SIGINT, after which the process has seconds to end."""
    ended = threading.Event()
    # not by the handler: it may have interrupted whoever waits for the event, in its lock
    backstop = Backstop((0.0, ended.set), (_GONE, leave))
    backstop.start()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: backstop.tell())
    return ended


if __name__ == "__main__":
    main()
