"""`/api/jobs` as seeds/api-jobs.txt has it, and what operators do with queue jobs."""

from typing import Any

import pytest

from shared.clock import SECOND, now_us
from shared.states import TaskState
from tests.api_kit import Api, link

FIELDS = (
    "id name type url domainId pageId state progress attemptsMade createdAt processedAt finishedAt failedReason"
).split()
PAGE = {"name": "crawl.page", "url": "https://competitor.com/pricing"}


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def enqueue(api: Api, **more: Any) -> str:
    uid: str = api.post("/api/jobs", PAGE | more, 202)["data"]["id"]
    return uid


def shown(api: Api, uid: str) -> Any:
    return api.get(f"/api/jobs/{uid}")["data"]


def states(api: Api, **params: Any) -> list[str]:
    return [job["state"] for job in api.get("/api/jobs", **params)["data"]]


def test_a_completed_crawl_returns_what_it_measured(api: Api) -> None:
    uid = enqueue(api)
    api.finish(uid, 0, found=12)
    value = {"statusCode": 200, "responseTime": 100, "changed": False, "linksFound": 12}
    assert shown(api, uid)["returnValue"] == value


def test_a_waiting_job_has_no_result_yet(api: Api) -> None:
    job = shown(api, enqueue(api))
    assert [job[name] for name in ("processedAt", "finishedAt", "failedReason", "returnValue")] == [None] * 4
    assert (job["state"], job["progress"], job["attemptsMade"]) == ("waiting", 0, 0)


def test_a_failed_job_says_why_in_one_line(api: Api) -> None:
    uid = enqueue(api)
    api.fail(uid, 0, 500)
    assert (shown(api, uid)["state"], shown(api, uid)["failedReason"]) == ("failed", "HTTP 500")


def test_jobs_of_all_crawls_are_listed_newest_first(api: Api) -> None:
    first, second = enqueue(api), enqueue(api)
    crawl = api.crawl(["/", "/a"])
    found = [job["id"] for job in api.get("/api/jobs")["data"]]
    assert (len(found), found[-2:]) == (5, [second, first])
    tasks = [task["id"] for task in api.get(f"/v1/jobs/{crawl}/tasks")["tasks"]]
    assert found[:2] == tasks[::-1]


def mixed(api: Api) -> str:
    """A crawl of a window of two: one page each failed, completed, delayed, skipped, waiting, pending."""
    uid = api.submit(concurrency=2)
    names = ("/failed", "/completed", "/delayed", "/waiting", "/pending")
    api.discover(uid, [*(link(name) for name in names), link("/skipped", skip="rule")])
    api.fail(uid, 2)
    api.finish(uid, 3)
    api.delay(uid, 4)
    return uid


def test_pending_and_skipped_tasks_are_no_queue_jobs(api: Api) -> None:
    uid = mixed(api)
    assert states(api) == ["waiting", "delayed", "completed", "failed", "completed"]
    hidden = api.get(f"/v1/jobs/{uid}/tasks")["tasks"][4:]
    assert [task["status"] for task in hidden] == ["pending", "skipped"]
    for task in hidden:
        api.get(f"/api/jobs/{task['id']}", 404)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"status": "waiting"}, ["waiting"]),
        ({"status": "active"}, []),
        ({"status": "completed"}, ["completed", "completed"]),
        ({"status": "failed"}, ["failed"]),
        ({"status": "delayed"}, ["delayed"]),
        ({"name": "discover.pages"}, ["completed"]),
        ({"name": "crawl.page"}, ["waiting", "delayed", "completed", "failed"]),
        ({"name": "crawl.page", "status": "completed"}, ["completed"]),
    ],
)
def test_every_filter_and_its_total(api: Api, params: dict[str, str], expected: list[str]) -> None:
    mixed(api)
    assert states(api, **params) == expected
    assert api.get("/api/jobs", limit=1, **params)["meta"]["total"] == len(expected)


def test_jobs_of_one_domain(api: Api) -> None:
    domain = shown(api, enqueue(api))["domainId"]
    api.submit()
    for spelling in (domain, domain.replace("-", "")):
        assert [job["domainId"] for job in api.get("/api/jobs", domainId=spelling)["data"]] == [domain]


