"""`crawlyard crawl`: one site, start to end, on a running system or on one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from api.cli.client import Client
from api.cli.crawling import Order, perform
from api.cli.home import connect, running_url
from api.cli.scope import scope_body, scope_options
from api.cli.system import temporary
from api.cli.target import check_target, loopback_host
from api.cli.text import echo
from shared.settings import Settings


@click.command("crawl")
@click.argument("url")
@click.option("--max-pages", type=click.IntRange(0), help="Stop after this many pages; 0: no limit.")
@click.option("--concurrency", type=click.IntRange(1, 100), help="Requests at the same time.")
@click.option("--no-sitemap", is_flag=True, help="Do not read sitemaps.")
@click.option("--no-links", is_flag=True, help="Do not follow links.")
@scope_options
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all pages to a file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, all else on stderr.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Give up after this many seconds.")
@click.option("--api", metavar="URL", help="API of a running system; default: CRAWLYARD_API, or this home's.")
@click.option("--key", help="Key for that API; default: CRAWLYARD_API_KEY.")
@click.pass_context
def crawl_command(
    ctx: click.Context,
    /,
    *,
    url: str,
    max_pages: int | None,
    concurrency: int | None,
    no_sitemap: bool,
    no_links: bool,
    csv_file: Path | None,
    as_json: bool,
    timeout: float | None,
    api: str | None,
    key: str | None,
    **scope: Any,
) -> None:
    """Crawl a site and sum up what was found."""
    settings = Settings.from_env()
    order = Order(
        check_target(url),
        max_pages,
        concurrency,
        not no_sitemap,
        not no_links,
        csv_file,
        as_json,
        timeout,
        scope_body(scope),
    )
    with _system(settings, order, api, key) as client:
        status = perform(client, order)
    ctx.exit(status)


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
    host = loopback_host(order.target)
    if host:
        echo(f"{host} is on this machine: allowed for this crawl (CRAWLYARD_ALLOW_PRIVATE)", err=order.as_json)
    with temporary(settings, [host] if host else []) as client:
        yield client
