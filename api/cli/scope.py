"""The options of a crawl: how much of a site, what it takes and leaves, and as whom it comes."""

from collections.abc import Iterator
from typing import Any, TextIO

import click

_RULE = "glob on path and query (/blog/*, *.pdf), or re: and an expression; may be repeated."
#: as decorators, in the order of `--help`
crawl_options = (
    click.option("--max-pages", type=click.IntRange(0), help="Stop after this many pages; 0: no limit."),
    click.option("--concurrency", type=click.IntRange(1, 100), help="Requests at the same time."),
    click.option("--no-sitemap", is_flag=True, help="Do not read sitemaps."),
    click.option("--links/--no-links", default=None, help="Follow links; default: yes, but not with --urls."),
    click.option("--include", multiple=True, metavar="RULE", help=f"Crawl only what matches: {_RULE}"),
    click.option("--exclude", multiple=True, metavar="RULE", help=f"Never crawl what matches: {_RULE}"),
    click.option("--max-depth", type=click.IntRange(0, 1000), help="Most links from the start to a page."),
    click.option("--query", metavar="RULE", help="keep, drop, keep:NAME,… (only these) or drop:NAME,… (all others)."),
    click.option("--same-host", is_flag=True, help="Do not follow links to other subdomains."),
    click.option("--sitemap", metavar="URL", help="Start from this sitemap instead of the home page."),
    click.option(
        "--urls", type=click.File(), metavar="FILE", help="Crawl the URLs of this file, one a line; -: stdin."
    ),
    click.option("--user-agent", help="Instead of CRAWLYARD_USER_AGENT."),
    click.option("--header", multiple=True, metavar="'NAME: VALUE'", help="Send this header; may be repeated."),
    click.option("--cookie", multiple=True, metavar="NAME=VALUE", help="Send this cookie; may be repeated."),
    click.option("--auth", metavar="USER[:PASSWORD]", help="Basic authentication; without a password asks for it."),
    click.option("--transfer-all", is_flag=True, help="Transfer pages that have not changed since, too."),
    click.option("--ignore-robots", is_flag=True, help="Do not obey robots.txt; needs an admin key."),
)


def crawl_body(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of `POST /v1/jobs` for what was typed. Raises click.BadParameter."""
    fields = {
        "max_pages": given["max_pages"],
        "concurrency": given["concurrency"],
        "use_sitemap": False if given["no_sitemap"] else None,
        "find_links": given["links"],
        "conditional_requests": False if given["transfer_all"] else None,
        "respect_robots": False if given["ignore_robots"] else None,
        "include": list(given["include"]),
        "exclude": list(given["exclude"]),
        "max_depth": given["max_depth"],
        "query": _query(given["query"]),
        "allow_cross_subdomain_links": False if given["same_host"] else None,
        "sitemap_url": given["sitemap"],
        "urls": list(_lines(given["urls"])),
        "user_agent": given["user_agent"],
        "headers": dict(_pair(text, ":", "--header") for text in given["header"]),
        "cookies": dict(_pair(text, "=", "--cookie") for text in given["cookie"]),
        "auth": _auth(given["auth"]),
    }
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def _query(text: str | None) -> Any:
    word, mark, names = (text or "").partition(":")
    return {word: names.split(",")} if mark else text


def _lines(file: TextIO | None) -> Iterator[str]:
    return (line.strip() for line in file or () if line.strip() and not line.startswith("#"))


def _pair(text: str, mark: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(mark)
    if not found:
        raise click.BadParameter(f"{name[:50]!r} has no {mark!r}", param_hint=option)
    return name.strip(), value.strip()


def _auth(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    username, mark, password = text.partition(":")
    return {"username": username, "password": password if mark else click.prompt("Password", hide_input=True, err=True)}
