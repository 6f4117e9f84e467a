"""Queue jobs in the dashboard, and the tabs of a crawl that group and compare."""

import re

import pytest

from shared.packing import packed
from shared.stages import Redirect
from shared.states import TaskState
from shared.store import holders
from tests.api_kit import Api, link
from tests.unit.test_dashboard_pages import HOSTILE, crawled, task_uid
from tests.unit.test_dashboard_signin import Browser, signed_in


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


@pytest.fixture
def browser(api: Api) -> Browser:
    return signed_in(api)


def listed(html: str) -> list[str]:
    return re.findall(r'href="/queues/jobs/[^"]*"><bdi>(?:https://example.com)?([^<]*)<', html)


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("status=failed", ["/gone"]),
        ("status=completed&name=crawl.page", ["/slow", "/a", "/"]),
        ("status=waiting", []),
        ("q=SLO", ["/slow"]),
        ("q=HTTP+404", ["/gone"]),
        ("q=https%3A%2F%2Fexample.com%2Fa", ["/a"]),
        ("q=%25", []),
        ("q=404&status=completed", []),
        ("name=discover.pages", ["discover.pages"]),
    ],
)
def test_queue_jobs_are_filtered_and_searched(api: Api, browser: Browser, query: str, paths: list[str]) -> None:
    crawled(api)
    assert listed(browser.get(f"/queues/jobs?{query}")) == paths


def test_a_queue_job_is_found_by_its_id(api: Api, browser: Browser) -> None:
    uid = task_uid(api, crawled(api), "/a")
    for text in (uid, uid.replace("-", "")):
        assert listed(browser.get(f"/queues/jobs?q={text}")) == ["/a"]
    assert listed(signed_in(api, api.key("other")).get(f"/queues/jobs?q={uid}")) == []


@pytest.mark.parametrize("query", ["status=lost", "limit=0", "colour=red", "q=" + "x" * 3000])
def test_a_wrong_filter_is_named(api: Api, browser: Browser, query: str) -> None:
    assert f"<b>{query.partition('=')[0]}</b>" in browser.get(f"/queues/jobs?{query}", 400)


def test_a_queue_job_shows_its_payload_and_result(api: Api, browser: Browser) -> None:
    uid = task_uid(api, crawled(api), "/gone")
    name = f"rq:job:{uid.replace('-', '')}"
    html = browser.get(f"/queues/jobs/{uid}")
    assert "workers.tasks.crawl_page(" in html
    assert "Nothing: it was never enqueued" in html
    fields = {"origin": "crawl", "status": "failed", "description": HOSTILE, "worker_name": "w1"}
    api.queue.redis.hset(name, mapping=fields)  # type: ignore[arg-type]
    html = browser.get(f"/queues/jobs/{uid}")
    assert "<dd>w1</dd>" in html
    assert "<script>alert" not in html


def test_a_queue_job_is_retried_and_cancelled(api: Api, browser: Browser) -> None:
    page = f"/queues/jobs/{task_uid(api, crawled(api), '/gone')}"
    assert browser.post(f"{page}/retry", page).headers["Location"] == page
    assert browser.post(f"{page}/retry", page).status_code == 409
    assert browser.post(f"{page}/explode", page).status_code == 404


def test_chosen_jobs_are_retried_and_what_cannot_be_is_counted(api: Api, browser: Browser) -> None:
    uid = crawled(api)
    chosen = [task_uid(api, uid, path) for path in ("/gone", "/a")]
    answer = browser.post("/queues/jobs", "/queues/jobs", id=[*chosen, "nonsense"], action="retry", status="failed")
    assert answer.headers["Location"] == "/queues/jobs?status=failed&done=1&left=2"
    assert "1 done, 2 left out" in browser.get(answer.headers["Location"])


def test_all_that_failed_runs_again(api: Api, browser: Browser) -> None:
    uid = crawled(api)
    assert browser.post("/queues/jobs/retry-failed", "/queues/jobs", status="failed").status_code == 303
    assert api.get(f"/v1/jobs/{uid}")["progress"]["failed_tasks"] == 0


def test_a_crawls_failed_tasks_run_again(api: Api, browser: Browser) -> None:
    uid, other = crawled(api), crawled(api)
    assert "Retry failed" in browser.get(f"/jobs/{uid}")
    assert browser.post(f"/jobs/{uid}/retry-failed", f"/jobs/{uid}").status_code == 303
    assert [api.get(f"/v1/jobs/{job}")["progress"]["failed_tasks"] for job in (uid, other)] == [0, 1]


