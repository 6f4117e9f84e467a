"""RQ's own dashboard at `/rq`: for admins only, changed from its own pages only, safe from what failed jobs say."""

import re
from typing import Any

import fakeredis
import pytest
from rq.job import JobStatus
from rq.results import Result

from shared.rqtypes import CrawlJob, CrawlQueue
from tests.api_kit import Api, RecordingQueue
from tests.unit.test_dashboard_signin import Browser, signed_in

HOSTILE = "HTTP <img src=x onerror=alert(1)>"
SAME = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def redis() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis()


@pytest.fixture
def api(sqlite_url: str, redis: fakeredis.FakeRedis) -> Api:
    return Api(sqlite_url, RecordingQueue(redis))


@pytest.fixture
def browser(api: Api) -> Browser:
    return signed_in(api)


def failed_job(redis: fakeredis.FakeRedis) -> CrawlJob:
    queue = CrawlQueue("crawl", connection=redis)
    job = CrawlJob.create("workers.tasks.crawl_page", args=["aa"], connection=redis)
    job.origin, job._status = "crawl", JobStatus.FAILED
    job.save()
    queue.failed_job_registry.add(job, ttl=60)
    Result.create_failure(job, 60, exc_string=HOSTILE)
    return job


def test_it_shows_our_queues(browser: Browser, redis: fakeredis.FakeRedis) -> None:
    failed_job(redis)
    CrawlQueue("crawl", connection=redis).enqueue("workers.tasks.crawl_page", "bb")
    assert "RQ dashboard" in browser.get("/rq/")
    (queue,) = browser.client.get("/rq/0/data/queues.json").json["queues"]
    assert (queue["name"], queue["count"], queue["failed_job_registry_count"]) == ("crawl", 1, 1)
    assert queue["queued_url"].startswith("/rq/0/view/jobs/crawl")


def test_its_scripts_run_by_nonce_and_its_files_are_ours(browser: Browser) -> None:
    answer = browser.client.get("/rq/")
    (nonce,) = set(re.findall(r'<script type="text/javascript" nonce="([^"]+)">', answer.text))
    policy = answer.headers["Content-Security-Policy"]
    assert f"'nonce-{nonce}'" in policy
    assert "unsafe-inline" not in re.findall(r"script-src [^;]*", policy)[0]
    files = re.findall(r'(?:src|href)="([^"#]+\.(?:js|css|ico))"', answer.text)
    assert len(files) >= 6
    assert all(path.startswith("/rq/") and browser.client.get(path).status_code == 200 for path in files)


def test_what_a_job_says_is_text_at_any_depth(browser: Browser, redis: fakeredis.FakeRedis) -> None:
    job = failed_job(redis)
    job.meta = {HOSTILE: [{"deep": [HOSTILE]}]}
    job.save_meta()
    Result.create(job, Result.Type.SUCCESSFUL, 60, return_value={HOSTILE: [{"deep": [HOSTILE]}, 1, None]})
    told = browser.client.get(f"/rq/0/data/job/{job.id}.json").text
    assert told.count("&lt;img") == 4
    assert "<img" not in told


def test_what_a_failed_job_says_is_text(browser: Browser, redis: fakeredis.FakeRedis) -> None:
    job = failed_job(redis)
    told = browser.client.get(f"/rq/0/data/job/{job.id}.json").text
    assert "&lt;img" in told
    assert "<img" not in told


@pytest.mark.parametrize("name", ["');alert(1);//", "%3Cscript%3E", "a%0Ab", "%E2%80%AE"])
def test_a_path_holds_names_alone(browser: Browser, name: str) -> None:
    for path in (f"/rq/0/view/jobs/{name}/queued/8/asc/1", f"/rq/0/view/job/{name}"):
        assert "RQ dashboard" not in browser.get(path, 404)


@pytest.mark.parametrize("scopes", [["read"], ["read", "write"]])
def test_it_is_for_admins(api: Api, scopes: list[str]) -> None:
    assert signed_in(api, api.key("acme", scopes)).client.get("/rq/").status_code == 403


def test_without_a_session_it_asks_to_sign_in(api: Api) -> None:
    assert api.client.get("/rq/").headers["Location"].startswith("/login")
    assert api.client.get("/rq/0/data/queues.json").status_code == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [(SAME, 200), ({}, 403), ({"Origin": "https://evil.example"}, 403), (SAME | {"Sec-Fetch-Site": "cross-site"}, 403)],
)
def test_a_change_comes_from_its_own_pages(
    browser: Browser, redis: fakeredis.FakeRedis, headers: dict[str, Any], status: int
) -> None:
    job = failed_job(redis)
    assert browser.client.post(f"/rq/job/{job.id}/requeue", headers=headers).status_code == status
    assert (redis.llen("rq:queue:crawl") == 1) == (status == 200)


def test_a_link_changes_nothing(browser: Browser, redis: fakeredis.FakeRedis) -> None:
    failed_job(redis)
    assert browser.client.get("/rq/requeue/crawl", headers=SAME).status_code == 403
    assert redis.llen("rq:queue:crawl") == 0


def test_a_requeued_job_is_still_json(browser: Browser, redis: fakeredis.FakeRedis) -> None:
    job = failed_job(redis)
    browser.client.post("/rq/requeue/crawl", headers=SAME)
    assert CrawlJob.fetch(job.id, connection=redis).args == ["aa"]


def test_what_would_come_back_cannot_be_deleted(browser: Browser, redis: fakeredis.FakeRedis) -> None:
    job = failed_job(redis)
    browser.client.post(f"/rq/job/{job.id}/delete", headers=SAME)
    browser.client.post("/rq/queue/crawl/failed/empty", headers=SAME)
    assert redis.exists(job.key)
