"""Each example answer of the five documents, rebuilt from rows in the store: every field and value as written.

Ids are the store's own, since they say what they name.
"""

import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update

from shared import ids
from shared.clock import SECOND
from shared.stages import Found
from shared.states import SourceType
from shared.store.tables import domains, tasks
from tests.api_kit import Api, link

#: seeds/api-jobs.txt, GET /api/jobs
JOB_LIST = """{"data": [{"id": "12345", "name": "crawl.page", "type": "crawl", "url": "https://competitor.com/pricing",
"domainId": "550e8400-e29b-41d4-a716-446655440000", "pageId": "550e8400-e29b-41d4-a716-446655440001",
"state": "completed", "progress": 100, "attemptsMade": 1, "createdAt": "2024-01-15T10:30:00Z",
"processedAt": "2024-01-15T10:30:05Z", "finishedAt": "2024-01-15T10:30:12Z", "failedReason": null}],
"meta": {"total": 1, "page": 1, "pageSize": 20}}"""
#: seeds/api-jobs.txt, GET /api/jobs/:id
JOB = """{"data": {"id": "12345", "name": "discover.pages", "type": "discover", "url": null,
"domainId": "550e8400-e29b-41d4-a716-446655440000", "pageId": null, "state": "completed", "progress": 100,
"attemptsMade": 1, "maxAttempts": 3, "createdAt": "2024-01-15T10:30:00Z", "processedAt": "2024-01-15T10:30:05Z",
"finishedAt": "2024-01-15T10:30:45Z", "failedReason": null,
"returnValue": {"pagesDiscovered": 8, "pagesAdded": 8}}}"""
#: seeds/v1-runtasks.txt
RUN = """{"total_results": 1, "limit": 50, "page": 1, "total_pages": 1, "result_from": 1, "result_to": 1, "data": [{
"object": "runtask", "id": "1262f6f99dac7dffb05a513fff0ded77", "started_at": "2025-02-10T14:30:58Z",
"ended_at": "2025-02-10T14:31:10Z", "total_results": 138, "last_result": 6, "total_pages": 1,
"done_reason": "run_aborted", "last_page": 0, "status": "aborted", "run": "300e9c5c127d421c90f431478d9a2cfb",
"task": "d30334cd8d21ab16048c5e2e7136a9f1",
"params": {"url": "https://www.google.com/maps/search/restaurant/@43.2928346,5.3662584,17z"},
"last_collection_at": "2025-02-10T14:31:10Z", "done_reason_desc": null}], "next": null, "previous": null}"""
#: seeds/v1-task-get.txt, put together from the examples of its fields; times with Z, and the module our own (API.md)
TASK = """{"hash_value": "c5e29d2aba8b77cdc56391e7405302de", "created_at": "2024-12-24T10:57:55.045567Z",
"is_active": true, "params": {"url": "https://example.com/"}, "module": 2, "status": {"status": "completed",
"started_at": "2025-02-04T10:25:47.278419Z", "ended_at": "2025-02-04T10:26:52.310738Z", "is_done": true,
"total_results": 156, "total_pages": 1, "done_reason": "completed", "has_errors": false, "errors": null},
"object": "task"}"""
HOST = "https://www.google.com"


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * SECOND + moment.microsecond


def put(api: Api, uid: str, **values: Any) -> None:
    """Gives a task's row the values of an example."""
    found = ids.decode(uid)
    assert found is not None
    change = update(tasks).where(tasks.c.id == found.body).values(values)
    api.store.write(lambda conn: conn.execute(change))


def at(created: str, started: str, completed: str) -> dict[str, int]:
    return {"created_at": us(created), "started_at": us(started), "completed_at": us(completed)}


def named(api: Api, uid: str) -> None:
    """Gives the domain the example's id."""
    change = update(domains).values(uid=uid)
    api.store.write(lambda conn: conn.execute(change))


def same(answer: Any, example: str, **own: str) -> None:
    """That an answer is the example, but for ids: the same fields, values and types, nothing more."""
    expected = json.loads(example)
    shown = expected["data"][0] if isinstance(expected.get("data"), list) else expected.get("data", expected)
    assert own.keys() <= shown.keys()
    shown |= own
    assert answer == expected
    assert json.dumps(answer, sort_keys=True) == json.dumps(expected, sort_keys=True)  # true is not 1, 6 not 6.0


def test_the_seeds_list_example(api: Api) -> None:
    body = {"name": "crawl.page", "url": "https://competitor.com/pricing"}
    task = api.post("/api/jobs", body, 202)["data"]
    api.finish(task["id"], 0)
    put(api, task["id"], **at("2024-01-15T10:30:00Z", "2024-01-15T10:30:05Z", "2024-01-15T10:30:12Z"))
    named(api, "550e8400-e29b-41d4-a716-446655440000")
    same(api.get("/api/jobs"), JOB_LIST, id=task["id"], pageId=task["pageId"])


def test_the_seeds_example_of_one_job(api: Api) -> None:
    uid = api.post("/api/jobs", {"name": "discover.pages", "domain": "competitor.com"}, 202)["data"]["id"]
    api.discover(uid, [link(f"/{n}") for n in range(8)])
    put(api, uid, **at("2024-01-15T10:30:00Z", "2024-01-15T10:30:05Z", "2024-01-15T10:30:45Z"))
    named(api, "550e8400-e29b-41d4-a716-446655440000")
    same(api.get(f"/api/jobs/{uid}"), JOB, id=uid)


def test_the_seeds_example_of_a_run(api: Api) -> None:
    """A discovery that had met 138 URLs, six of them new pages, when its run was cancelled."""
    uid = api.post("/api/jobs", {"name": "discover.pages", "domain": HOST}, 202)["data"]["id"]
    work, run = api.start(uid, 1), api.get("/v1/jobs")["jobs"][0]["id"]
    new = tuple(link(f"/{n}", HOST) for n in range(6))
    api.record(Found(work, new, SourceType.SITEMAP, HOST, found=138))
    api.post(f"/v1/jobs/{run}/cancel")
    moments = at("2025-02-10T14:30:50Z", "2025-02-10T14:30:58Z", "2025-02-10T14:31:10Z")
    put(api, uid, path="/maps/search/restaurant/@43.2928346,5.3662584,17z", documents=1, **moments)
    answer = api.get("/v1/runtasks", run=run.replace("-", ""), page=1, limit=50)
    same(answer, RUN, id=plain(uid), task=plain(uid), run=plain(run))


def plain(uid: str) -> str:
    return uid.replace("-", "")


def test_the_seeds_example_of_a_task(api: Api) -> None:
    uid = api.post("/api/jobs", {"name": "discover.pages", "domain": "example.com"}, 202)["data"]["id"]
    api.discover(uid, [link(f"/{n}") for n in range(156)])
    put(api, uid, **at("2024-12-24T10:57:55.045567Z", "2025-02-04T10:25:47.278419Z", "2025-02-04T10:26:52.310738Z"))
    same(api.get(f"/v1/tasks/{plain(uid)}"), TASK, hash_value=plain(uid))
