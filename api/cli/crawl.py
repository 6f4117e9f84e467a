"""`crawlyard crawl`: one site, start to end, on a running system or on one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import click

from api.cli.client import Client
from api.cli.crawling import Order, perform
from api.cli.ending import Ending, ending_options
from api.cli.home import connect, running_url
from api.cli.scope import crawl_body, crawl_options
from api.cli.target import check_target, loopback_host
from api.cli.text import echo, echo_json
from api.cli.verbs import calls, with_options
from shared.settings import Settings


@calls("POST /v1/jobs", "GET /v1/jobs/<job_id>")
@click.command("crawl")
@click.argument("url")
@with_options(*crawl_options, *ending_options)
@click.option("--detach", is_flag=True, help="On a running system: start the crawl, print its id, do not wait.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Give up after this many seconds.")
@click.option("--api", metavar="URL", help="API of a running system; default: CRAWLYARD_API, or this home's.")
@click.option("--key", help="Key for that API; default: CRAWLYARD_API_KEY.")
@click.pass_context
def crawl_command(
    ctx: click.Context,
    /,
    *,
    url: str,
    detach: bool,
    timeout: float | None,
    api: str | None,
    key: str | None,
    **given: Any,
) -> None:
    """Crawl a site and sum up what was found.

    Ends with 0 completed, 1 failed, 2 wrong usage, 3 completed but a condition of --fail-on holds.
    """
    settings = Settings.from_env()
    ending = Ending(**{field.name: given.pop(field.name) for field in fields(Ending)})
    order = Order(check_target(url), crawl_body(given), ending, timeout)
    if detach:
        _start(connect(settings, api, key), order)
        return
    with _system(settings, order, api, key) as client:
        status = perform(client, order)
    ctx.exit(status)


def _start(client: Client, order: Order) -> None:
    """Raises click.UsageError where something was to become of the end."""
    if order.timeout is not None or order.ending != Ending(as_json=order.ending.as_json):
        raise click.UsageError("--detach waits for no end: use `crawlyard watch JOB`")
    job = client.post("/v1/jobs", order.body())
    if order.ending.as_json:
        echo_json(job)
    else:
        echo(job["id"])


@contextmanager
def _system(settings: Settings, order: Order, api: str | None, key: str | None) -> Iterator[Client]:
    address = api or settings.api_url or running_url(settings.home)
    if address:
        yield connect(settings, address, key)
        return
    with own_system(settings, order) as client:
        yield client


@contextmanager
def own_system(settings: Settings, order: Order) -> Iterator[Client]:
    """A system for this crawl alone; its target may be this machine, and then that is said."""
    from api.cli.system import temporary

    host = loopback_host(order.target)
    if host:
        echo(f"{host} is on this machine: allowed for this crawl (CRAWLYARD_ALLOW_PRIVATE)", err=order.ending.as_json)
    with temporary(settings, [host] if host else []) as client:
        yield client
