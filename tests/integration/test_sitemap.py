"""Sitemaps of all kinds, read from a site."""

import gzip
from collections.abc import Iterator
from itertools import islice

import pytest

from shared.settings import FetchLimits
from tests import site as sites
from tests.site import Page, Site, redirect
from workers import sitemap
from workers.egress import EgressPolicy
from workers.errors import BodyTooLarge, Cancelled
from workers.fetch import Fetcher
from workers.sitemap import SitemapReader, entries, iter_sitemap

NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    fetcher = Fetcher(FetchLimits(first_byte=0.5, total=2.0), EgressPolicy(("127.0.0.1",)), "t")
    yield fetcher
    fetcher.close()


def xml(text: str) -> Page:
    return 200, {"Content-Type": "application/xml"}, text.encode()


def urlset(*paths: str) -> Page:
    return xml(f"<urlset {NS}>" + "".join(f"<url><loc>http://e.com{p}</loc></url>" for p in paths) + "</urlset>")


def index(*refs: str) -> Page:
    return xml(f"<sitemapindex {NS}>" + "".join(f"<sitemap><loc>{r}</loc></sitemap>" for r in refs) + "</sitemapindex>")


def read(fetcher: Fetcher, pages: dict[str, Page], *paths: str) -> tuple[list[str], list[str]]:
    """(paths of the URLs found, problems)."""
    with Site(pages) as site:
        reader = SitemapReader(fetcher)
        found = list(reader.urls(site.url(path) for path in paths or ("/s.xml",)))
        return [url.removeprefix("http://e.com") for url in found], reader.problems


def test_it_works(fetcher: Fetcher) -> None:
    assert read(fetcher, {"/s.xml": urlset("/a", "/b?c&amp;d")}) == (["/a", "/b?c&d"], [])


@pytest.mark.parametrize(
    ("answer", "problems"),
    [
        ((404, {}, b""), 0),
        ((200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><title>Not found</title>"), 0),
        ((500, {}, b""), 1),
        (xml("<urlset><url>"), 2),
    ],
)
def test_a_guessed_sitemap_that_is_none_is_no_problem(fetcher: Fetcher, answer: Page, problems: int) -> None:
    with Site({"/s.xml": answer}) as site:
        reader = SitemapReader(fetcher, guessed=True)
        assert list(reader.urls([site.url("/s.xml")])) == []
        assert len(reader.problems) == problems


def test_indexes_are_followed_once_each(fetcher: Fetcher) -> None:
    pages = {"/s.xml": index("{origin}/1", "2", "{origin}/1#x", "/s.xml"), "/1": urlset("/a"), "/2": urlset("/b")}
    assert read(fetcher, pages) == (["/a", "/b"], [])


def test_indexes_are_followed_three_deep(fetcher: Fetcher) -> None:
    pages = {"/s.xml": index("/1"), "/1": index("/2"), "/2": index("/3", "/4"), "/3": urlset("/a")}
    found, problems = read(fetcher, pages)
    assert found == []
    assert all("3 deep" in problem for problem in problems)
    assert len(problems) == 2


def test_an_index_without_loc_is_read(fetcher: Fetcher) -> None:
    body = xml(f"<sitemapindex {NS}><sitemap> {{origin}}/1 </sitemap></sitemapindex>")
    assert read(fetcher, {"/s.xml": body, "/1": urlset("/a")}) == (["/a"], [])


def test_files_that_cannot_be_fetched_are_given_up(fetcher: Fetcher) -> None:
    pages = {"/s.xml": index(*(f"/{i}" for i in range(9))), **{f"/{i}": sites.reset() for i in range(9)}}
    _, problems = read(fetcher, pages)
    assert len(problems) == 6
    assert problems[-1] == "Gave up after 5 files that could not be fetched"


def test_the_number_of_files_is_bounded(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "MAX_FILES", 3)
    pages = {"/s.xml": index(*(f"/{i}" for i in range(9))), **{f"/{i}": urlset(f"/p{i}") for i in range(9)}}
    found, problems = read(fetcher, pages)
    assert found == ["/p0", "/p1"]
    assert "More than 3 sitemap files" in problems


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(urlset("/a", "/b")[2], mtime=0),
        gzip.compress(b"http://e.com/a\n", mtime=0) + gzip.compress(b"http://e.com/b\n", mtime=0),
        b"\xef\xbb\xbf\n" + urlset("/a", "/b")[2],
        urlset("/a", "/b")[2].decode().encode("utf-16"),
        b"\xef\xbb\xbfhttp://e.com/a\r\nftp://x\r\n\r\n http://e.com/b",
        b"<urlset><url><loc> http://e.com/a </loc></url><url><loc>http://e.com/b</loc></url></urlset>",
        b"<u:urlset xmlns:u='http://wrong'><u:url><u:loc>http://e.com/a</u:loc><i:image xmlns:i='x'><i:loc>http://no"
        b"</i:loc></i:image></u:url><u:url><u:loc>http://e.com/b</u:loc></u:url></u:urlset>",
        b"<rss><channel><item><guid>http://e.com/a</guid></item><item><guid isPermaLink='false'>http://no</guid></item>"
        b"<item><guid isPermaLink='true'>http://e.com/b</guid></item></channel></rss>",
        b"<rss><channel><link>http://no</link><item><link>http://e.com/a</link></item>"
        b"<item><link>http://e.com/b</link></item></channel></rss>",
        b"<feed xmlns='http://www.w3.org/2005/Atom'><link href='http://no'/><entry><link href='http://e.com/a'/>"
        b"<link rel='self' href='http://no'/></entry><entry><link rel='alternate' href='http://e.com/b'/></entry></feed>",
    ],
)
def test_every_format_is_read(fetcher: Fetcher, body: bytes) -> None:
    assert read(fetcher, {"/s.xml": (200, {}, body)}) == (["/a", "/b"], [])


