"""`worker`, `scheduler`, `api`, `migrate`: the verbs of the Procfile, and how the others start the same."""

import os
import sys
from collections.abc import Mapping, Sequence

import click

from shared.ports import check_port
from shared.settings import Settings, child_env, worker_env

EVERYWHERE = "0.0.0.0"  # nosec B104


def module_argv(module: str, *args: str) -> list[str]:
    """How to run a package of ours; -P keeps a folder of the same name in the current one out of it."""
    return [sys.executable, "-P", "-m", module, *args]


def api_argv(settings: Settings) -> list[str]:
    """How to run the API server with these settings."""
    host = settings.bind or EVERYWHERE
    address = f"[{host}]" if ":" in host else host
    return module_argv(
        "gunicorn",
        *("--config", "python:api.gunicorn_conf", "--no-control-socket"),
        *("--bind", f"{address}:{settings.port}", "--workers", str(settings.web_concurrency)),
        *("--graceful-timeout", str(round(settings.grace)), "--log-level", settings.log_level.lower()),
        "api.wsgi:make_app()",
    )


def migrate(settings: Settings) -> str:
    """Brings the database to the newest schema; returns its URL. Raises StoreUnavailable when it is away."""
    from shared.store.migrate import upgrade

    if settings.database_url is None:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    upgrade(settings.effective_database_url)
    return settings.effective_database_url


def _become(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Replaces this process, so that signals reach the real one."""
    sys.stdout.flush()
    os.execve(argv[0], list(argv), dict(env))


@click.command("worker")
@click.option("--processes", type=click.IntRange(1, 256), help="Processes; default: WORKER_PROCESSES.")
@click.option("--threads", type=click.IntRange(1, 512), help="Threads a process; default: WORKER_THREADS.")
@click.option("--burst", is_flag=True, help="End when the queues are empty.")
@click.option("--queues", metavar="A,B", help="Only these queues, in this order.")
def worker_command(processes: int | None, threads: int | None, burst: bool, queues: str | None) -> None:
    """Run worker processes that crawl."""
    settings = Settings.from_env()
    args = ["--processes", str(processes or settings.worker_processes)]
    args += ["--threads", str(threads or settings.worker_threads)]
    args += ["--burst"] if burst else []
    args += ["--queues", queues] if queues else []
    _become(module_argv("workers", *args), worker_env(settings))


@click.command("scheduler")
def scheduler_command() -> None:
    """Run the scheduler: delayed and recurring work, clean-up."""
    settings = Settings.from_env()
    _become(module_argv("scheduler"), child_env(settings))


@click.command("api")
def api_command() -> None:
    """Run the HTTP API on PORT."""
    settings = Settings.from_env()
    check_port(settings.bind or EVERYWHERE, settings.port)
    _become(api_argv(settings), child_env(settings))


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    migrate(Settings.from_env())
    click.echo("The database is up to date.")