def test_pages_of_jobs_neither_overlap_nor_skip(api: Api) -> None:
    mixed(api)
    enqueue(api)
    whole = [job["id"] for job in api.get("/api/jobs")["data"]]
    pages = [api.get("/api/jobs", limit=2, page=n)["data"] for n in (1, 2, 3, 4)]
    assert [job["id"] for page in pages for job in page] == whole
    assert len(whole) == 6


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 101}, {"page": 0}, {"status": "paused"}, {"name": "x"}, {"domainId": "x"}, {"x": 1}],
)
def test_a_wrong_parameter_is_named(api: Api, params: dict[str, Any]) -> None:
    answer = api.get("/api/jobs", 400, **params)
    assert [detail["field"] for detail in answer["details"]] == list(params)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "crawl.page"},
        {"name": "crawl.page", "domain": "a.com"},
        {"name": "crawl.page", "url": "https://a.com", "domain": "a.com"},
        {"name": "discover.pages", "url": "https://a.com"},
        {"name": "crawl", "url": "https://a.com"},
        PAGE | {"url": "mailto:a@b.c"},
        PAGE | {"url": "https://a.com/" + "x" * 100_000},
        PAGE | {"delay": -1},
        PAGE | {"delay": True},
        PAGE | {"maxAttempts": 0},
        PAGE | {"priority": 10**9},
        PAGE | {"max_attempts": 2},
    ],
)
def test_a_wrong_body_is_refused(api: Api, body: dict[str, Any]) -> None:
    answer = api.post("/api/jobs", body, 400)
    assert (answer["code"], len(answer["details"]) > 0) == ("VALIDATION_ERROR", True)


def test_a_delay_schedules_the_job(api: Api) -> None:
    uid = enqueue(api, delay=60, maxAttempts=5, priority=7)
    ((_, at),) = api.queue.scheduled
    assert at == pytest.approx(now_us() + 60 * SECOND, abs=10 * SECOND)
    assert (shown(api, uid)["state"], shown(api, uid)["maxAttempts"]) == ("delayed", 5)


def test_a_promoted_job_waits_for_nothing_more(api: Api) -> None:
    uid = enqueue(api, delay=60)
    assert api.post(f"/api/jobs/{uid}/promote")["data"]["state"] == "waiting"
    assert [d.rq_id for d in api.queue.enqueued] == [uid.replace("-", "")]
    api.finish(uid, 0)
    assert shown(api, uid)["state"] == "completed"


def test_a_failed_job_runs_again(api: Api) -> None:
    uid = enqueue(api)
    api.fail(uid, 0)
    job = api.post(f"/api/jobs/{uid}/retry")["data"]
    assert (job["state"], job["attemptsMade"], job["failedReason"], job["finishedAt"]) == ("waiting", 0, None, None)
    assert api.get("/v1/jobs")["jobs"][0]["status"] == "running"
    api.finish(uid, 0)
    assert api.get("/v1/jobs", include="progress")["jobs"][0]["progress"]["completed_tasks"] == 1
    assert api.get("/v1/jobs")["jobs"][0]["status"] == "completed"


@pytest.mark.parametrize("act", [lambda a, u: None, lambda a, u: a.start(u, 0)])
def test_a_cancelled_job_is_no_queue_job_any_more(api: Api, act: Any) -> None:
    uid = enqueue(api)
    act(api, uid)
    assert api.post(f"/api/jobs/{uid}/cancel")["data"]["state"] == "cancelled"
    assert [d.rq_id for d in api.queue.removed] == [uid.replace("-", "")]
    api.get(f"/api/jobs/{uid}", 404)
    assert api.get("/api/jobs")["meta"]["total"] == 0


def test_a_crawl_is_completed_when_its_last_task_is_cancelled(api: Api) -> None:
    api.post(f"/api/jobs/{enqueue(api)}/cancel")
    job = api.get("/v1/jobs", include="progress")["jobs"][0]
    assert (job["status"], job["progress"]["skipped_tasks"], job["progress"]["total_tasks"]) == ("completed", 1, 1)


