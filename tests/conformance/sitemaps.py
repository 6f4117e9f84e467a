"""Sitemaps: Scrapy's tests, and the RSS and Atom feeds of feedparser."""

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from shared.urls import canonicalise
from tests.conformance import upstream
from tests.conformance.cases import Case, Suite
from tests.conformance.packages import sdist
from workers.errors import BadResponse
from workers.robots import RobotsRules
from workers.sitemap import entries

#: a feed whose first entry has this page
_LINK = re.compile(r"""entries\[0\]\[['"]link['"]\] == u?(['"])(?P<url>[^'"]+)\1""")

#: where feedparser's own tests serve the feeds
_HERE = "http://127.0.0.1:8097/"


class _Entry(dict[str, Any]):
    """An entry of which only the location counts."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and self["loc"] == other["loc"]

    __hash__ = None  # type: ignore[assignment]


class _Sitemap:
    """Scrapy's interface on top of ours."""

    def __init__(self, body: bytes | str) -> None:
        if isinstance(body, str):
            warnings.warn("Passing `str` type as `xmltext` is deprecated", DeprecationWarning, stacklevel=2)
            body = body.encode()
        self._found = _read(body)

    @property
    def type(self) -> str:
        return "sitemapindex" if any(is_file for is_file, _ in self._found) else "urlset"

    def __iter__(self) -> Iterator[_Entry]:
        return iter([_Entry(loc=url) for _, url in self._found])


def _read(body: bytes) -> list[tuple[bool, str]]:
    found: list[tuple[bool, str]] = []
    with contextlib.suppress(etree.LxmlError, BadResponse):  # what could be read counts
        found += entries(body)
    return found


def _from_robots(robots: bytes | str, base_url: str) -> Iterable[str]:
    if isinstance(robots, str):
        warnings.warn("Passing `str` type as `robots_text` is deprecated", DeprecationWarning, stacklevel=2)
        robots = robots.encode()
    return [canonicalise(url, base_url) for url in RobotsRules.from_response(200, robots, "a").sitemaps]


def _scrapy_tests() -> list[Case]:
    given = {
        "scrapy.exceptions": {"ScrapyDeprecationWarning": DeprecationWarning},
        "scrapy.utils.sitemap": {"Sitemap": _Sitemap, "sitemap_urls_from_robots": _from_robots},
    }
    return upstream.run(sdist("scrapy", "2.19.0") / "tests" / "test_utils_sitemap.py", given)


def _feeds() -> list[Case]:
    folder = sdist("feedparser", "6.0.14") / "tests"
    found = (
        _feed(file, folder) for kind in ("wellformed", "illformed") for file in sorted(folder.glob(f"{kind}/**/*.xml"))
    )
    return [case for case in found if case]


def _feed(file: Path, root: Path) -> Case | None:
    body = file.read_bytes()
    match = _LINK.search(body[:2_000].decode("utf-8", "replace"))
    if match is None:
        return None
    urls = [canonicalise(url, _HERE) for _, url in _read(body)]
    return Case(str(file.relative_to(root)), canonicalise(match["url"]) in urls[:1], f"{urls[:3]}, not {match['url']}")


_FEEDS = {
    "wellformed/base/http_item_link_base_content_location": "Content-Location is no base any more (RFC 9110, 8.7)",
    "wellformed/cdf/": "CDF of 1997 is read by nobody",
}

SUITES = (
    Suite("sitemaps, Scrapy's tests", "scrapy 2.19.0 (PyPI)", _scrapy_tests),
    Suite("RSS and Atom, feedparser's feeds", "feedparser 6.0.14 (PyPI)", _feeds, _FEEDS),
)
