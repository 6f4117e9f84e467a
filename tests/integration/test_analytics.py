"""Page views from Google Analytics: asked through the real client, kept, and shown in tasks and exports."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException

from shared import analytics as cases
from shared.clock import SECOND, now_us
from shared.queue import TaskQueue
from shared.rqtypes import CrawlJob
from shared.store import analytics, domains, orders, page_views
from tests.api_kit import link
from tests.desk import VIEWS, Desk
from tests.ga4 import Ga4, key_file, problem
from workers import tasks

LINES = {
    7: [("example.com", "/", 10), ("www.example.com", "/a", 3)],
    28: [("example.com", "/", 40), ("www.example.com", "/a", 9), ("example.com", "/a", 1)],
    180: [("example.com", "/", 900), ("example.com", "/a", 50), ("example.com", "/old", 7), ("x.org", "/", 99)],
}


@pytest.fixture
def google() -> Iterator[Ga4]:
    with Ga4(LINES) as made:
        yield made


@pytest.fixture
def desk(google: Ga4, store_url: str, queue: TaskQueue, redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(google, store_url, queue, redis_url, tmp_path)
    yield made
    made.close()


def test_it_works(desk: Desk) -> None:
    assert desk.connect()["state"] == "pending"
    assert desk.work() == [{"state": "ready", "pages": 3}]
    shown = desk.shown()
    assert (shown["state"], shown["error"], shown["pages"]) == ("ready", None, 3)
    assert {"name": "tokensPerDay", "consumed": 3, "remaining": desk.google.left} in shown["quota"]
    assert (desk.google.days, desk.google.tokens) == ([7, 28, 180], 1)


def test_the_newest_crawl_shows_them_in_its_tasks_sorts_and_exports(desk: Desk) -> None:
    uid = desk.crawl("/", "/a", "/b")
    desk.connect()
    desk.work()
    assert page_views.tend(desk.api.store) == 2
    assert desk.views(uid) == {"/": [10, 40, 900], "/a": [3, 10, 50], "/b": [None, None, None]}
    ascending = desk.api.get(f"/v1/jobs/{uid}/tasks", sort="page_views_180d")["tasks"]
    assert [task["path"] for task in ascending] == ["/a", "/", "/b"]
    answer = desk.api.get(f"/v1/jobs/{uid}/export")
    assert [column["key"] for column in answer["columns"]][-3:] == list(VIEWS)
    assert page_views.tend(desk.api.store) == 0


def test_a_crawl_that_runs_shows_them_as_it_grows_and_when_it_ends(desk: Desk) -> None:
    desk.connect()
    desk.work()
    uid = desk.api.crawl(["/"])
    page_views.tend(desk.api.store)
    assert desk.views(uid) == {"/": [10, 40, 900]}
    desk.api.finish(uid, 2, links=(link("/a"),))
    page_views.tend(desk.api.store)
    assert desk.views(uid)["/a"] == [3, 10, 50]
    desk.api.finish(uid, 3)
    page_views.tend(desk.api.store)
    assert (desk.views(uid)["/a"], page_views.tend(desk.api.store)) == ([3, 10, 50], 0)


def test_a_refresh_changes_the_newest_crawl_and_no_older_one(desk: Desk) -> None:
    old = desk.crawl("/", "/a")
    desk.connect()
    desk.work()
    page_views.tend(desk.api.store)
    new = desk.crawl("/", "/a")
    page_views.tend(desk.api.store)
    desk.google.ranges = {180: [("example.com", "/", 1)]}
    desk.api.post(f"{desk.path}/refresh", expect=202)
    desk.work()
    page_views.tend(desk.api.store)
    assert desk.views(old) == {"/": [10, 40, 900], "/a": [3, 10, 50]}
    assert desk.views(new) == {"/": [0, 0, 1], "/a": [None, None, None]}


def test_jobs_that_wait_for_an_older_one_keep_no_newer_one_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_views, "_MOST", 2)
    desk.connect()
    desk.work()
    for _ in range(3):  # beside one that has not ended, and is older
        newest = desk.crawl("/")
        page_views.tend(desk.api.store)
    assert desk.views(newest) == {"/": [10, 40, 900]}


def test_an_order_made_before_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []
    monkeypatch.setattr(orders, "forget", lambda conn, job_no: forgotten.append(job_no))
    desk.crawl("/")
    desk.connect()
    desk.work()
    page_views.tend(desk.api.store)
    assert len(forgotten) == 1


def test_pages_that_differ_by_a_slash_share_their_views(desk: Desk) -> None:
    desk.google.ranges = {180: [("example.com", "/a", 5), ("example.com", "/a/", 2), ("example.com", "/b/", 3)]}
    uid = desk.crawl("/a/", "/b")
    desk.connect()
    desk.work()
    page_views.tend(desk.api.store)
    assert desk.views(uid) == {"/a/": [0, 0, 7], "/b": [0, 0, 3]}


QUOTA = problem(429, "RESOURCE_EXHAUSTED", "Exhausted property tokens for a project per hour.")


def test_a_quota_error_is_waited_for(desk: Desk) -> None:
    desk.google.fault = lambda request: QUOTA
    desk.connect()
    before = now_us()
    assert desk.work() == [{"state": "waiting", "pages": 0}]
    assert len(desk.google.reports) == 1
    shown = desk.shown()
    assert (shown["state"], shown["error"]) == ("waiting", "Exhausted property tokens for a project per hour.")
    refused = desk.api.post(f"{desk.path}/refresh", expect=409)["error"]
    assert "per hour" in refused
    domain = domains.get(desk.api.store, desk.path.split("/")[3], 1)
    assert not cases.refresh_soon(desk.api.store, desk.api.queue, domain)
    assert analytics.due(desk.api.store, before + 3590 * SECOND) == []
    assert analytics.due(desk.api.store, now_us() + 3601 * SECOND) == [domain.id]


def test_nothing_is_asked_where_nothing_of_the_quota_is_left(desk: Desk) -> None:
    desk.google.left = 0
    desk.connect()
    assert desk.work() == [{"state": "waiting", "pages": 0}]
    assert desk.google.days == [7]
    assert desk.shown()["error"] == "The quota tokensPerDay is used up"


def test_a_google_that_is_away_is_asked_again_with_longer_waits(desk: Desk, google: Ga4) -> None:
    google.fault = lambda request: problem(503, "UNAVAILABLE", "away")
    desk.connect()
    (domain_id,) = [domain["number"] for domain in desk.api.get("/api/domains")["data"]]
    waits = []
    for _ in range(3):
        desk.work()
        waits.append(next(n for n in range(0, 86_400, 60) if analytics.due(desk.api.store, now_us() + n * SECOND)))
        later = now_us() + waits[-1] * SECOND
        run = analytics.claim(desk.api.store, domain_id, later)
        assert run is not None
        desk.api.queue.enqueue_refresh(domain_id, run)
    assert waits == [300, 600, 1200]


def test_a_fault_of_ours_is_a_readable_state_and_waits_as_an_outage_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise JobTimeoutException("Task exceeded maximum timeout value")

    monkeypatch.setattr("workers.analytics.page_views.write", broken)
    desk.connect()
    assert desk.work() == [{"state": "retrying", "pages": 0}]
    assert desk.shown()["error"] == "Internal error: JobTimeoutException"
    assert analytics.due(desk.api.store, now_us() + 299 * SECOND) == []
    assert len(analytics.due(desk.api.store, now_us() + 301 * SECOND)) == 1


def test_two_schedulers_enqueue_one_refresh(desk: Desk) -> None:
    desk.connect()
    desk.work()
    cases.refresh_soon(desk.api.store, desk.api.queue, domains.get(desk.api.store, desk.path.split("/")[3], 1))
    assert desk.work() == []  # the figures are of the last hour
    later = now_us() + 2 * cases.DAY
    with ThreadPoolExecutor(4) as threads:
        (domain_id,) = analytics.due(desk.api.store, later)
        runs = list(threads.map(lambda _: analytics.claim(desk.api.store, domain_id, later), range(8)))
    assert len([run for run in runs if run is not None]) == 1


def test_a_scheduled_crawl_is_preceded_by_a_refresh(desk: Desk) -> None:
    desk.connect()
    desk.work()
    schedule = desk.api.post("/api/schedules", {"domain": "example.com", "intervalHours": 24}, 201)["data"]["id"]
    desk.api.post(f"/v1/jobs/{desk.api.get('/v1/jobs')['jobs'][0]['id']}/cancel")
    desk.api.store.write(lambda conn: conn.exec_driver_sql("UPDATE analytics SET refreshed_at = 1"))
    desk.api.post(f"/api/schedules/{schedule}/run", expect=202)
    assert desk.work() == [{"state": "ready", "pages": 3}]


def test_a_day_later_it_is_due_again(desk: Desk) -> None:
    desk.connect()
    desk.work()
    assert analytics.due(desk.api.store, now_us() + int(0.97 * cases.DAY)) == []
    assert len(analytics.due(desk.api.store, now_us() + int(1.03 * cases.DAY))) == 1


def test_a_refresh_that_was_lost_is_enqueued_again(desk: Desk) -> None:
    desk.connect()
    desk.jobs.empty()
    assert cases.enqueue_due(desk.api.store, desk.api.queue) == 0
    assert len(analytics.due(desk.api.store, now_us() + 301 * SECOND)) == 1


def test_a_refresh_that_is_delivered_twice_runs_once(desk: Desk) -> None:
    desk.connect()
    (job_id,) = desk.jobs.job_ids
    args = CrawlJob.fetch(job_id, connection=desk.jobs.connection).args
    assert [tasks.refresh_analytics(*args)["state"] for _ in range(2)] == ["ready", "superseded"]


def test_a_new_configuration_ends_the_refresh_of_the_old_one(desk: Desk) -> None:
    asked: list[int] = []

    def replaced(request: dict[str, Any]) -> None:
        if not asked:
            asked.append(1)
            desk.connect()

    desk.google.fault = replaced
    desk.connect()
    assert [done["state"] for done in desk.work()] == ["superseded", "ready"]
    assert desk.google.days == [7, 7, 28, 180]


def test_a_key_is_sealed_and_is_not_shown(desk: Desk) -> None:
    desk.connect()
    secret = key_file()["private_key"].splitlines()[1]
    assert secret not in desk.api.call("GET", desk.path).text
    with desk.api.store.read() as conn:
        (row,) = conn.exec_driver_sql("SELECT * FROM analytics").mappings().all()
    assert secret not in str(dict(row))
    for key in desk.api.queue.redis.keys("rq:job:*"):
        assert secret.encode() not in b"".join(desk.api.queue.redis.hgetall(key).values())


def test_what_is_removed_is_forgotten(desk: Desk) -> None:
    desk.crawl("/")
    desk.connect()
    desk.work()
    page_views.tend(desk.api.store)
    assert desk.api.call("DELETE", desk.path).status_code == 200
    assert desk.api.call("GET", desk.path).status_code == 404
    assert rows(desk, "analytics") == rows(desk, "page_views") == 0


def test_a_deleted_domain_takes_its_page_views_with_it(desk: Desk) -> None:
    desk.crawl("/")
    for job in desk.api.get("/v1/jobs")["jobs"]:
        desk.api.call("POST", f"/v1/jobs/{job['id']}/cancel", json={})
    desk.connect()
    desk.work()
    page_views.tend(desk.api.store)
    assert rows(desk, "job_views") > 0
    assert desk.api.call("DELETE", desk.path.removesuffix("/analytics")).status_code == 200
    assert [rows(desk, name) for name in ("analytics", "page_views", "job_views")] == [0, 0, 0]


def rows(desk: Desk, table: str) -> int:
    with desk.api.store.read() as conn:
        return int(conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())
