"""`/v1/jobs/{id}/tasks` as seeds/v1-tasks.txt has it."""

from typing import Any

import pytest

from shared.states import CacheStatus
from tests.api_kit import Api, link

HIT, MISS, EXPIRED, DYNAMIC = CacheStatus.HIT, CacheStatus.MISS, CacheStatus.EXPIRED, CacheStatus.DYNAMIC
TASK_FIELDS = (
    "id job_id url path status status_code response_time cache_status second_response_time second_cache_status"
    " content_type error source_type source_url retry_count page_views_7d page_views_28d page_views_180d created_at"
    " started_at completed_at"
).split()
SORTS = (
    "path status response_time cache_status second_response_time status_code page_views_7d page_views_28d"
    " page_views_180d created_at"
).split()


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def crawled(api: Api) -> str:
    """Six pages: two fine, one broken, one running, two waiting."""
    uid = api.crawl(["/", "/Blog/a", "/blog/b", "/c", "/d", "/100%25_x"])
    api.finish(uid, 2, response_time=300, cache_status=HIT, content_type="text/html")
    api.finish(uid, 3, response_time=100, cache_status=MISS)
    api.fail(uid, 4)
    api.start(uid, 5)
    return uid


def listed(api: Api, uid: str, **params: Any) -> list[str]:
    return [task["path"] for task in api.get(f"/v1/jobs/{uid}/tasks", **params)["tasks"]]


def test_a_task_has_every_documented_field(api: Api) -> None:
    uid = crawled(api)
    task = api.get(f"/v1/jobs/{uid}/tasks")["tasks"][0]
    assert set(task) == set(TASK_FIELDS)
    assert (task["job_id"], task["url"], task["path"]) == (uid, "https://example.com/", "/")
    assert (task["status"], task["status_code"], task["response_time"]) == ("completed", 200, 300)
    assert (task["cache_status"], task["content_type"], task["source_type"]) == ("HIT", "text/html", "sitemap")
    assert [task[name] for name in ("source_url", "error", "page_views_7d", "second_cache_status")] == [None] * 4
    assert task["created_at"] <= task["started_at"] <= task["completed_at"]


def test_a_failed_task_keeps_what_was_measured(api: Api) -> None:
    (task,) = api.get(f"/v1/jobs/{crawled(api)}/tasks", status="failed")["tasks"]
    assert (task["status_code"], task["response_time"], task["error"]) == (404, 100, "HTTP 404")


def test_a_waiting_task_has_neither_start_nor_end(api: Api) -> None:
    task = api.get(f"/v1/jobs/{crawled(api)}/tasks", status="pending")["tasks"][0]
    assert [task[name] for name in ("started_at", "completed_at", "status_code", "retry_count")] == [
        None,
        None,
        None,
        0,
    ]


def test_a_link_names_the_page_that_held_it(api: Api) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2, links=(link("/linked"),))
    task = api.get(f"/v1/jobs/{uid}/tasks")["tasks"][1]
    assert (task["source_type"], task["source_url"]) == ("link_crawl", "https://example.com/")


def test_the_host_is_shown_only_where_it_is_not_the_jobs(api: Api) -> None:
    uid = api.submit()
    api.discover(uid, [link("/"), link("/", "https://blog.example.com")])
    home, blog = api.get(f"/v1/jobs/{uid}/tasks")["tasks"]
    assert "host" not in home
    assert (blog["host"], blog["url"]) == ("blog.example.com", "https://blog.example.com/")


def test_retries_are_counted_without_the_first_attempt(api: Api) -> None:
    uid = api.crawl(["/"])
    api.delay(uid, 2)
    assert api.get(f"/v1/jobs/{uid}/tasks")["tasks"][0]["retry_count"] == 0
    api.start(uid, 2)
    assert api.get(f"/v1/jobs/{uid}/tasks")["tasks"][0]["retry_count"] == 1


def test_the_discovery_is_not_among_the_tasks(api: Api) -> None:
    assert api.get(f"/v1/jobs/{api.submit()}/tasks")["tasks"] == []


@pytest.mark.parametrize(
    ("params", "paths"),
    [
        ({"status": "completed"}, ["/", "/Blog/a"]),
        ({"status": "failed"}, ["/blog/b"]),
        ({"status": "running"}, ["/c"]),
        ({"status": "pending"}, ["/d", "/100%25_x"]),
        ({"status": "skipped"}, []),
        ({"cache": "hit"}, ["/"]),
        ({"cache": "miss"}, ["/Blog/a"]),
        ({"status_code": 404}, ["/blog/b"]),
        ({"status_code": 500}, []),
        ({"path": "BLOG"}, ["/Blog/a", "/blog/b"]),
        ({"path": "%"}, ["/100%25_x"]),
        ({"path": "_"}, ["/100%25_x"]),
        ({"path": "g/_"}, []),
        ({"status": "failed", "status_code": 404}, ["/blog/b"]),
        ({"status": "failed", "status_code": 200}, []),
        ({"status": "completed", "path": "blog", "cache": "miss", "status_code": 200}, ["/Blog/a"]),
        ({"status": "failed", "path": "blog"}, ["/blog/b"]),
        ({"status": "running", "path": "c"}, ["/c"]),
    ],
)
def test_filters_combine_and_totals_agree(api: Api, params: dict[str, Any], paths: list[str]) -> None:
    uid = crawled(api)
    assert listed(api, uid, **params) == paths
    assert api.get(f"/v1/jobs/{uid}/tasks", limit=1, **params)["pagination"]["total"] == len(paths)