@pytest.mark.parametrize(
    "broken",
    [
        xml(f"<urlset {NS}><url><loc>http://e.com/a</loc></url><url><loc>http://e.com/"),
        xml("<urlset><url><loc>http://e.com/a</loc></url></wrong>"),
        (200, {}, gzip.compress(urlset("/a")[2] + b" " * 99_999)[:-20] + b"x" * 30),
    ],
)
def test_a_broken_file_gives_what_it_had_and_the_next_is_read(fetcher: Fetcher, broken: Page) -> None:
    found, problems = read(fetcher, {"/s.xml": broken, "/t.xml": urlset("/b")}, "/s.xml", "/t.xml")
    assert (found[0], found[-1]) == ("/a", "/b")
    assert "/s.xml" in problems[0]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (sites.html("gone", status=404), "HTTP 404"),
        (sites.reset(), "Connection"),
        (redirect("http://10.0.0.1/"), "private"),
        (xml(""), "s.xml"),
    ],
)
def test_a_missing_file_is_a_problem_not_the_end(fetcher: Fetcher, bad: Page, problem: str) -> None:
    found, problems = read(fetcher, {"/s.xml": bad, "/t.xml": urlset("/b")}, "/s.xml", "/t.xml")
    assert found == ["/b"]
    assert problem in problems[0]


def test_entities_are_neither_expanded_nor_loaded(fetcher: Fetcher) -> None:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    doctype = f'<!DOCTYPE u [<!ENTITY l0 "ha">{laughs}<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    body = f"{doctype}<u><url><loc>&l11;</loc></url><url><loc>http://e.com/&f;</loc></url></u>"
    found, _ = read(fetcher, {"/s.xml": xml(body), "/t.xml": urlset("/b")}, "/s.xml", "/t.xml")
    assert [path for path in found if path != "/"] == ["/b"]


def test_a_gzip_bomb_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "MAX_FILE", 1_000_000)
    body = gzip.compress(urlset("/a")[2] + b" " * 100_000_000, 1)
    reader = entries(body)
    assert next(reader) == (False, "http://e.com/a")
    with pytest.raises(BodyTooLarge):
        next(reader)


def test_nothing_is_read_that_is_not_asked_for(fetcher: Fetcher) -> None:
    big = urlset(*(f"/{i}" for i in range(50_000)))
    with Site({"/s.xml": index("/1", "/2"), "/1": big, "/2": urlset("/late")}) as site:
        assert len(list(iter_sitemap(fetcher, [site.url("/s.xml")], max_urls=100))) == 100
        assert site.paths() == ["/s.xml", "/1"]


def test_cancelling_stops_the_reading(fetcher: Fetcher) -> None:
    asked: list[bool] = []
    with Site({"/s.xml": urlset("/a", "/b", "/c")}) as site:
        urls = iter_sitemap(fetcher, [site.url("/s.xml")], cancelled=lambda: bool(asked))
        assert list(islice(urls, 2)) == ["http://e.com/a", "http://e.com/b"]
        asked.append(True)
        with pytest.raises(Cancelled):
            next(urls)
