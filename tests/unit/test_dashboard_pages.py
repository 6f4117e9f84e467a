"""The pages of the dashboard: what they show, to whom, and that nothing crawled can dress them up."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from api.dashboard.text import web_link
from shared import queue_ops
from shared.stages import PageFacts
from shared.states import CacheStatus, TaskState
from tests.api_kit import Api, link
from tests.unit.test_dashboard_signin import Browser, signed_in

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'\u202egnp.exe\x1b[31m\x00"
CSP = {"default-src 'self'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"}


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


@pytest.fixture
def browser(api: Api) -> Browser:
    return signed_in(api)


def crawled(api: Api) -> str:
    """Two fine pages, a slow one, and a broken link on the first."""
    uid = api.crawl(["/", "/a", "/slow"])
    api.finish(uid, 2, links=(link("/gone"),), facts=PageFacts(title="Home"))
    api.finish(uid, 3, cache_status=CacheStatus.HIT)
    api.finish(uid, 4, response_time=4000, cache_status=CacheStatus.MISS)
    api.fail(uid, 5)
    return uid


def tasks_in(html: str) -> list[str]:
    return re.findall(r'<a class="url" href="/jobs/[^"]*/tasks/[^"]*"><bdi>([^<]*)</bdi>', html)


def task_uid(api: Api, uid: str, path: str) -> str:
    found = api.get(f"/v1/jobs/{uid}/tasks", path=path)["tasks"]
    task_id: str = found[0]["id"]
    return task_id


# -- the start page -----------------------------------------------------------


def test_the_start_page_shows_what_runs_and_what_ran(api: Api, browser: Browser) -> None:
    crawled(api)
    api.crawl(["/x", "/y"], domain="https://running.example")
    html = browser.get("/")
    assert html.count("running.example") >= 2
    assert "0 of 2 pages" in html
    assert re.search(r"s-completed.>completed<", html)


def test_the_queue_counts_come_from_redis(api: Api, browser: Browser) -> None:
    api.queue.redis.rpush("rq:queue:crawl", *range(1234))
    assert "<dt>Waiting</dt><dd>1,234</dd>" in browser.get("/")


def test_a_crawl_is_started_from_the_browser(api: Api, browser: Browser) -> None:
    answer = browser.post("/", domain=" https://example.com ", max_pages="50", concurrency="")
    job = api.get("/v1/jobs/" + answer.headers["Location"].removeprefix("/jobs/"))
    assert (answer.status_code, job["domain"]) == (303, "example.com")
    assert (job["max_pages"], job["concurrency"], job["source_type"]) == (50, 20, "dashboard")


def test_a_crawl_is_narrowed_from_the_browser(api: Api, browser: Browser) -> None:
    rules = {"include": " /blog/*  /docs/* ", "exclude": "*.pdf", "max_depth": "2"}
    answer = browser.post("/", domain="example.com", **rules)
    job = api.get("/v1/jobs/" + answer.headers["Location"].removeprefix("/jobs/"))
    assert (job["include"], job["exclude"], job["max_depth"]) == (["/blog/*", "/docs/*"], ["*.pdf"], 2)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("include", "/a blog", "begins with"),
        ("max_depth", "deep", "must be a whole number"),
        ("domain", "", "is required"),
        ("domain", "ftp://example.com", "http"),
        ("domain", HOSTILE, ""),
        ("max_pages", "many", "must be a whole number"),
        ("max_pages", "-1", "must be a whole number"),
        ("concurrency", "1000", "less than or equal to 100"),
        ("concurrency", "9" * 50, "must be a whole number"),
    ],
)
def test_what_is_wrong_with_the_form_is_said_beside_the_field(
    api: Api, browser: Browser, field: str, typed: str, said: str
) -> None:
    answer = browser.post("/", **{"domain": "example.com", field: typed})
    message = re.search(rf'id="{field}-error">([^<]*)<', answer.text)
    assert answer.status_code == 400
    assert message
    assert said in message[1]
    assert api.get("/v1/jobs")["jobs"] == []
    assert "<script>alert" not in answer.text


def test_what_was_typed_is_still_there(browser: Browser) -> None:
    answer = browser.post("/", domain="kept.example", concurrency="0")
    assert 'value="kept.example"' in answer.text


def test_crawls_are_filtered_and_paged_like_the_apis(api: Api, browser: Browser) -> None:
    for n in range(12):
        api.crawl(domain=f"https://n{n}.example")
    html = browser.get("/?status=running&limit=5&page=2")
    assert "6–10 of 12" in html
    assert 'href="/?limit=5&amp;page=3&amp;status=running"' in sorted_queries(html)


def sorted_queries(html: str) -> str:
    """The page with the parameters of its links in alphabetical order."""

    def ordered(match: re.Match[str]) -> str:
        path, _, query = match[1].partition("?")
        return f'href="{path}?{"&amp;".join(sorted(query.split("&amp;")))}"'

    return re.sub(r'href="([^"]*\?[^"]*)"', ordered, html)


# -- a crawl ------------------------------------------------------------------


def test_a_crawl_shows_its_summary(api: Api, browser: Browser) -> None:
    html = browser.get(f"/jobs/{crawled(api)}")
    assert sorted(tasks_in(html)) == ["/", "/a", "/gone", "/slow"]
    for shown in ("cache hits", "50.0 %", "4.0 kB", "over 3 s", 'class="arc s-failed"', 'class="slow"'):
        assert shown in html


def test_a_crawl_that_ended_is_not_asked_for_again_and_again(api: Api, browser: Browser) -> None:
    assert "data-refresh" not in browser.get(f"/jobs/{crawled(api)}")
    assert "data-refresh" in browser.get(f"/jobs/{api.crawl()}")


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("status=failed", ["/gone"]),
        ("status_code=200&sort=-response_time", ["/slow", "/", "/a"]),
        ("cache=hit", ["/a"]),
        ("path=SLO", ["/slow"]),
        ("sort=-path&limit=2", ["/slow", "/gone"]),
        ("sort=-path&limit=2&page=2", ["/a", "/"]),
        ("sort=path&limit=1&offset=3", ["/slow"]),
        ("path=nothing", []),
    ],
)
def test_tasks_are_filtered_sorted_and_paged_by_the_apis_names(
    api: Api, browser: Browser, query: str, paths: list[str]
) -> None:
    assert tasks_in(browser.get(f"/jobs/{crawled(api)}?{query}")) == paths


def test_page_views_are_columns_where_there_are_any_or_they_are_sorted_by(api: Api, browser: Browser) -> None:
    uid = crawled(api)
    assert "Views 28 d" not in browser.get(f"/jobs/{uid}")
    assert 'aria-sort="descending"><a href' in browser.get(f"/jobs/{uid}?sort=-page_views_28d")


def test_links_keep_the_filters(api: Api, browser: Browser) -> None:
    html = browser.get(f"/jobs/{crawled(api)}?status=completed&path=%2F&limit=1&page=2&sort=path")
    links = {text: parse_qs(urlsplit(url.replace("&amp;", "&")).query) for url, text in hrefs(html)}
    kept = {"status": ["completed"], "path": ["/"], "limit": ["1"]}
    assert links["Next →"] == kept | {"sort": ["path"], "page": ["3"]}
    assert links["← Previous"] == kept | {"sort": ["path"], "page": ["1"]}
    assert links["Path"] == kept | {"sort": ["-path"]}
    assert links["Code"] == kept | {"sort": ["status_code"]}
    assert 'aria-sort="ascending"' in html


def hrefs(html: str) -> list[tuple[str, str]]:
    return re.findall(r'<a(?: rel="\w+")? href="([^"]*)">([^<]*)</a>', html)


def test_a_forms_empty_fields_leave_the_url(api: Api, browser: Browser) -> None:
    uid = crawled(api)
    answer = browser.client.get(f"/jobs/{uid}?status=&status_code=404&cache=&path=")
    assert answer.headers["Location"] == f"/jobs/{uid}?status_code=404"


@pytest.mark.parametrize("query", ["status_code=abc", "sort=colour", "status=lost", "limit=0", "colour=red", "page=-1"])
def test_a_wrong_filter_is_named_and_the_page_still_there(api: Api, browser: Browser, query: str) -> None:
    html = browser.get(f"/jobs/{crawled(api)}?{query}", 400)
    assert f"<b>{query.partition('=')[0]}</b>" in html
    assert len(tasks_in(html)) == 4


def test_broken_links_say_where_they_were_found(api: Api, browser: Browser) -> None:
    html = browser.get(f"/jobs/{crawled(api)}/broken")
    assert tasks_in(html) == ["https://example.com/gone"]
    assert "HTTP 404" in html
    assert 'href="https://example.com/" target="_blank" rel="noopener noreferrer nofollow"' in html


def test_slow_pages_are_listed(api: Api, browser: Browser) -> None:
    assert tasks_in(browser.get(f"/jobs/{crawled(api)}/slow")) == ["https://example.com/slow"]


@pytest.mark.parametrize(("form", "kind"), [("csv", "text/csv"), ("json", "application/json"), ("jsonl", "ndjson")])
def test_an_export_is_the_apis_as_a_file(api: Api, browser: Browser, form: str, kind: str) -> None:
    uid = crawled(api)
    answer = browser.client.get(f"/jobs/{uid}/export?type=broken-links&format={form}")
    assert (answer.status_code, kind in answer.content_type) == (200, True)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="broken-links-{uid}.{form}"'
    assert "https://example.com/gone" in answer.text


def test_a_crawl_is_cancelled(api: Api, browser: Browser) -> None:
    uid = api.crawl()
    answer = browser.post(f"/jobs/{uid}/cancel", f"/jobs/{uid}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/jobs/{uid}")
    assert api.get(f"/v1/jobs/{uid}")["status"] == "cancelled"
    assert "Cancel this crawl" not in browser.get(f"/jobs/{uid}")


def test_a_crawl_is_paused_and_goes_on(api: Api, browser: Browser) -> None:
    uid = api.crawl()
    for action, offered in (("pause", "Resume"), ("resume", "Pause")):
        assert browser.post(f"/jobs/{uid}/{action}", f"/jobs/{uid}").status_code == 303
        assert re.search(f"<button[^>]*>{offered}</button>", browser.get(f"/jobs/{uid}"))
    assert browser.post(f"/jobs/{crawled(api)}/pause").status_code == 409


def test_what_cannot_be_cancelled_says_so(api: Api, browser: Browser) -> None:
    answer = browser.post(f"/jobs/{crawled(api)}/cancel")
    assert answer.status_code == 409
    assert "cannot be cancelled" in answer.text


def test_a_failed_task_is_retried(api: Api, browser: Browser) -> None:
    uid = crawled(api)
    page = f"/jobs/{uid}/tasks/{task_uid(api, uid, '/gone')}"
    assert browser.post(f"{page}/retry", page).headers["Location"] == page
    assert ">pending<" in browser.get(page)


def test_a_task_shows_its_title_and_measurements(api: Api, browser: Browser) -> None:
    uid = crawled(api)
    task = api.get(f"/v1/jobs/{uid}/tasks", sort="created_at")["tasks"][0]
    html = browser.get(f"/jobs/{uid}/tasks/{task['id']}")
    for shown in ("<bdi>Home</bdi>", "100 ms", "1 of 3", ">200<"):
        assert shown in html


# -- hostile text -------------------------------------------------------------


def test_nothing_crawled_becomes_markup(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/"])
    path = "/<script>alert(3)</script>?q='\"&x"
    bad = link(path, "https://<b>.example")
    api.finish(uid, 2, links=(bad,), facts=PageFacts(title=HOSTILE), content_type=HOSTILE)
    api.finish(uid, 3, TaskState.FAILED, error=HOSTILE, content_type=HOSTILE, facts=PageFacts(title=HOSTILE))
    tasks = [task["id"] for task in api.get(f"/v1/jobs/{uid}/tasks")["tasks"]]
    pages = ["/", *(f"/jobs/{uid}{tab}" for tab in ("", "/broken", "/slow", *(f"/tasks/{t}" for t in tasks)))]
    for html in map(browser.get, pages):
        assert not re.search(r"<script(?! defer src)|<img|<b>\.example|[\u202e\x1b\x00]", html)


def test_a_scheme_that_runs_code_is_no_link() -> None:
    assert web_link("javascript:alert(1)") is None
    assert web_link("https://example.com/") == "https://example.com/"


def test_a_filters_text_is_escaped(api: Api, browser: Browser) -> None:
    html = browser.get(f"/jobs/{api.crawl()}?path=%22%3E%3Cscript%3E", 200)
    assert "<script>" not in html
    assert "&#34;&gt;&lt;script&gt;" in html


# -- who sees what ------------------------------------------------------------


def test_another_organisations_crawl_is_not_found(api: Api) -> None:
    uid = crawled(api)
    task = task_uid(api, uid, "/gone")
    other = signed_in(api, api.key("other"))
    for path in ("", "/broken", "/slow", "/export?format=csv", f"/tasks/{task}"):
        assert "Not found" in other.get(f"/jobs/{uid}{path}", 404)
    assert other.post(f"/jobs/{uid}/cancel").status_code == 404
    assert other.post(f"/jobs/{uid}/tasks/{task}/retry").status_code == 404
    assert "example.com/" not in other.get("/")


@pytest.mark.parametrize("path", ["/jobs/nonsense", "/jobs/0190a0b0-0000-7000-8000-000000000000", "/static/no.css"])
def test_what_does_not_exist_is_a_readable_page(browser: Browser, path: str) -> None:
    html = browser.get(path, 404)
    assert "<h1>Not found</h1>" in html
    assert "To the start page" in html


def test_a_task_of_another_crawl_is_not_found(api: Api, browser: Browser) -> None:
    uid, other = crawled(api), api.crawl()
    browser.get(f"/jobs/{other}/tasks/{task_uid(api, uid, '/gone')}", 404)


def test_a_key_that_only_reads_changes_nothing(api: Api) -> None:
    uid = api.crawl()
    reader = signed_in(api, api.key("acme", {"read"}))
    assert "Start a crawl" not in reader.get("/")
    assert "Cancel this crawl" not in reader.get(f"/jobs/{uid}")
    for path in ("/", f"/jobs/{uid}/cancel", "/queues/crawl/pause"):
        assert reader.post(path, domain="example.com").status_code == 403
    assert "Not allowed" in reader.get("/queues", 403)


# -- queues -------------------------------------------------------------------


def test_a_queue_is_paused_and_resumed(api: Api, browser: Browser) -> None:
    for action, paused in (("pause", True), ("resume", False)):
        assert browser.post(f"/queues/crawl/{action}").status_code == 303
        assert {q.name: q.is_paused for q in queue_ops.queues(api.queue)}["crawl"] is paused
    assert browser.post("/queues/nothing/pause").status_code == 404


def test_workers_are_listed(api: Api, browser: Browser) -> None:
    assert "No worker is running" in browser.get("/queues")
    fields: Any = {
        "state": "busy",
        "queues": "crawl",
        "hostname": HOSTILE[:40],
        "pid": "7",
        "birth": "2026-01-01T00:00:00Z",
    }
    api.queue.redis.hset("rq:worker:abc", mapping=fields)
    api.queue.redis.sadd("rq:workers", "rq:worker:abc")
    html = browser.get("/queues")
    assert "pid 7" in html
    assert "<script>" not in html


# -- headers and errors -------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/login", "/queues", "/jobs/nonsense"])
def test_every_page_has_a_strict_policy_and_stays_inside_it(browser: Browser, path: str) -> None:
    answer = browser.client.get(path)
    assert set(answer.headers["Content-Security-Policy"].split("; ")) >= CSP
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r' style="|<style| on\w+="|https?://(?!example)', answer.text)


def test_redis_away_is_a_readable_page(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise redis.ConnectionError("secret-host:6379")

    monkeypatch.setattr(browser.api.queue.redis, "get", away)
    html = browser.get("/", 503)
    assert "Redis cannot be reached" in html
    assert "secret-host" not in html


def test_a_surprise_is_a_readable_page(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.dashboard.start.pace", lambda job: 1 / 0)
    browser.api.crawl()
    html = browser.get("/", 500)
    assert "Something went wrong" in html
    assert "ZeroDivisionError" not in html


def test_a_session_spends_its_keys_requests(sqlite_url: str) -> None:
    api = Api(sqlite_url, CRAWLYARD_RATE_LIMIT="3")
    browser = signed_in(api)
    answers = [browser.client.get("/queues") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["Retry-After"]


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/jobs", 401), ("/api/jobs", 401), ("/nothing", 404), ("/logout", 405)]
)
def test_the_apis_errors_stay_json(api: Api, path: str, status: int) -> None:
    answer = Browser(api).client.get(path)
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_ids_are_taken_in_either_spelling(api: Api, browser: Browser) -> None:
    uid = api.crawl()
    assert "example.com" in browser.get(f"/jobs/{uid.replace('-', '')}")
