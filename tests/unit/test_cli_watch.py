"""`crawlyard watch`: by events, and by asking where there are none."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli import following
from api.cli.following import Event, events
from api.cli.root import cli
from shared.errors import CrawlyardError
from tests.stub_api import StubApi

SUMMARY = {"total_tasks": 3, "by_status": {}, "by_status_code": {}, "performance": {}}


def progress(done: int) -> dict[str, int]:
    return {"total_tasks": 3, "completed_tasks": done, "failed_tasks": 0, "skipped_tasks": 0}


def event(name: str, data: object, id: str) -> bytes:
    return f"event: {name}\nid: {id}\ndata: {json.dumps(data)}\n\n".encode()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    jobs = [{"id": "j1", "domain": "x", "status": state, "progress": progress(3)} for state in ("running", "completed")]
    routes: dict[str, Any] = {
        "GET /v1/jobs/j1": lambda *_: (200, jobs.pop(0) if len(jobs) > 1 else jobs[0]),
        "GET /v1/jobs/j1/tasks": lambda *_: (200, {"tasks": [], "summary": SUMMARY}),
    }
    with StubApi(routes) as stub:
        yield stub


def watch(api: StubApi, *args: str) -> Result:
    return CliRunner().invoke(cli, ["watch", "j1", *args], env={"CRAWLYARD_API": api.url})


def test_it_shows_progress_and_failed_pages_and_sums_up(api: StubApi) -> None:
    failed = {"status_code": 404, "error": None, "url": "https://x/\x1b[2Jold"}
    stream = event("progress", progress(1), "1") + event("task", failed, "2") + event("end", {}, "3-end")
    api.routes["GET /v1/jobs/j1/events"] = lambda *_: (200, b"retry: 2000\n\n: still here\n\n" + stream)
    result = watch(api)
    assert result.exit_code == 0
    assert "1 of 3 pages" in result.stdout
    assert "failed: 404  https://x/[2Jold" in result.stdout
    assert "x: completed" in result.stdout


def test_a_stream_that_ends_early_is_taken_up_again(api: StubApi) -> None:
    parts = [event("progress", progress(1), "7"), event("end", {}, "9-end")]
    api.routes["GET /v1/jobs/j1/events"] = lambda *_: (200, parts.pop(0))
    assert watch(api).exit_code == 0
    assert parts == []


@pytest.mark.parametrize("status", [503])
def test_where_there_is_no_stream_it_asks(api: StubApi, status: int) -> None:
    api.routes["GET /v1/jobs/j1/events"] = lambda *_: (status, {"error": "Too many event streams"})
    result = watch(api, "--json")
    assert (result.exit_code, json.loads(result.stdout)["job"]["status"]) == (0, "completed")
    assert "3 of 3 pages" in result.stderr


def test_an_unknown_job_is_one_line(api: StubApi) -> None:
    api.routes["GET /v1/jobs/j1"] = lambda *_: (404, {"error": "Not found"})
    result = watch(api)
    assert (result.exit_code, result.stderr) == (1, "crawlyard: Not found\n")


def test_events_are_read_as_the_standard_says() -> None:
    lines = b': hello\n\nevent:end\r\nid: 4\r\ndata: {"a": 1}\r\n\r\ndata:{}\n\nevent: cut'.split(b"\n")
    assert list(events(lines)) == [Event("end", "4", {"a": 1}), Event("message", "", {})]


@pytest.mark.parametrize("data", [b"data: [", b"data: 3"])
def test_an_event_that_is_no_object_is_not_ours(data: bytes) -> None:
    with pytest.raises(CrawlyardError, match="not a Crawlyard API"):
        list(events([data, b""]))
