"""One crawl over the HTTP API: submit, follow, report."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.cli.client import Client
from api.cli.ending import Ending, blame, conclude
from api.cli.following import poll
from api.cli.progress import make_show
from api.cli.text import echo
from shared.errors import CrawlyardError


@dataclass(frozen=True, slots=True)
class Order:
    """What to crawl and how to report it."""

    target: str
    #: further fields of the body
    options: Mapping[str, Any] = field(default_factory=dict)
    ending: Ending = field(default_factory=Ending)
    #: seconds after which the crawl is given up; None: never
    timeout: float | None = None

    def body(self) -> dict[str, Any]:
        """The body of `POST /v1/jobs`."""
        return {"domain": self.target, **self.options, "source_type": "cli", "source_detail": "create_job"}


def perform(client: Client, order: Order) -> int:
    """Runs the crawl to its end; exit status 0 completed, 1 failed, 3 completed and `--fail-on` holds.

    Raises Invalid for what the API calls invalid, CrawlyardError when it gives up.
    """
    deadline = None if order.timeout is None else time.monotonic() + order.timeout
    job = client.post("/v1/jobs", order.body())
    try:
        job = _follow(client, job["id"], order, deadline)
    except (KeyboardInterrupt, SystemExit, CrawlyardError):
        _cancel(client, job["id"])
        raise
    status = conclude(client, job, order.ending)
    return blame(job) or status


def _follow(client: Client, job_id: str, order: Order, deadline: float | None) -> dict[str, Any]:
    show = make_show(err=order.ending.as_json)
    try:
        return poll(client, job_id, show, deadline)
    finally:
        show.close()


def _cancel(client: Client, job_id: str) -> None:
    try:
        client.post(f"/v1/jobs/{job_id}/cancel")
    except CrawlyardError as error:
        echo(f"could not cancel the job: {error.message}", err=True)
    else:
        echo("the job is cancelled", err=True)
