"""`queue-jobs`, `queues`, `workers`, `stats`: what the queue holds and who works on it."""

from collections.abc import Mapping
from typing import Any

import click

from api.cli.shapes import Answer, Column, facts, listing, said
from api.cli.text import table
from api.cli.verbs import DefaultList, Given, Verb, add_verbs, command_of, domain_option, paging

COUNTS = ("waiting", "active", "completed", "failed", "delayed", "total")
NAMES = ("crawl.page", "discover.pages")
_JOBS = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "ATTEMPTS": "attemptsMade",
    "CREATED": "createdAt",
    "URL": "url",
    "FAILURE": "failedReason",
}
QUEUES = {
    "NAME": "name",
    "PAUSED": "paused",
    "WAITING": "waiting",
    "ACTIVE": "active",
    "DELAYED": "delayed",
    "FAILED": "failed",
    "COMPLETED": "completed",
}
WORKERS: Mapping[str, Column] = {
    "NAME": "name",
    "STATE": "state",
    "ACTIVE": "activeJobs",
    "DONE": "successfulJobs",
    "FAILED": "failedJobs",
    "HOST": "hostname",
    "PID": "pid",
    "HEARTBEAT": "lastHeartbeat",
    "QUEUES": "queues",
    "DOES": lambda worker: _does(worker["current"]),
}


def _does(current: list[Any]) -> str:
    """The oldest of what a worker runs, and how many more are named."""
    more = f" and {len(current) - 1} more" if len(current) > 1 else ""
    return f"{current[0]['url']}{more}" if current else ""


_NAME = click.option("--name", type=click.Choice(NAMES), help="Only this kind.")
_STATE = said("{id} is {state}")


@click.group("queue-jobs", cls=DefaultList)
def queue_jobs_command() -> None:
    """List, enqueue and steer single jobs of the queue."""


def _new_job(given: Given) -> Given:
    """Raises click.UsageError unless one of the two targets was named."""
    url, domain = given.pop("url"), given.pop("domain")
    if (url is None) == (domain is None):
        raise click.UsageError("give either --url or --domain")
    return {"name": NAMES[0], "url": url, **given} if domain is None else {"name": NAMES[1], "domain": domain, **given}


add_verbs(
    queue_jobs_command,
    Verb(
        "list",
        "GET /api/jobs",
        "List jobs, newest first.",
        listing(_JOBS, "No jobs."),
        (
            click.option("--status", type=click.Choice(COUNTS[:5]), help="Only jobs in this state."),
            _NAME,
            domain_option,
            *paging(20, 100),
        ),
    ),
    Verb("show", "GET /api/jobs/<id>", "Show a job with its result.", facts),
    Verb(
        "create",
        "POST /api/jobs",
        "Enqueue the crawl of a page, or the discovery of a domain's pages.",
        _STATE,
        (
            click.option("--url", help="Crawl this page."),
            click.option("--domain", help="Discover the pages of this domain."),
            click.option("--delay", type=int, metavar="SECONDS", help="Not before that many seconds."),
            click.option("--max-attempts", "maxAttempts", type=int, help="Default: 3."),
            click.option("--priority", type=int, help="Higher is earlier; default: 0."),
        ),
        build=_new_job,
    ),
    Verb("retry", "POST /api/jobs/<id>/retry", "Run a failed job again.", _STATE),
    Verb("promote", "POST /api/jobs/<id>/promote", "Run a delayed job now.", _STATE),
    Verb("cancel", "POST /api/jobs/<id>/cancel", "End a job.", _STATE),
    Verb(
        "retry-failed",
        "POST /api/jobs/retry-failed",
        "Run failed jobs again.",
        said("{retried} jobs run again"),
        (
            _NAME,
            domain_option,
            click.option("--job", "jobId", metavar="JOB", help="Only of this crawl."),
            click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True),
        ),
    ),
)


@click.group("queues", cls=DefaultList)
def queues_command() -> None:
    """List, pause and resume the queues."""


_PAUSED = said("{name}: {waiting} waiting, {active} active, paused: {paused}")
add_verbs(
    queues_command,
    Verb("list", "GET /api/queues", "List the queues and what they hold.", listing(QUEUES, "No queues.")),
    Verb("pause", "POST /api/queues/<name>/pause", "Take nothing more from a queue.", _PAUSED),
    Verb("resume", "POST /api/queues/<name>/resume", "Take from a queue again.", _PAUSED),
)


def _counts(answer: Answer) -> list[str]:
    return table([[name, answer["data"].get(name)] for name in COUNTS], indent="")


workers_command = command_of(
    Verb("workers", "GET /api/workers", "List the workers and what each does.", listing(WORKERS, "No workers."))
)
stats_command = command_of(Verb("stats", "GET /api/jobs/stats", "Show how full the queue is.", _counts))
