"""Whole crawls leave what each attempt brought, and who links to what is broken."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.answers import HIDDEN
from shared.store import holders
from tests.crawling import Crawls, crawls
from tests.site import Site, html, redirect


def linking(*paths: str, **headers: str) -> Any:
    return html("".join(f'<a href="{path}">{path}</a>' for path in paths), headers=headers)


PAGES = {
    "/": linking("/a", "/gone", "/moved", Server="test", **{"Set-Cookie": "id=secret"}),
    "/a": linking("/", "/gone", "/a"),
    "/moved": redirect("/gone"),
}


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(dict(PAGES)) as made:
        yield made


@pytest.fixture
def crawl(store_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crawls]:
    with crawls(store_url, redis_url, tmp_path, {}, monkeypatch) as made:
        yield made


def details(crawl: Crawls, job: Any) -> dict[str, Any]:
    """All that is kept of each page, by path."""
    holders.tend(crawl.api.store)
    return {task["path"]: crawl.api.get(f"/v1/jobs/{job['id']}/tasks/{task['id']}") for task in crawl.tasks(job)}


def paths(held: Any) -> list[str]:
    assert held["total"] == len(held["urls"])
    return sorted("/" + url.partition("://")[2].partition("/")[2] for url in held["urls"])


def test_it_works(crawl: Crawls, site: Site) -> None:
    found = details(crawl, crawl.run(f"http://{site.host}", use_sitemap=False))
    (attempt,) = found["/"]["attempts"]
    kept = {header["name"]: header["value"] for header in attempt["headers"]}
    assert (attempt["outcome"], kept["set-cookie"]) == ("completed", HIDDEN)
    assert kept["content-type"].startswith("text/html")
    assert attempt["phases"]["first_byte"] > 0
    assert [a["outcome"] for a in found["/gone"]["attempts"]] == ["failed"]
    assert paths(found["/gone"]["linked_from"]) == ["/", "/a"]
    assert (paths(found["/moved"]["linked_from"]), found["/moved"]["redirects"][0]["status_code"]) == (["/"], 302)
    assert {"name": "location", "value": "/gone"} in found["/moved"]["redirects"][0]["headers"]
    assert "secret" not in crawl.dump()


def test_the_deepest_pages_hold_links_too(crawl: Crawls, site: Site) -> None:
    found = details(crawl, crawl.run(f"http://{site.host}", use_sitemap=False, max_depth=1))
    assert paths(found["/gone"]["linked_from"]) == ["/", "/a"]