def test_a_cancelled_task_frees_its_slot(api: Api) -> None:
    uid = api.submit(concurrency=1)
    api.discover(uid, [link("/a"), link("/b")])
    first, second = (task["id"] for task in api.get(f"/v1/jobs/{uid}/tasks")["tasks"])
    api.post(f"/api/jobs/{first}/cancel")
    assert shown(api, second)["state"] == "waiting"
    assert api.queue.enqueued[-1].rq_id == second.replace("-", "")
    assert api.get(f"/v1/jobs/{uid}/tasks")["summary"]["by_status"]["pending"] == 1


def test_cancelling_a_discovery_ends_a_crawl_without_pages(api: Api) -> None:
    uid = api.submit()
    discovery = api.get("/api/jobs")["data"][0]["id"]
    api.post(f"/api/jobs/{discovery}/cancel")
    assert api.get(f"/v1/jobs/{uid}")["status"] == "completed"


@pytest.mark.parametrize(
    ("verb", "act"),
    [
        ("retry", lambda a, u: None),
        ("retry", lambda a, u: a.finish(u, 0)),
        ("promote", lambda a, u: None),
        ("promote", lambda a, u: a.start(u, 0)),
        ("cancel", lambda a, u: a.finish(u, 0)),
        ("cancel", lambda a, u: a.fail(u, 0)),
    ],
)
def test_what_a_state_does_not_allow_is_a_conflict(api: Api, verb: str, act: Any) -> None:
    uid = enqueue(api)
    act(api, uid)
    assert api.post(f"/api/jobs/{uid}/{verb}", expect=409)["code"] == "CONFLICT"


def test_a_task_of_a_cancelled_crawl_is_not_run_again(api: Api) -> None:
    uid = api.crawl(["/", "/a"])
    api.fail(uid, 2)
    failed = api.get("/api/jobs", status="failed")["data"][0]["id"]
    api.post(f"/v1/jobs/{uid}/cancel")
    api.post(f"/api/jobs/{failed}/retry", expect=409)
    assert api.post("/api/jobs/retry-failed")["data"]["retried"] == 0


def test_all_failed_jobs_run_again_within_their_crawls_windows(api: Api) -> None:
    uid = api.submit(concurrency=2)
    api.discover(uid, [link(f"/{n}") for n in range(5)])
    for n in range(5):
        api.fail(uid, n + 2)
    assert api.get(f"/v1/jobs/{uid}")["status"] == "completed"
    assert api.post("/api/jobs/retry-failed")["data"] == {"retried": 5}
    assert states(api, name="crawl.page") == ["waiting", "waiting"]
    for n in range(5):
        api.finish(uid, n + 2, TaskState.COMPLETED)
    job = api.get(f"/v1/jobs/{uid}")
    assert (job["status"], job["progress"]["completed_tasks"], job["progress"]["failed_tasks"]) == ("completed", 5, 0)


def test_retry_failed_takes_a_domain_a_name_and_a_limit(api: Api) -> None:
    uids = [enqueue(api) for _ in range(3)]
    for uid in uids:
        api.fail(uid, 0)
    domain = shown(api, uids[0])["domainId"]
    assert api.post("/api/jobs/retry-failed", {"name": "discover.pages"})["data"]["retried"] == 0
    assert api.post("/api/jobs/retry-failed", {"domainId": domain, "limit": 2})["data"]["retried"] == 2
    assert states(api) == ["failed", "waiting", "waiting"]


def test_retry_failed_takes_one_crawl(api: Api) -> None:
    uids = [api.crawl(["/"]) for _ in range(2)]
    for uid in uids:
        api.fail(uid, 2)
    assert api.post("/api/jobs/retry-failed", {"jobId": uids[1]})["data"]["retried"] == 1
    assert [api.get(f"/v1/jobs/{uid}")["status"] for uid in uids] == ["completed", "running"]
    wrong = api.post("/api/jobs/retry-failed", {"jobId": "x"}, 400)
    assert wrong["details"][0]["field"] == "jobId"


@pytest.mark.parametrize("verb", ["", "/retry", "/promote", "/cancel"])
def test_an_unknown_job_is_not_found(api: Api, verb: str) -> None:
    method = "POST" if verb else "GET"
    for uid in ("12345", "0190a0a0-0000-72b1-8000-000000000001", api.submit()):
        answer = api.call(method, f"/api/jobs/{uid}{verb}")
        assert (answer.status_code, answer.json["error"]) == (404, "Job not found")
