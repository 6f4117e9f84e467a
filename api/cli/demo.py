"""`crawlyard demo`: a site of our own on loopback, and a crawl of it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from api.cli.crawl import own_system
from api.cli.crawling import Order, perform
from api.cli.demo_site import BROKEN, PAGES, DemoSite
from api.cli.ending import Ending
from api.cli.text import echo
from shared.settings import Settings


@click.command("demo")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all pages to a file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, all else on stderr.")
@click.pass_context
def demo_command(ctx: click.Context, csv_file: Path | None, as_json: bool) -> None:
    """Crawl a small site that this command serves itself."""
    settings = Settings.from_env()
    with DemoSite() as site, _throw_away(settings) as own:
        echo(f"a site of {PAGES} pages, {BROKEN} links into the void, one slow page: {site.url}", err=as_json)
        order = Order(site.url, ending=Ending(csv=csv_file, as_json=as_json))
        with own_system(own, order) as client:
            status = perform(client, order)
    ctx.exit(status)


@contextmanager
def _throw_away(settings: Settings) -> Iterator[Settings]:
    """The same settings on a home of its own, embedded: a demo leaves nothing in anyone's database."""
    with tempfile.TemporaryDirectory(prefix="crawlyard-demo-") as folder:
        yield replace(settings, home=Path(folder), redis_url=None, database_url=None, bootstrap_key=None)
