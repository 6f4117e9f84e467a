"""`domains` and `pages`: what a running system knows of sites."""

import click

from api.cli.scope import crawl_body, crawl_options
from api.cli.shapes import Answer, facts, listing, said
from api.cli.verbs import DefaultList, Verb, add_verbs, paging

_DOMAINS = {"ID": "id", "NUMBER": "number", "DOMAIN": "domain", "CREATED": "createdAt"}
_PAGES = {
    "ID": "id",
    "CODE": "statusCode",
    "CRAWLED": "crawledAt",
    "REMOVED": "removedAt",
    "URL": "url",
    "TITLE": "title",
}
_QUEUED = said("job {id} is {state}")


@click.group("domains", cls=DefaultList)
def domains_command() -> None:
    """List, add, crawl and delete domains."""


def _added(answer: Answer) -> list[str]:
    domain, job = answer["data"], answer["job"]
    return [f"{domain['domain']} is domain {domain['id']}; job {job['id']} discovers its pages"]


add_verbs(
    domains_command,
    Verb("list", "GET /api/domains", "List domains.", listing(_DOMAINS, "No domains."), paging(20, 100)),
    Verb("add", "POST /api/domains", "Add a domain and discover its pages.", _added, (click.argument("domain"),)),
    Verb("show", "GET /api/domains/<id>", "Show a domain.", facts),
    Verb("delete", "DELETE /api/domains/<id>", "Delete a domain with all its crawls.", said("{domain} is deleted")),
    Verb("discover", "POST /api/domains/<id>/discover", "Discover a domain's pages.", _QUEUED),
    Verb(
        "crawl",
        "POST /api/domains/<id>/crawl",
        "Start a crawl of a domain, without waiting for it.",
        _QUEUED,
        crawl_options,
        build=crawl_body,
    ),
)


@click.group("pages")
def pages_command() -> None:
    """List, add and crawl single pages of domains."""


_OF = "/api/domains/<id>/pages"
add_verbs(
    pages_command,
    Verb("list", f"GET {_OF}", "List a domain's pages.", listing(_PAGES, "No pages."), paging(20, 100)),
    Verb("add", f"POST {_OF}", "Add a page to a domain.", facts, (click.argument("url"),)),
    Verb("crawl", "POST /api/pages/<id>/crawl", "Crawl a page now.", _QUEUED),
)
