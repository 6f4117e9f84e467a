"""`/v1/tasks/{task_hash}` and `/v1/runtasks` as their seeds have them."""

from typing import Any

import pytest

from shared import ids
from shared.states import TaskState
from tests.api_kit import Api, link

HEX = ids.new_uuid().hex


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def page_hash(api: Api, uid: str, n: int = 0) -> str:
    """The hash of the page of a job's n-th task."""
    task = api.get(f"/v1/jobs/{uid}/tasks")["tasks"][n]
    page: str = api.get(f"/api/jobs/{task['id']}")["data"]["pageId"]
    return page.replace("-", "")


def run_tasks(api: Api, uid: str, **params: Any) -> Any:
    return api.get("/v1/runtasks", run=uid.replace("-", ""), **params)


def test_the_seeds_example_of_a_finished_task(api: Api) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2)
    digest = page_hash(api, uid)
    task = api.get(f"/v1/tasks/{digest}")
    status = task.pop("status")
    created = task.pop("created_at")
    expected = {"hash_value": digest, "is_active": True, "params": {"url": "https://example.com/"}, "module": 1}
    assert task == expected | {"object": "task"}
    assert created <= status.pop("started_at") <= status.pop("ended_at")
    counts = {"total_results": 1, "total_pages": 1, "done_reason": "completed"}
    assert status == {"status": "completed", "is_done": True, "has_errors": False, "errors": None} | counts


def test_a_hash_is_accepted_with_hyphens(api: Api) -> None:
    digest = page_hash(api, api.crawl(["/"]))
    spelled = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"
    assert api.get(f"/v1/tasks/{spelled}")["hash_value"] == digest


def test_a_page_shows_its_newest_execution(api: Api) -> None:
    first = api.crawl(["/"])
    api.finish(first, 2)
    second = api.crawl(["/"])
    assert api.get(f"/v1/tasks/{page_hash(api, first)}")["status"]["status"] == "pending"
    api.fail(second, 2, 500)
    assert api.get(f"/v1/tasks/{page_hash(api, first)}")["status"]["errors"] == "HTTP 500"


def test_a_tasks_hash_shows_that_execution(api: Api) -> None:
    first = api.crawl(["/"])
    api.finish(first, 2)
    api.crawl(["/"])
    execution = run_tasks(api, first)["data"][1]
    assert api.get(f"/v1/tasks/{execution['id']}")["status"]["status"] == "completed"


def test_a_discovery_is_module_two_and_counts_its_pages(api: Api) -> None:
    uid = api.crawl(["/", "/a"])
    task = api.get(f"/v1/tasks/{run_tasks(api, uid)['data'][0]['id']}")
    assert (task["module"], task["status"]["total_results"], task["status"]["total_pages"]) == (2, 2, 1)


def test_a_page_that_no_crawl_has_met_is_pending(api: Api) -> None:
    domain = api.post("/api/domains", {"domain": "https://example.com"}, 201)["data"]["id"]
    page = api.post(f"/api/domains/{domain}/pages", {"url": "https://example.com/x"}, 201)["data"]["id"]
    status = api.get(f"/v1/tasks/{page}")["status"]
    assert (status["status"], status["is_done"], status["started_at"]) == ("pending", False, None)


@pytest.mark.parametrize(
    ("act", "status", "run_status", "reason", "errors"),
    [
        (lambda api, uid: None, "pending", "pending", None, None),
        (lambda api, uid: api.delay(uid, 2), "pending", "pending", None, None),
        (lambda api, uid: api.start(uid, 2), "running", "running", None, None),
        (lambda api, uid: api.finish(uid, 2), "completed", "completed", "completed", None),
        (lambda api, uid: api.fail(uid, 2), "failed", "error", "error", "HTTP 404"),
        (lambda api, uid: api.finish(uid, 2, TaskState.SKIPPED), "completed", "completed", "skipped", None),
        (lambda api, uid: api.post(f"/v1/jobs/{uid}/cancel"), "aborted", "aborted", "run_aborted", None),
    ],
)
def test_every_state_has_its_words(
    api: Api, act: Any, status: str, run_status: str, reason: str | None, errors: str | None
) -> None:
    uid = api.crawl(["/"])
    act(api, uid)
    execution = run_tasks(api, uid)["data"][1]
    shown = api.get(f"/v1/tasks/{execution['id']}")["status"]
    assert (shown["status"], shown["done_reason"], shown["errors"]) == (status, reason, errors)
    assert (execution["status"], execution["done_reason"]) == (run_status, reason)
    assert shown["is_done"] == (reason is not None)


@pytest.mark.parametrize("text", ["x", pytest.param(HEX, id="new"), "0" * 32, "c5e29d2aba8b77cdc56391e7405302de"])
def test_an_unknown_hash_is_not_found(api: Api, text: str) -> None:
    assert api.get(f"/v1/tasks/{text}", 404)["error"] == "Task not found"


def test_a_jobs_id_is_no_task_hash(api: Api) -> None:
    api.get(f"/v1/tasks/{api.submit()}", 404)


def test_expected_and_collected_results_of_a_discovery(api: Api) -> None:
    uid = api.crawl(["/", "/a", "/b"])
    discovery, page = run_tasks(api, uid)["data"][:2]
    assert (discovery["total_results"], discovery["last_result"], discovery["total_pages"]) == (3, 3, 1)
    assert discovery["last_collection_at"] == discovery["ended_at"]
    assert (page["total_results"], page["last_result"]) == (1, 0)


def test_the_task_of_a_run_leads_to_the_page(api: Api) -> None:
    uid = api.crawl(["/"])
    assert run_tasks(api, uid)["data"][1]["task"] == page_hash(api, uid)


def test_a_skipped_task_says_why(api: Api) -> None:
    uid = api.submit()
    api.discover(uid, [link("/private", skip="robots.txt forbids it")])
    assert run_tasks(api, uid)["data"][1]["done_reason_desc"] == "robots.txt forbids it"


def test_next_and_previous_are_full_urls_that_lead_through_the_run(api: Api) -> None:
    uid, seen, url = api.crawl(["/", "/a", "/b"]), [], None
    answer = run_tasks(api, uid, limit=2)
    assert answer["next"].startswith("http://localhost/v1/runtasks?run=")
    while True:
        seen += [task["id"] for task in answer["data"]]
        url = answer["next"]
        if url is None:
            break
        answer = api.get(url.removeprefix("http://localhost"))
    assert (len(set(seen)), answer["result_from"], answer["result_to"]) == (4, 3, 4)
    assert answer["previous"].endswith("page=1&limit=2")


def test_a_page_behind_the_last_one_is_empty(api: Api) -> None:
    answer = run_tasks(api, api.crawl(["/"]), page=9)
    assert (answer["data"], answer["result_from"], answer["result_to"], answer["next"]) == ([], 0, 0, None)


@pytest.mark.parametrize("params", [{}, {"run": "x"}, {"run": HEX, "limit": 101}, {"run": HEX, "page": 0}])
def test_a_wrong_parameter_is_refused(api: Api, params: dict[str, Any]) -> None:
    assert api.get("/v1/runtasks", 400, **params)["code"] == "VALIDATION_ERROR"


def test_an_unknown_run_is_not_found(api: Api) -> None:
    api.get("/v1/runtasks", 404, run=HEX)
