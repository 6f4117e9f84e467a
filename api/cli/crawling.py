"""One crawl over the HTTP API: submit, watch, report."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from api.cli.client import ApiError, Client
from api.cli.progress import Meter, Show, make_show
from api.cli.report import collect, render, write_csv
from api.cli.text import echo, echo_json
from shared.errors import CrawlyardError, Unavailable
from shared.relay import plain

POLL_SECONDS = 0.5
#: how long the API may be away in mid-crawl
AWAY_SECONDS = 120.0
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Order:
    """What to crawl and how to report it."""

    target: str
    max_pages: int | None = None
    concurrency: int | None = None
    use_sitemap: bool = True
    find_links: bool = True
    csv: Path | None = None
    as_json: bool = False
    #: seconds after which the crawl is given up; None: never
    timeout: float | None = None
    #: further fields of the body
    scope: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The body of `POST /v1/jobs`."""
        options = {"max_pages": self.max_pages, "concurrency": self.concurrency}
        # of listed URLs the API follows no links unless told to
        follow = {} if self.find_links and "urls" in self.scope else {"find_links": self.find_links}
        return {
            "domain": self.target,
            "use_sitemap": self.use_sitemap,
            **follow,
            **self.scope,
            "source_type": "cli",
            "source_detail": "create_job",
        } | {name: value for name, value in options.items() if value is not None}


def perform(client: Client, order: Order) -> int:
    """Runs the crawl to its end; exit status 0 completed, 1 failed.

    Raises click.UsageError for what the API calls invalid, CrawlyardError when it gives up.
    """
    began = time.monotonic()
    job = submit(client, order)
    try:
        job = _watch(client, job, order, began)
    except (KeyboardInterrupt, SystemExit, CrawlyardError):
        _cancel(client, job["id"])
        raise
    _conclude(client, job, order, time.monotonic() - began)
    return 0 if job["status"] == "completed" else 1


def submit(client: Client, order: Order) -> dict[str, Any]:
    """Creates the job. Raises click.UsageError for what the API calls invalid."""
    try:
        return client.post("/v1/jobs", order.body())
    except ApiError as error:
        if error.status == 400:
            raise click.UsageError(plain(error.message)) from None
        raise


def _watch(client: Client, job: dict[str, Any], order: Order, began: float) -> dict[str, Any]:
    terminal = (sys.stderr if order.as_json else sys.stdout).isatty()
    show = make_show(err=order.as_json, terminal=terminal)
    try:
        return _follow(client, job["id"], show, None if order.timeout is None else began + order.timeout)
    finally:
        show.close()


def _follow(client: Client, job_id: str, show: Show, deadline: float | None) -> dict[str, Any]:
    meter, heard = Meter(), time.monotonic()
    while True:
        now = time.monotonic()
        try:
            job = client.get(f"/v1/jobs/{job_id}")
        except Unavailable:
            if now - heard > AWAY_SECONDS:
                raise
        else:
            heard = now
            show.update(meter.read(job, now))
            if job["status"] in ENDED:
                return job
        if deadline is not None and now >= deadline:
            raise CrawlyardError("the crawl took longer than --timeout allows and was cancelled")
        time.sleep(POLL_SECONDS)


def _cancel(client: Client, job_id: str) -> None:
    try:
        client.post(f"/v1/jobs/{job_id}/cancel")
    except CrawlyardError as error:
        echo(f"could not cancel the job: {error.message}", err=True)
    else:
        echo("the job is cancelled", err=True)


def _conclude(client: Client, job: dict[str, Any], order: Order, seconds: float) -> None:
    report = collect(client, job)
    if order.as_json:
        echo_json(report.document())
    else:
        echo()
        for line in render(report, seconds):
            echo(line)
    if order.csv is not None:
        count = write_csv(order.csv, client.all_tasks(job["id"]))
        echo(f"{count} pages written to {order.csv}", err=order.as_json)
    if job["status"] != "completed":
        echo(f"crawlyard: the crawl {job['status']}: {job.get('error') or 'no reason given'}", err=True)