def test_operators_see_what_workers_do_and_how_old_the_oldest_job_is(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/busy"])
    task, redis = task_uid(api, uid, "/busy"), api.queue.redis
    redis.sadd("rq:workers", "rq:worker:w1")
    redis.hset("rq:worker:w1", mapping={"state": "busy", "queues": "crawl"})
    redis.sadd("rq:worker:w1:executions", f"{task.replace('-', '')}:e1", "garbage:e2")
    redis.rpush("rq:queue:crawl", "x")
    redis.hset("rq:job:x", mapping={"origin": "crawl", "enqueued_at": "2020-01-01T00:00:00Z"})
    html = browser.get("/queues")
    assert "https://example.com/busy" in html
    assert "and 1 more, or of other organisations" in html
    assert re.search(r"oldest \d+ d", html)


# -- tabs of a crawl ----------------------------------------------------------


def test_broken_links_are_grouped_by_the_page_that_holds_them(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/", "/from-sitemap"])
    api.finish(uid, 2, links=(link("/x"), link("/y"), link("/fine")))
    for seq, state in ((3, TaskState.FAILED), (4, TaskState.FAILED), (5, TaskState.FAILED), (6, TaskState.COMPLETED)):
        api.finish(uid, seq, state, status_code=404, error="HTTP 404")
    html = browser.get(f"/jobs/{uid}/broken/pages")
    groups = re.findall(r"<h3>.*?</h3>|<bdi>https://example.com/(?:x|y|from-sitemap|fine)</bdi>", html)
    assert "https://example.com/" in groups[0]
    assert groups[1:3] == ["<bdi>https://example.com/x</bdi>", "<bdi>https://example.com/y</bdi>"]
    assert "From a sitemap" in groups[3]
    assert len(groups) == 5


def test_a_broken_link_is_grouped_under_every_page_that_holds_it(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/gone", "/a", "/b", "/lost"])
    gone, lost = (link(path).url_hash for path in ("/gone", "/lost"))
    for seq, targets in ((3, [gone]), (4, [gone, lost])):
        api.finish(uid, seq, targets=packed("q", targets))
    api.fail(uid, 2)
    api.fail(uid, 5)
    assert "until a moment after" in browser.get(f"/jobs/{uid}/broken/pages")
    holders.tend(api.store)
    html = browser.get(f"/jobs/{uid}/broken/pages")
    groups = re.findall(r"<bdi>https://example.com(/\w+)</bdi>", html)
    assert groups == ["/b", "/gone", "/lost", "/a", "/gone"]
    assert "until a moment after" not in html


def test_only_pages_beyond_where_it_was_found_are_named_again(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/", "/a"])
    gone, twice = link("/gone"), link("/twice")
    api.finish(uid, 2, links=(gone, twice), targets=packed("q", [gone.url_hash, twice.url_hash]))
    api.finish(uid, 3, targets=packed("q", [twice.url_hash]))
    api.fail(uid, 4)
    api.fail(uid, 5)
    holders.tend(api.store)
    assert re.findall(r"\d pages? links? to it", browser.get(f"/jobs/{uid}/broken")) == ["2 pages link to it"]


def test_two_crawls_are_compared(api: Api, browser: Browser) -> None:
    first = crawled(api)
    assert "There is no earlier completed crawl" in browser.get(f"/jobs/{first}/compare")
    uid = api.crawl(["/", "/a", "/new"])
    for seq in (2, 4):
        api.finish(uid, seq)
    api.fail(uid, 3)
    html = browser.get(f"/jobs/{uid}/compare")
    for shown in ("newly broken <b>1</b>", "added <b>1</b>", f"/jobs/{first}"):
        assert shown in html
    only = browser.get(f"/jobs/{uid}/compare?kind=newly_broken")
    assert re.findall(r'href="/pages/[^"]*"><bdi>([^<]*)', only) == ["https://example.com/a"]


def test_a_crawl_shows_what_it_found_changed(api: Api, browser: Browser) -> None:
    for text in ("before", "after"):
        uid = api.crawl(["/"])
        api.see(uid, 2, text)
    assert "/changes/" in browser.get(f"/jobs/{uid}/changes")


def test_a_task_shows_its_redirects(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/"])
    hops = (Redirect(301, "https://example.com/<b>"), Redirect(302, "javascript:alert(1)"))
    api.finish(uid, 2, redirects=hops)
    html = browser.get(f"/jobs/{uid}/tasks/{task_uid(api, uid, '/')}")
    assert 'href="https://example.com/&lt;b&gt;"' in html
    assert 'href="javascript' not in html
    assert "javascript:alert(1)" in html
