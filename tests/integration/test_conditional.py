"""Recrawls that ask for a page only if it has changed, by whole crawls of a site that counts."""

import time
from collections.abc import Iterator
from email.utils import formatdate
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from shared.clock import SECOND, now_us
from shared.store import validators
from tests.crawling import Crawls, crawls
from tests.site import Page, Site, redirect

NAMES = {"example.test": "127.0.0.1"}


def html(text: str, headers: dict[str, str] | None = None) -> Page:
    """A page whose title stays."""
    head = {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
    return 200, head, f"<!doctype html><title>T</title><body>{text}</body>".encode()


class Origin(Site):
    """Pages with validators, and a 304 to who has them. One request at a time, so that the newest is the one."""

    def __init__(self) -> None:
        super().__init__(fallback=self.answer)
        self.bodies: dict[str, str] = {}
        self.by_time = False
        self.changed_at = time.time() - 86_400

    def answer(self, path: str) -> Page | None:
        if path not in self.bodies:
            return None
        known = self.validators(path)
        asked = self.requests[-1].headers
        if asked.get("if-none-match") == known.get("ETag", "") or asked.get("if-modified-since") == known.get(
            "Last-Modified", ""
        ):
            return 304, known, b""
        return html(self.bodies[path], known)

    def validators(self, path: str) -> dict[str, str]:
        if self.by_time:
            return {"Last-Modified": formatdate(self.changed_at, usegmt=True)}
        return {"ETag": f'"{sha1(self.bodies[path].encode()).hexdigest()}"'}

    def conditional(self) -> list[str]:
        """Paths that were asked for with a condition."""
        return [r.path for r in self.requests if {"if-none-match", "if-modified-since"} & r.headers.keys()]


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as site:
        site.bodies = {"/": '<a href="/a">a</a><a href="/b">b</a>', "/a": "a", "/b": "b"}
        yield site


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


@pytest.fixture
def either(store_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crawls]:
    with crawls(store_url, redis_url, tmp_path, NAMES, monkeypatch) as system:
        yield system


@pytest.fixture
def crawl(sqlite_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crawls]:
    with crawls(sqlite_url, redis_url, tmp_path, NAMES, monkeypatch) as system:
        yield system


def run(crawls: Crawls, site: Site, **options: Any) -> dict[str, Any]:
    """The tasks of a crawl by path."""
    job = crawls.run(f"http://{site.host}", use_sitemap=False, concurrency=1, **options)
    return {task["path"]: task for task in crawls.tasks(job)}


def told(tasks: dict[str, Any]) -> dict[str, Any]:
    return {path: (t["status"], t["status_code"], t["content_type"], t["error"]) for path, t in tasks.items()}


def history(crawls: Crawls) -> list[list[str]]:
    return [c["types"] for c in crawls.api.get("/api/changes")["data"]]


def test_a_recrawl_transfers_only_what_has_changed(either: Crawls, origin: Origin) -> None:
    first = run(either, origin)
    assert (set(first), origin.conditional()) == ({"/", "/a", "/b"}, [])
    second = run(either, origin)
    assert told(second) == told(first)
    assert sorted(origin.conditional()) == ["/", "/a", "/b"]
    origin.bodies |= {"/a": 'new <a href="/c">c</a>', "/c": "c"}
    third = run(either, origin)
    assert {path: t["status_code"] for path, t in third.items()} == dict.fromkeys(("/", "/a", "/b", "/c"), 200)
    assert sorted(history(either)) == [["content"], ["new"]]


def test_an_unmodified_page_is_the_page_that_it_was(crawl: Crawls, origin: Origin) -> None:
    run(crawl, origin)
    job = crawl.run(f"http://{origin.host}", use_sitemap=False)
    home = next(t for t in crawl.tasks(job) if t["path"] == "/")
    queued = crawl.api.get(f"/api/jobs/{home['id']}")["data"]["returnValue"]
    assert (queued["statusCode"], queued["changed"], queued["linksFound"]) == (200, False, 2)
    assert job["stats"]["total_bytes"] == 0
    (domain,) = crawl.api.get("/api/domains")["data"]
    pages = {p["url"]: p for p in crawl.api.get(f"/api/domains/{domain['id']}/pages")["data"]}
    assert (pages[origin.url()]["title"], pages[origin.url()]["statusCode"]) == ("T", 200)


def test_a_time_is_a_validator_where_there_is_no_tag(crawl: Crawls, origin: Origin) -> None:
    origin.by_time = True
    run(crawl, origin)
    assert set(run(crawl, origin)) == {"/", "/a", "/b"}
    assert len(origin.conditional()) == 3


def test_a_page_that_has_just_changed_may_change_again_in_the_same_second(crawl: Crawls, origin: Origin) -> None:
    origin.by_time, origin.changed_at = True, time.time() - 5
    run(crawl, origin)
    run(crawl, origin)
    assert origin.conditional() == []


@pytest.mark.parametrize(
    "options",
    [{"conditional_requests": False}, {"headers": {"X-Preview": "1"}}, {"cookies": {"a": "b"}}, {"user_agent": "B/1"}],
)
def test_what_another_request_brought_is_not_relied_on(crawl: Crawls, origin: Origin, options: dict[str, Any]) -> None:
    run(crawl, origin)
    assert set(run(crawl, origin, **options)) == {"/", "/a", "/b"}
    assert origin.conditional() == []


def test_rules_apply_to_the_links_of_an_unmodified_page(crawl: Crawls, origin: Origin) -> None:
    assert set(run(crawl, origin, exclude=["/b"])) == {"/", "/a"}
    assert set(run(crawl, origin)) == {"/", "/a", "/b"}
    assert sorted(origin.conditional()) == ["/", "/a"]
    assert set(run(crawl, origin, max_depth=0)) == {"/"}


def test_a_page_is_read_anew_when_what_is_compared_changes(crawl: Crawls, origin: Origin) -> None:
    run(crawl, origin)
    (domain,) = crawl.api.get("/api/domains")["data"]
    path = f"/api/domains/{domain['id']}/changes-settings"
    assert crawl.api.call("PUT", path, json={"dropSelectors": [".ad"]}).status_code == 200
    run(crawl, origin)
    assert origin.conditional() == []


def test_what_came_between_is_a_change_in_both_directions(crawl: Crawls, origin: Origin) -> None:
    run(crawl, origin)
    a = origin.bodies.pop("/a")
    run(crawl, origin)
    origin.bodies["/a"] = a
    assert run(crawl, origin)["/a"]["status_code"] == 200
    assert [types[0] for types in history(crawl)] == ["status", "removed"]


def test_pages_are_fetched_in_full_now_and_then(crawl: Crawls, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    run(crawl, origin)
    later = now_us() + (validators.DAYS + 1) * 86_400 * SECOND
    with monkeypatch.context() as patch:
        patch.setattr("workers.validators.now_us", lambda: later)
        run(crawl, origin)
    assert origin.conditional() == []
    assert validators.purge(crawl.api.store, later) == 3


def test_a_304_that_nobody_asked_for_is_a_readable_failure(crawl: Crawls, site: Site) -> None:
    site.pages = {"/": html('<a href="/lie">x</a>'), "/lie": (304, {"ETag": '"x"'}, b"")}
    lie = run(crawl, site)["/lie"]
    assert (lie["status"], lie["status_code"]) == ("failed", 304)
    assert lie["error"] == "HTTP 304, although the page itself was asked for"


def test_a_304_about_another_version_is_asked_again(crawl: Crawls, origin: Origin) -> None:
    run(crawl, origin)
    truth = origin.answer

    def lying(path: str) -> Page | None:
        is_asked = "if-none-match" in origin.requests[-1].headers
        return (304, {"ETag": '"another"'}, b"") if is_asked else truth(path)

    origin.fallback, origin.bodies["/a"] = lying, "changed"
    assert set(run(crawl, origin)) == {"/", "/a", "/b"}
    assert len(origin.conditional()) == 3
    assert history(crawl) == [["content"]]


def test_conditions_do_not_go_where_a_page_redirects_to(crawl: Crawls, origin: Origin) -> None:
    run(crawl, origin)
    origin.pages["/a"] = redirect("/b")
    assert run(crawl, origin)["/a"]["status"] == "skipped"
    assert sorted(origin.conditional()) == ["/", "/a", "/b"]
    followed = [r for r in origin.requests if r.path == "/b"]
    assert [("if-none-match" in r.headers) for r in followed].count(True) == 1


def test_a_304_with_a_body_harms_no_other_page(crawl: Crawls, origin: Origin) -> None:
    run(crawl, origin)
    truth = origin.answer

    def chatty(path: str) -> Page | None:
        page = truth(path)
        return (304, page[1], b"surprise " * 50) if page and page[0] == 304 else page

    origin.fallback = chatty
    assert {t["status"] for t in run(crawl, origin).values()} == {"completed"}


def test_nothing_is_left_of_a_deleted_domain(crawl: Crawls, origin: Origin) -> None:
    run(crawl, origin)
    (domain,) = crawl.api.get("/api/domains")["data"]
    assert crawl.api.call("DELETE", f"/api/domains/{domain['id']}").status_code in (200, 204)
    with crawl.api.store.read() as conn:
        assert conn.execute(validators.page_validators.select()).all() == []
