"""Log lines: for people and for machines, with ids, and safe from what crawled sites say."""

import json
import logging
import sys

import pytest

from shared import logs
from tests.api_kit import Api


def record(message: str, *args: object, failed: bool = False, **extra: object) -> logging.LogRecord:
    info = None
    if failed:
        try:
            raise ValueError("broken")
        except ValueError:
            info = sys.exc_info()
    made = logging.LogRecord("workers.crawl", logging.WARNING, "x.py", 1, message, args, info)
    made.__dict__.update(extra)
    return made


def test_a_json_line_names_process_and_ids() -> None:
    with logs.bound(task_id="aa", job_id="bb"):
        line = json.loads(logs.JsonLines("worker").format(record("task %s", "x", fields={"status": 200})))
    given = {
        "level": "WARNING",
        "process": "worker",
        "message": "task x",
        "task_id": "aa",
        "job_id": "bb",
        "status": 200,
    }
    assert line.items() >= given.items()
    assert line["time"].endswith("+00:00")


def test_a_json_line_holds_the_traceback() -> None:
    line = logs.JsonLines("worker").format(record("it broke", failed=True))
    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["error"]


def test_ids_end_with_their_block() -> None:
    with logs.bound(task_id="aa"):
        pass
    assert "task_id" not in json.loads(logs.JsonLines("worker").format(record("later")))


@pytest.mark.parametrize("hostile", ["a\n2026 CRITICAL forged", "\x1b[2J", "\x9b31m", "\u202e", "\r", "\x00"])
def test_a_text_line_stays_one_line_and_leads_no_terminal(hostile: str) -> None:
    line = logs.TextLines("worker").format(record("got %s", hostile))
    assert hostile not in line
    assert "\\u00" in line or "\\u202e" in line


def test_a_message_is_bounded() -> None:
    assert len(logs.TextLines("worker").format(record("x" * 1_000_000))) < 10_000
    assert len(logs.JsonLines("worker").format(record("x" * 1_000_000))) < 10_000


def test_a_request_is_logged_without_its_query(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    api = Api(sqlite_url, CRAWLYARD_ACCESS_LOG="1")
    with caplog.at_level(logging.INFO, "api.access"):
        api.get("/v1/jobs", 400, key="s3cret-in-a-query")
    (line,) = caplog.records
    assert line.getMessage() == "GET /v1/jobs 400"
    assert line.__dict__["fields"]["route"] == "/v1/jobs"


def test_no_request_is_logged_by_default(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "api.access"):
        Api(sqlite_url).get("/v1/jobs")
    assert not caplog.records
