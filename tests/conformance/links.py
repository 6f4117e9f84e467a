"""Links and base URLs of pages: Scrapy's and w3lib's tests."""

import builtins
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import InvalidUrl
from shared.urls import canonicalise
from tests.conformance import upstream
from tests.conformance.cases import Case, LeftOut, Suite
from tests.conformance.packages import sdist
from workers.parse import parse_html


@dataclass(frozen=True)
class _Page:
    """scrapy.http.HtmlResponse."""

    url: str
    body: bytes = b""
    encoding: str | None = None


@dataclass(frozen=True)
class _Link:
    """scrapy.link.Link."""

    url: str
    text: str = ""
    fragment: str = ""
    nofollow: bool = False


class _Found:
    """Links of a page as we give them; equal to a list of links if that means the same pages to follow."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._urls = tuple(urls)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and list(self._urls) == _to_follow(other)

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Any:
        return iter([_Link(url) for url in self._urls])


def _to_follow(links: list[_Link]) -> list[str]:
    """Canonical, each once, neither nofollow nor another scheme."""
    found: dict[str, None] = {}
    for link in links:
        try:
            if not link.nofollow:
                found[canonicalise(link.url)] = None
        except InvalidUrl:
            continue
    return list(found)


class _Extractor:
    """scrapy.linkextractors.lxmlhtml.LxmlLinkExtractor without its options."""

    def __init__(self, **options: object) -> None:
        if options:
            raise LeftOut(f"option {', '.join(sorted(options))}")

    def extract_links(self, page: _Page) -> _Found:
        kind = "text/html" + (f"; charset={page.encoding}" if page.encoding else "")
        return _Found(parse_html(page.body, canonicalise(page.url), kind).links)

    def __getattr__(self, name: str) -> Any:
        raise LeftOut(f"{name} of Scrapy's link extractor")


def _listed(items: Any = ()) -> Any:
    return items if isinstance(items, _Found) else builtins.list(items)


def _scrapy_tests() -> list[Case]:
    folder = sdist("scrapy", "2.19.0") / "tests"
    given: dict[str, dict[str, Any] | Path] = {
        "builtins": {"list": _listed},
        "scrapy.http": {"HtmlResponse": _Page},
        "scrapy.link": {"Link": _Link},
        "scrapy.linkextractors.lxmlhtml": {"LxmlLinkExtractor": _Extractor, "LxmlParserLinkExtractor": _Extractor},
        "tests": {"get_testdata": lambda *path: folder.joinpath("sample_data", *path).read_bytes()},
    }
    return upstream.run(folder / "test_linkextractors.py", given)


class _Url(str):
    """A URL that equals its other spellings."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and canonicalise(str(self)) == canonicalise(str(other))

    __hash__ = str.__hash__


def _base_url(text: str | bytes, baseurl: str | bytes = "", encoding: str = "utf-8") -> _Url:
    if not baseurl or encoding == "not-an-encoding":
        raise LeftOut("a page without a URL, an encoding without a name")
    body = text if isinstance(text, bytes) else text.encode(encoding)
    label = encoding.replace("iso2022_", "iso-2022-")  # Python's name and the web's
    url = canonicalise(baseurl.decode() if isinstance(baseurl, bytes) else baseurl)
    return _Url(parse_html("<a href=''>x</a>".encode(encoding) + body, url, f"text/html; charset={label}").links[0])


def _w3lib_tests() -> list[Case]:
    given = {"w3lib.html": {"get_base_url": _base_url}}
    cases = upstream.run(sdist("w3lib", "2.5.0") / "tests" / "test_html.py", given)
    return [case for case in cases if case.name.startswith("TestGetBaseUrl")]


_LINKS = {"TestLxmlLinkExtractor.test_ignored_extensions": "links to files are crawled too: they can be broken"}
_BASES = {"TestGetBaseUrl.test_base_url_in_script": "noscript is read: this crawler runs no scripts"}

SUITES = (
    Suite("links, Scrapy's tests", "scrapy 2.19.0 (PyPI)", _scrapy_tests, _LINKS),
    Suite("base URLs, w3lib's tests", "w3lib 2.5.0 (PyPI)", _w3lib_tests, _BASES),
)
