"""Sites without end, crawled to an end that the job is told of."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.crawling import Crawls, crawls
from tests.site import Page, Site, html
from workers import traps

Answer = Callable[[str], str | None]


@pytest.fixture
def crawl(sqlite_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crawls]:
    monkeypatch.setattr(traps, "DEEP", 40)
    monkeypatch.setattr(traps, "DEEP_URLS", 20)
    with crawls(sqlite_url, redis_url, tmp_path, {}, monkeypatch) as system:
        yield system


def calendar(path: str) -> str | None:
    """Each month links to the one after it, and to an event of this year."""
    if not path.startswith("/cal/"):
        return None
    year, month = map(int, path.split("/")[2:])
    return f'<a href="/cal/{year + month // 12}/{month % 12 + 1}">next</a>'


def back(path: str) -> str | None:
    """Each month links to the one before it."""
    if not path.startswith("/old/"):
        return None
    year, month = map(int, path.split("/")[2:])
    return f'<a href="/old/{year - (month == 1)}/{(month - 2) % 12 + 1}">previous</a>'


def parameters(path: str) -> str | None:
    """Each page adds a filter that is set already."""
    return f'<a href="{path}&f=1">more</a>' if path.startswith("/list?") else None


def pages(path: str) -> str | None:
    """A list whose next page always exists."""
    return f'<a href="/p?n={int(path[5:]) + 1}">next</a>' if path.startswith("/p?n=") else None


def segments(path: str) -> str | None:
    """A relative link where an absolute one was meant."""
    return '<a href="x/">deeper</a>' if path.startswith("/x/") else None


_session = itertools.count()


def sessions(path: str) -> str | None:
    """Each look at the page has a session of its own."""
    return f'<a href="/s?sid={next(_session)}">again</a>' if path.startswith("/s") else None


_TODAY = datetime.now(UTC)
_MONTH = f"{_TODAY.year}/{_TODAY.month}"


@pytest.mark.parametrize(
    ("start", "answer", "least", "most", "told"),
    [
        (f"/cal/{_MONTH}", calendar, 36, 37, "Calendar without end: /cal/0/0"),
        (f"/old/{_MONTH}", back, 40, 62, "URLs without end: /old/0/0"),
        ("/list?f=1", parameters, 4, 4, "Endless parameters: /list?f"),
        ("/p?n=1", pages, 40, 62, "URLs without end: /p?n"),
        ("/x/", segments, 4, 4, "Repeating path segments: /x/x/x/x/x/"),
        ("/s", sessions, 20, 21, "Session ids: /s"),
    ],
)
def test_a_trap_ends_and_is_told(crawl: Crawls, start: str, answer: Answer, least: int, most: int, told: str) -> None:
    def page(path: str) -> Page | None:
        text = f'<a href="{start}">in</a><a href="/real">real</a>' if path == "/" else answer(path)
        return html(text) if text else html("real") if path == "/real" else None

    with Site(fallback=page) as site:
        job = crawl.run(f"http://{site.host}", use_sitemap=False)
    assert job["status"] == "completed"
    assert least <= job["progress"]["completed_tasks"] - 2 <= most
    assert [(w["kind"], w["message"]) for w in job["warnings"]] == [("trap", f"{told}: left out")]