def test_expired_is_a_miss_and_dynamic_a_hit(api: Api) -> None:
    uid = api.crawl(["/e", "/d"])
    api.finish(uid, 2, cache_status=EXPIRED)
    api.finish(uid, 3, cache_status=DYNAMIC)
    assert (listed(api, uid, cache="miss"), listed(api, uid, cache="hit")) == (["/e"], ["/d"])


def test_a_task_put_off_after_a_503_counts_in_filters_and_totals(api: Api) -> None:
    uid = api.crawl(["/"])
    api.delay(uid, 2)
    assert listed(api, uid, status="pending") == ["/"]
    assert api.get(f"/v1/jobs/{uid}/tasks", status="pending")["pagination"]["total"] == 1


@pytest.mark.parametrize("sort", SORTS)
def test_every_field_sorts_both_ways_with_nulls_last(api: Api, sort: str) -> None:
    uid = crawled(api)
    for name in (sort, f"-{sort}"):
        values = [task[sort] for task in api.get(f"/v1/jobs/{uid}/tasks", sort=name)["tasks"]]
        known = [v for v in values if v is not None]
        assert known == sorted(known, reverse=name.startswith("-"))
        assert values[: len(known)] == known


@pytest.mark.parametrize("sort", [sign + name for name in SORTS for sign in ("", "-")])
def test_pages_of_any_order_neither_overlap_nor_skip(api: Api, sort: str) -> None:
    uid = crawled(api)
    pages = [listed(api, uid, sort=sort, limit=2, offset=n) for n in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 2, 0]
    assert [p for page in pages for p in page] == listed(api, uid, sort=sort)


@pytest.mark.parametrize(("params", "expected"), [({"page": 2}, 2), ({"page": 3, "offset": 1}, 1), ({}, 0)])
def test_page_and_offset_both_work_and_offset_wins(api: Api, params: dict[str, int], expected: int) -> None:
    answer = api.get(f"/v1/jobs/{crawled(api)}/tasks", limit=2, **params)
    wanted = {"limit": 2, "offset": expected, "total": 6, "has_next": True, "has_prev": expected > 0}
    assert answer["pagination"] == wanted


def test_the_summary_covers_all_tasks_whatever_the_filter(api: Api) -> None:
    summary = api.get(f"/v1/jobs/{crawled(api)}/tasks", status="failed")["summary"]
    assert summary["total_tasks"] == 6
    assert summary["by_status"] == {"pending": 2, "running": 1, "completed": 2, "failed": 1, "skipped": 0}
    assert summary["by_status_code"] == {"200": 2, "404": 1}
    assert summary["performance"]["avg_response_time"] == 167
    assert summary["performance"]["total_bytes"] == 3000
    assert summary["performance"]["cache_hit_ratio"] == 0.5
    assert summary["performance"]["slow_pages_count"] == 0


def test_percentiles_are_within_two_percent(api: Api) -> None:
    uid = api.crawl([f"/{n}" for n in range(10)], concurrency=20)
    for n in range(10):
        api.finish(uid, n + 2, response_time=(n + 1) * 1000)
    performance = api.get(f"/v1/jobs/{uid}/tasks")["summary"]["performance"]
    assert performance["median_response_time"] == pytest.approx(5000, rel=0.02)
    assert performance["p99_response_time"] == pytest.approx(10000, rel=0.02)
    assert performance["slow_pages_count"] == 7


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 201},
        {"offset": -1},
        {"offset": 10**30},
        {"status": "done"},
        {"cache": "HIT"},
        {"sort": "url"},
        {"sort": "--path"},
        {"status_code": 99},
        {"path": ""},
        {"path": "a\0b"},
        {"filter": 1},
    ],
)
def test_a_wrong_parameter_is_named(api: Api, params: dict[str, Any]) -> None:
    answer = api.get(f"/v1/jobs/{api.submit()}/tasks", 400, **params)
    assert [detail["field"] for detail in answer["details"]] == list(params)


def test_the_tasks_of_an_unknown_job_are_not_found(api: Api) -> None:
    assert api.get("/v1/jobs/0190a0a0-0000-71a0-8000-000000000001/tasks", 404)["error"] == "Job not found"


def test_cancelled_tasks_are_skipped_and_filters_agree_with_totals(api: Api) -> None:
    uid = crawled(api)
    api.post(f"/v1/jobs/{uid}/cancel")
    answer = api.get(f"/v1/jobs/{uid}/tasks", status="skipped")
    assert (len(answer["tasks"]), answer["pagination"]["total"]) == (3, 3)
    assert answer["summary"]["by_status"]["skipped"] == 3


def test_a_state_reads_the_same_in_all_three_dialects(api: Api) -> None:
    uid = api.crawl(["/"])
    seen = []
    for act in (lambda: None, lambda: api.delay(uid, 2), lambda: api.fail(uid, 2, 500)):
        act()
        task = api.get(f"/v1/jobs/{uid}/tasks")["tasks"][0]
        queue_job = api.get(f"/api/jobs/{task['id']}")["data"]
        by_hash = api.get(f"/v1/tasks/{task['id'].replace('-', '')}")["status"]
        seen.append((task["status"], queue_job["state"], by_hash["status"]))
    assert seen == [
        ("pending", "waiting", "pending"),
        ("pending", "delayed", "pending"),
        ("failed", "failed", "failed"),
    ]
