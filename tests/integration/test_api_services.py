"""The API over real services: both databases, and a Redis that runs the Lua scripts."""

import multiprocessing
import os
import signal
import threading
from typing import Any

import pytest
from redis import Redis

from api import idempotency as api_idempotency
from shared import ids
from shared.clock import SECOND, now_us
from shared.errors import StoreUnavailable
from shared.queue import TaskQueue, connect
from shared.states import CacheStatus
from shared.store import counters
from tests.api_kit import Api, link

SORTS = (
    "path status response_time cache_status second_response_time status_code page_views_7d page_views_28d"
    " page_views_180d created_at"
).split()


@pytest.fixture
def api(store_url: str, redis_url: str) -> Api:
    return Api(store_url, TaskQueue(connect(redis_url)))


@pytest.fixture
def redis(redis_url: str) -> Redis:
    return connect(redis_url)


def crawled(api: Api) -> str:
    uid = api.crawl(["/B", "/a", "/c%25", "/D", "/e"])
    api.finish(uid, 2, response_time=300, cache_status=CacheStatus.HIT)
    api.finish(uid, 3, response_time=4000, cache_status=CacheStatus.MISS, links=(link("/gone"),))
    api.fail(uid, 4)
    api.start(uid, 5)
    return uid


def test_a_new_job_waits_in_redis_and_the_statistics_say_so(api: Api, redis: Redis) -> None:
    uid = api.submit()
    assert redis.lrange("rq:queue:discover", 0, -1) == [
        ids.task_uuid(ids.decode(uid).ms, ids.pack(ids.decode(uid).body, 1)).hex.encode()
    ]
    assert api.get("/api/jobs/stats")["data"]["waiting"] == 1


def test_a_delayed_job_is_scheduled_promoted_and_cancelled(api: Api, redis: Redis) -> None:
    uid = api.post("/api/jobs", {"name": "crawl.page", "url": "https://a.com/", "delay": 60}, 202)["data"]["id"]
    assert api.get("/api/jobs/stats")["data"]["delayed"] == 1
    api.post(f"/api/jobs/{uid}/promote")
    stats = api.get("/api/jobs/stats")["data"]
    assert (stats["delayed"], stats["waiting"]) == (0, 1)
    api.post(f"/api/jobs/{uid}/cancel")
    assert api.get("/api/jobs/stats")["data"]["total"] == 0
    assert not redis.exists(f"rq:job:{uid.replace('-', '')}")


def test_a_cancelled_crawl_leaves_redis(api: Api) -> None:
    uid = api.submit()
    api.post(f"/v1/jobs/{uid}/cancel")
    assert api.get("/api/jobs/stats")["data"]["total"] == 0


@pytest.mark.parametrize("sort", [sign + name for name in SORTS for sign in ("", "-")])
def test_both_databases_sort_alike(api: Api, sort: str) -> None:
    uid = crawled(api)
    name = sort.removeprefix("-")
    tasks = api.get(f"/v1/jobs/{uid}/tasks", sort=sort)["tasks"]
    known = [task[name] for task in tasks if task[name] is not None]
    assert known == sorted(known, reverse=sort.startswith("-"))
    assert all(task[name] is None for task in tasks[len(known) :])
    paged = [
        t["id"] for n in range(3) for t in api.get(f"/v1/jobs/{uid}/tasks", sort=sort, limit=2, page=n + 1)["tasks"]
    ]
    assert paged == [task["id"] for task in tasks]


@pytest.mark.parametrize(
    ("params", "paths"),
    [
        ({"status": "failed", "sort": "-page_views_7d"}, ["/c%25"]),
        ({"cache": "miss", "sort": "-response_time"}, ["/a"]),
        ({"status": "pending"}, ["/e", "/gone"]),
        ({"status": "running"}, ["/D"]),
        ({"path": "A"}, ["/a"]),
        ({"path": "%"}, ["/c%25"]),
        ({"status_code": 404}, ["/c%25"]),
    ],
)
def test_both_databases_filter_alike(api: Api, params: dict[str, Any], paths: list[str]) -> None:
    answer = api.get(f"/v1/jobs/{crawled(api)}/tasks", **params)
    assert [task["path"] for task in answer["tasks"]] == paths
    assert answer["pagination"]["total"] == len(paths)


def test_the_summary_is_the_same_before_and_after_folding(api: Api) -> None:
    uid = crawled(api)
    before = api.get(f"/v1/jobs/{uid}/tasks")["summary"]
    listed = api.get("/api/jobs")
    assert counters.fold(api.store) > 0
    assert api.get(f"/v1/jobs/{uid}/tasks")["summary"] == before
    assert api.get("/api/jobs") == listed
    assert before["by_status"] == {"pending": 2, "running": 1, "completed": 2, "failed": 1, "skipped": 0}


@pytest.mark.parametrize(("kind", "n"), [("job", 6), ("broken-links", 1), ("slow-pages", 1)])
def test_exports_come_in_every_format(api: Api, kind: str, n: int) -> None:
    uid = crawled(api)
    lines = api.call("GET", f"/v1/jobs/{uid}/export?format=jsonl&type={kind}").data.splitlines()
    rows = api.call("GET", f"/v1/jobs/{uid}/export?format=csv&type={kind}").text.splitlines()
    assert (len(lines), len(rows)) == (n, n + 1)


@pytest.mark.parametrize("state", ["waiting", "active", "completed", "failed", "delayed"])
def test_queue_jobs_of_every_state(api: Api, state: str) -> None:
    uid = crawled(api)
    api.delay(uid, 6)
    expected = {"waiting": 1, "active": 1, "completed": 3, "failed": 1, "delayed": 1}[state]
    answer = api.get("/api/jobs", status=state)
    assert [job["state"] for job in answer["data"]] == [state] * expected
    assert answer["meta"]["total"] == expected


