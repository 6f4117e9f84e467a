"""Looks at real pages of a site, fetched and recorded by the crawler's own steps."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.clock import now_us
from shared.settings import Settings
from shared.store import step
from tests.api_kit import LEASE, Api
from tests.site import Page, Site
from workers import crawl, runtime

Look = Callable[[], bool]


@pytest.fixture
def site() -> Iterator[Site]:
    with Site({"/": said("old")}) as made:
        yield made


@pytest.fixture
def api(sqlite_url: str) -> Iterator[Api]:
    made = Api(sqlite_url)
    yield made
    made.store.close()


@pytest.fixture
def look(api: Api, site: Site, sqlite_url: str, redis_url: str) -> Iterator[Look]:
    """Crawls the page once; whether that changed it."""
    environ = {"REDIS_URL": redis_url, "DATABASE_URL": sqlite_url, "CRAWLYARD_ALLOW_PRIVATE": site.host}
    ctx = runtime.build(Settings.from_env(environ))
    task = {"name": "crawl.page", "url": site.url(), "maxAttempts": 1}

    def once() -> bool:
        uid = api.post("/api/jobs", task, 202)["data"]["id"]
        outcome = crawl.crawl(ctx, api.start(uid, 0), lambda: False)
        (verdict,) = step.run(api.store, [], [outcome], now_us(), LEASE).verdicts
        assert verdict.recorded
        return verdict.changed

    yield once
    ctx.close()


def said(text: str, status: int = 200, kind: str = "text/html", **headers: str) -> Page:
    return status, {"Content-Type": kind, **headers}, text.encode()


def history(api: Api) -> list[list[str]]:
    return [c["types"] for c in api.get("/api/changes")["data"]]


def configure(api: Api, **settings: Any) -> Any:
    (domain,) = api.get("/api/domains")["data"]
    answer = api.call("PUT", f"/api/domains/{domain['id']}/changes-settings", json=settings)
    assert answer.status_code == 200, answer.text
    return answer.json["data"]


def test_it_works(api: Api, site: Site, look: Look) -> None:
    assert [look(), look()] == [False, False]
    site.pages["/"] = said("new")
    assert [look(), look()] == [True, False]
    assert history(api) == [["content"]]


@pytest.mark.parametrize("status", [403, 429, 503])
def test_an_answer_that_blocks_us_is_no_change(api: Api, site: Site, look: Look, status: int) -> None:
    look()
    site.pages["/"] = said("Are you human?", status)
    assert not look()
    site.pages["/"] = said("old")
    assert not look()
    assert history(api) == []


def test_an_error_before_the_first_look_is_no_history(api: Api, site: Site, look: Look) -> None:
    site.pages["/"] = said("Oops", 500)
    assert not look()
    site.pages["/"] = said("old")
    assert [look(), look()] == [False, False]
    assert history(api) == []


def test_a_page_that_comes_back_changed_says_both(api: Api, site: Site, look: Look) -> None:
    look()
    for page in (said("Gone", 410), said("new")):
        site.pages["/"] = page
        assert look()
    assert history(api) == [["status", "content"], ["removed", "status"]]


def test_a_redirect_elsewhere_and_back(api: Api, site: Site, look: Look) -> None:
    site.pages |= {"/b": said("b"), "/c": said("c")}
    look()
    for target in ("/b", "/c"):
        site.pages["/"] = said("", 302, Location=target)
        assert [look(), look()] == [True, False]
    site.pages["/"] = said("old")
    assert [look(), look()] == [True, False]
    assert history(api) == [["redirect"]] * 3


def test_a_selector_that_matches_nothing_is_a_state_and_no_change(api: Api, site: Site, look: Look) -> None:
    look()
    shown = configure(api, includeSelectors=["main"])
    assert (shown["problems"], look()) == ([], False)
    (problem,) = configure(api, includeSelectors=["main"])["problems"]
    assert (problem["url"], problem["note"]) == (site.url(), "Nothing matches main: the whole page is compared")
    site.pages["/"] = said("new")
    assert look()
    site.pages["/"] = said("x<main>new</main>")
    assert not look()
    assert configure(api, includeSelectors=["main"])["problems"] == []
    site.pages["/"] = said("y<main>newer</main>")
    assert look()


def test_dropped_parts_and_ignored_patterns_are_no_change(api: Api, site: Site, look: Look) -> None:
    site.pages["/"] = said("<p>Same</p><p class=ad>a</p><p>Visitors: 1</p>")
    look()
    configure(api, dropSelectors=[".ad"], ignorePatterns=[r"Visitors: \d+"])
    assert not look()
    site.pages["/"] = said("<p>Same</p><p class=ad>b</p><p>Visitors: 2</p>")
    assert not look()
    site.pages["/"] = said("<p>Other</p><p class=ad>b</p><p>Visitors: 2</p>")
    assert look()


def test_small_changes_add_up(api: Api, site: Site, look: Look) -> None:
    words = [f"word{n:02}" for n in range(20)]
    site.pages["/"] = said(" ".join(words))
    look()
    configure(api, minChange=0.1)
    seen = []
    for n in range(4):
        words[n] = f"fresh{n}"
        site.pages["/"] = said(" ".join(words))
        seen.append(look())
    assert seen == [False, True, False, True]


def test_a_line_that_becomes_a_heading_is_a_change_of_headings(api: Api, site: Site, look: Look) -> None:
    for page in ("<p>Plans</p><p>Prices</p>", "<h2>Plans</h2><p>Prices</p>"):
        site.pages["/"] = said(page)
        look()
    assert not look()
    (change,) = api.get("/api/changes")["data"]
    assert (change["types"], change["before"]["headings"], change["after"]["headings"]) == (["headings"], [], ["Plans"])


def test_plain_text_is_compared_and_other_things_are_not(api: Api, site: Site, look: Look) -> None:
    for kind, changed in (("text/plain", True), ("image/png", False)):
        site.pages["/"] = said("one", kind=kind)
        look()
        site.pages["/"] = said("two", kind=kind)
        assert look() is changed


def test_a_page_with_a_second_request_keeps_its_change(api: Api, site: Site, look: Look) -> None:
    look()
    site.pages["/"] = said("new", **{"X-Cache": "MISS"})
    assert look()
    (change,) = api.get("/api/changes")["data"]
    record = api.get(f"/api/jobs/{change['jobId']}")["data"]
    assert record["state"] == "delayed"
    api.finish(change["jobId"], 0)
    assert api.get(f"/api/jobs/{change['jobId']}")["data"]["returnValue"]["changed"] is True
