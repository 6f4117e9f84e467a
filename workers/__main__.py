"""`python -m workers`: worker processes, as the Procfile starts them."""

import logging
import math
import sys
import time
from dataclasses import replace
from typing import Any

import click
from redis import Redis

from shared import telemetry
from shared.affinity import Affinity
from shared.backstop import Backstop, leave
from shared.errors import CrawlyardError, QueueUnavailable, SettingsError
from shared.logs import configure
from shared.queue import ALL_QUEUES, connect, redis_errors
from shared.settings import Settings, worker_env
from shared.standby import redis_need, stand_by, store_need
from shared.store import open_store
from shared.supervisor import ChildSpec, Supervisor
from workers import runtime
from workers.executions import Executions
from workers.heartbeat import Heartbeat
from workers.successors import Successors
from workers.worker import GONE, ConcurrentWorker

log = logging.getLogger("workers")

#: seconds that `--burst`, which is to end, waits for its services
_BURST_PATIENCE = 10.0


@click.command()
@click.option("--processes", type=click.IntRange(1, 256), help="Worker processes (WORKER_PROCESSES).")
@click.option("--threads", type=click.IntRange(1, 512), help="Jobs at once in each process (WORKER_THREADS).")
@click.option("--queues", default=",".join(ALL_QUEUES), help="Queues in the order of their importance.")
@click.option("--burst", is_flag=True, help="End when the queues are empty.")
def main(processes: int | None, threads: int | None, queues: str, burst: bool) -> None:
    """Runs worker processes until SIGTERM."""
    try:
        settings = Settings.from_env()
        settings = replace(settings, worker_threads=threads or settings.worker_threads)
        names = _queue_names(queues)
        count = processes or settings.worker_processes
        code = _supervise(settings, count, names, burst) if count > 1 else _work(settings, names, burst)
    except SettingsError as error:
        click.echo(f"crawlyard worker: {error.message}", err=True)
        code = 2
    except CrawlyardError as error:
        click.echo(f"crawlyard worker: {error.message}", err=True)
        code = 1
    sys.exit(code)


def _queue_names(queues: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in queues.split(",") if name.strip())
    unknown = [name for name in names if name not in ALL_QUEUES]
    if unknown or not names:
        raise SettingsError(f"--queues takes {', '.join(ALL_QUEUES)}, not {', '.join(unknown) or 'nothing'}")
    return names


def _supervise(settings: Settings, count: int, queues: tuple[str, ...], burst: bool) -> int:
    configure(settings.log_level, "worker", settings.log_format)
    argv = [sys.executable, "-P", "-m", "workers", "--processes", "1", "--queues", ",".join(queues)]
    argv += ["--threads", str(settings.worker_threads)] + (["--burst"] if burst else [])
    specs = [ChildSpec(f"worker.{n}", argv, worker_env(settings), finite=burst) for n in range(1, count + 1)]
    return Supervisor(specs, grace=settings.grace + 2 * GONE, report=log.warning).run()


def _work(settings: Settings, queues: tuple[str, ...], burst: bool) -> int:
    configure(settings.log_level, "worker", settings.log_format)
    telemetry.start(settings, "worker")
    redis = connect(settings.required_redis_url)
    _await_services(settings, _BURST_PATIENCE if burst else math.inf)
    ctx = runtime.build(settings, redis)
    runtime.install(ctx)
    executions = Executions()
    backstop = Backstop((settings.grace, executions.halt_all), (settings.grace + GONE, leave))
    backstop.start()
    affinity = Affinity()
    if settings.one_cpu:
        affinity.start()
    worker = _made(
        redis,
        threads=settings.worker_threads,
        grace=settings.grace,
        queues=queues,
        completed_ttl=settings.completed_ttl,
        failed_ttl=settings.failed_ttl,
        heartbeat=Heartbeat(executions, ctx.store),
        executions=executions,
        successors=Successors(executions, ctx.committer, ctx.queue),
        backstop=backstop,
    )
    ctx.committer.worker = worker.name
    try:
        worker.work(burst=burst)
    finally:
        ctx.close(worker.time_left())
        affinity.stop()
        telemetry.stop()
    return 0


def _await_services(settings: Settings, patience: float) -> None:
    store = open_store(settings.effective_database_url, pool_size=1, patience=settings.database_timeout)
    try:
        stand_by([redis_need(settings.required_redis_url), store_need(store)], patience)
    finally:
        store.close()


def _made(redis: Redis, **options: Any) -> ConcurrentWorker:
    """The worker; RQ asks Redis already when it is made."""
    while True:
        try:
            with redis_errors():
                return ConcurrentWorker(redis, **options)
        except QueueUnavailable as error:
            log.warning("%s: waiting", error.message)
        time.sleep(1.0)


if __name__ == "__main__":
    main()
