"""All that is kept of one page of a crawl, through the API and in the dashboard."""

import re
from typing import Any

import pytest

from shared import answers
from shared.answers import HIDDEN, Phases
from shared.packing import packed
from shared.stages import Delay, Fetched, Finish, Recheck, Redirect
from shared.states import CacheStatus, TaskState
from shared.store import holders
from tests.api_kit import ORIGIN, Api, link
from tests.unit.test_dashboard_signin import Browser, signed_in

HOSTILE = "<script>alert(1)</script>\u202e\x1b\x00"
PHASES = Phases(2.5, 11.0, None, 48.2, 1.3)


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


@pytest.fixture
def browser(api: Api) -> Browser:
    return signed_in(api)


def task_of(api: Api, uid: str, path: str) -> str:
    found: str = api.get(f"/v1/jobs/{uid}/tasks", path=path, limit=200)["tasks"][0]["id"]
    return f"/jobs/{uid}/tasks/{found}"


def retried(api: Api) -> str:
    """The path of a task that took two attempts."""
    uid = api.crawl(["/"])
    answer = answers.packed({"server": "slow", "x-bad": HOSTILE, "set-cookie": "id=1"}, PHASES)
    api.record(Delay(api.start(uid, 2), 0, "HTTP 503", True, Fetched(503, 70, answer=answer)))
    answer = answers.packed({"server": "nginx"}, None)
    api.finish(uid, 2, answer=answer, redirects=(Redirect(301, f"{ORIGIN}/x"),))
    return task_of(api, uid, "/")


def broken(api: Api, n: int) -> str:
    """A crawl with a broken link on so many pages."""
    uid = api.crawl(["/gone", *(f"/p{i}" for i in range(n))], concurrency=100)
    targets = packed("q", [link("/gone").url_hash])
    for seq in range(3, n + 3):
        api.finish(uid, seq, targets=targets)
    api.fail(uid, 2)
    holders.tend(api.store)
    return uid


def test_a_task_tells_of_its_attempts(api: Api) -> None:
    found = api.get(f"/v1{retried(api)}")
    first, last = found["attempts"]
    assert (first["outcome"], first["status_code"], first["error"]) == ("retried", 503, "HTTP 503")
    assert first["phases"] == PHASES._asdict()
    assert {"name": "set-cookie", "value": HIDDEN} in first["headers"]
    assert (last["outcome"], last["error"], last["phases"]) == ("completed", None, None)
    assert (found["task"]["path"], found["linked_from"]) == ("/", None)
    assert found["redirects"] == [{"status_code": 301, "url": f"{ORIGIN}/x", "headers": []}]
    assert (last["worker"], last["second_request"]) == (None, None)


def test_a_redirect_tells_of_its_headers_and_a_second_request_of_its_answer(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/"])
    hop = Redirect(302, f"{ORIGIN}/x", answers.packed({"location": "/x", "x-bad": HOSTILE}, None))
    missed = Fetched(200, 10, cache_status=CacheStatus.MISS)
    first = Finish(api.start(uid, 2), TaskState.COMPLETED, missed, redirects=(hop, Redirect(301, f"{ORIGIN}/y")))
    api.record(Recheck(first, 0))
    second = Fetched(200, 5, cache_status=CacheStatus.HIT, answer=answers.packed({"age": "1"}, PHASES))
    api.record(Finish(api.start(uid, 2), TaskState.COMPLETED, missed, second=second))
    path = task_of(api, uid, "/")
    found = api.get(f"/v1{path}")
    assert [len(hop["headers"]) for hop in found["redirects"]] == [2, 0]
    assert found["redirects"][0]["headers"][0] == {"name": "location", "value": "/x"}
    (attempt,) = found["attempts"]
    headers = [{"name": "age", "value": "1"}]
    assert attempt["second_request"] == {"status_code": 200, "phases": PHASES._asdict(), "headers": headers}
    html = browser.get(path)
    assert "<code>location</code>" in html
    assert "second (cache) request" in html
    assert not re.search(r"<script(?! defer src)|[\u202e\x1b\x00]", html)


def test_a_broken_page_tells_who_links_to_it(api: Api) -> None:
    uid = broken(api, 3)
    assert api.get(f"/v1{task_of(api, uid, '/gone')}")["linked_from"] == {
        "total": 3,
        "urls": [f"{ORIGIN}/p{i}" for i in range(3)],
    }
    assert api.get(f"/v1{task_of(api, uid, '/p1')}")["linked_from"] is None


def test_a_task_of_another_crawl_is_not_found(api: Api) -> None:
    uid, other = api.crawl(["/a"]), api.crawl(["/a"])
    path = task_of(api, uid, "/a")
    assert api.get(f"/v1{path.replace(uid, other)}", 404)["code"] == "NOT_FOUND"


def test_the_page_of_a_task_shows_attempts_phases_and_headers(api: Api, browser: Browser) -> None:
    html = browser.get(retried(api))
    for shown in ("retried", "HTTP 503", "48.2 ms", "11.0 ms", "<code>server</code>", "nginx", HIDDEN):
        assert shown in html
    assert not re.search(r"<script(?! defer src)|[\u202e\x1b\x00]", html)


def test_the_broken_links_name_all_pages_that_hold_them(api: Api, browser: Browser) -> None:
    uid = broken(api, 12)
    html = browser.get(f"/jobs/{uid}/broken")
    assert "12 pages link to it" in html
    assert [f"/p{i}" for i in range(12) if f">{ORIGIN}/p{i}<" in html] == [f"/p{i}" for i in range(10)]
    assert "and 2 more" in html
    assert "12 pages" in browser.get(task_of(api, uid, "/gone"))


def test_without_holders_the_page_that_was_first_is_shown(api: Api, browser: Browser) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2, links=(link("/gone"),))
    api.fail(uid, 3)
    html: Any = browser.get(f"/jobs/{uid}/broken")
    assert "link to it" not in html
    assert f">{ORIGIN}/<" in html
    assert browser.get(task_of(api, uid, "/gone"))


def test_a_skipped_page_that_was_never_asked_for_has_no_attempt(api: Api) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2, TaskState.SKIPPED, status_code=None, error="robots.txt does not allow this page")
    assert api.get(f"/v1{task_of(api, uid, '/')}")["attempts"] == []