def test_pages_executions_and_domains(api: Api) -> None:
    uid = crawled(api)
    assert api.get("/v1/runtasks", run=uid)["total_results"] == 7
    domain = api.get("/api/domains")["data"][0]["id"]
    page = api.get(f"/api/domains/{domain}/pages")["data"][0]["id"]
    assert api.get(f"/v1/tasks/{page}")["hash_value"] == page.replace("-", "")
    api.post(f"/v1/jobs/{uid}/cancel")
    assert api.call("DELETE", f"/api/domains/{domain}").status_code == 200
    api.get(f"/v1/jobs/{uid}", 404)


def test_failed_jobs_run_again_in_bulk(api: Api) -> None:
    uid = crawled(api)
    assert api.post("/api/jobs/retry-failed")["data"]["retried"] == 1
    assert api.get(f"/v1/jobs/{uid}/tasks")["summary"]["by_status"]["failed"] == 0


def test_of_many_equal_posts_at_once_one_runs(api: Api) -> None:
    headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {api.secret}"}
    statuses: list[int] = []

    def post() -> None:
        answer = api.app.test_client().post("/v1/jobs", json={"domain": "a.com"}, headers=headers)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {201, 409}
    assert api.get("/v1/jobs")["pagination"]["total"] == 1


KEYED = {"Idempotency-Key": "order-1"}
POSTS = [
    ("/v1/jobs", {"domain": "a.com"}),
    ("/api/jobs", {"name": "crawl.page", "url": "https://a.com/"}),
    ("/api/schedules", {"domain": "a.com", "cron": "0 4 * * *"}),
    ("/api/schedules/{schedule}/run", {}),
    ("/api/webhooks", {"url": "https://93.184.216.34/hook", "events": ["job.completed"]}),
]


def listed(api: Api) -> list[list[str]]:
    """The ids of all that a POST can make."""
    lists = (api.get("/v1/jobs")["jobs"], *(api.get(path)["data"] for path in ("/api/schedules", "/api/webhooks")))
    return [[item["id"] for item in items] for items in lists]


def post_and_die(store_url: str, redis_url: str, secret: str, path: str, body: Any) -> None:
    """An API that is killed when the work is recorded and its answer is not."""
    api = Api(store_url, TaskQueue(connect(redis_url)))
    api_idempotency.idempotency.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    api.call("POST", path, json=body, headers=KEYED, secret=secret)


@pytest.mark.parametrize(("path", "body"), POSTS)
def test_a_post_killed_before_its_answer_is_not_done_again(
    api: Api, store_url: str, redis_url: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "{schedule}" in path:
        schedule = api.post("/api/schedules", {"domain": "a.com", "intervalHours": 24}, 201)["data"]["id"]
        path = path.format(schedule=schedule)
    before = listed(api)
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=post_and_die, args=(store_url, redis_url, api.secret, path, body))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    made = listed(api)
    assert made != before
    assert api.call("POST", path, json=body, headers=KEYED).status_code == 409
    monkeypatch.setattr("api.idempotency.now_us", lambda: now_us() + 121 * SECOND)
    first, again = (api.call("POST", path, json=body, headers=KEYED) for _ in range(2))
    assert first.status_code == again.status_code < 300, first.text
    assert unsecret(first.json) == unsecret(again.json)
    assert listed(api) == made


def unsecret(answer: Any) -> Any:
    """Without what is shown only once."""
    data = answer.get("data")
    return {**answer, "data": {**data, "secret": None}} if isinstance(data, dict) else answer


def test_a_post_whose_answer_cannot_be_recorded_is_sent_again_and_not_done_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(api_idempotency.idempotency, "finish", away)
        api.post("/v1/jobs", {"domain": "a.com"}, 503, headers=KEYED)
    (made,) = api.get("/v1/jobs")["jobs"]
    assert api.post("/v1/jobs", {"domain": "a.com"}, 201, headers=KEYED)["id"] == made["id"]
    assert api.get("/v1/jobs")["pagination"]["total"] == 1


def test_a_rate_limit_holds_over_processes(store_url: str, redis_url: str) -> None:
    one, two = (Api(store_url, TaskQueue(connect(redis_url)), CRAWLYARD_RATE_LIMIT="2") for _ in range(2))
    statuses = [door.call("GET", "/v1/jobs", secret=one.secret).status_code for door in (one, two, one)]
    assert statuses == [200, 200, 429]


def test_a_paused_queue_hands_out_nothing(api: Api, redis: Redis) -> None:
    api.post("/api/queues/discover/pause")
    api.submit()
    assert redis.sismember("crawlyard:paused", "discover")
    assert api.get("/api/queues")["data"][0] == {
        "name": "discover",
        "paused": True,
        "waiting": 1,
        "active": 0,
        "completed": 0,
        "failed": 0,
        "delayed": 0,
    }


def test_ids_of_any_size_are_only_not_found(api: Api) -> None:
    huge = str(ids.encode(ids.Kind.JOB, 2**47, 2**62 - 1))
    api.get(f"/v1/jobs/{huge}", 404)
    for kind in (ids.Kind.TASK, ids.Kind.PAGE):
        api.get(f"/v1/tasks/{ids.encode(kind, 2**47, 2**62 - 1)}", 404)
    assert api.get(f"/v1/jobs/{api.submit()}/tasks", offset=10**9)["tasks"] == []
