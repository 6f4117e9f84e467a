import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli import crawling, following
from api.cli.root import cli
from tests.stub_api import StubApi

PAGES = 450
SUMMARY = {"total_tasks": PAGES, "by_status": {"completed": PAGES}, "by_status_code": {"200": PAGES}, "performance": {}}


def tasks(query: dict[str, str], body: Any) -> tuple[int, Any]:
    first, limit = int(query.get("offset", 0)), int(query.get("limit", 50))
    numbers = range(0) if query.get("status") == "failed" else range(first, min(first + limit, PAGES))
    found = [{"url": f"https://x/{n}\x1b[2J", "status": "completed", "response_time": n} for n in numbers]
    return 200, {"tasks": found, "pagination": {"has_next": first + limit < PAGES}, "summary": SUMMARY}


def job(status: str, error: str | None = None) -> dict[str, Any]:
    counts = {"total_tasks": PAGES, "completed_tasks": PAGES, "failed_tasks": 0, "skipped_tasks": 0}
    return {"id": "j1", "domain": "x", "status": status, "error": error, "progress": counts}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    routes = {
        "POST /v1/jobs": lambda query, body: (201, job("created")),
        "GET /v1/jobs/j1": lambda query, body: (200, job("completed")),
        "GET /v1/jobs/j1/tasks": tasks,
        "POST /v1/jobs/j1/cancel": lambda query, body: (200, job("cancelled")),
    }
    with StubApi(routes) as stub:
        yield stub


def crawl(api: StubApi, *args: str) -> Result:
    return CliRunner().invoke(cli, ["crawl", "https://x", "--api", api.url, "--key", "k" * 20, *args])


def test_it_works(api: StubApi) -> None:
    result = crawl(api)
    assert result.exit_code == 0
    assert "450 of 450 pages" in result.stdout
    assert "200: 450" in result.stdout
    assert "\x1b" not in result.output


def test_the_options_become_the_body_and_the_key_a_header(api: StubApi) -> None:
    crawl(api, "--max-pages", "7", "--concurrency", "9", "--no-sitemap", "--no-links")
    expected = {"domain": "https://x", "max_pages": 7, "concurrency": 9, "use_sitemap": False, "find_links": False}
    assert api.calls[0][2] == {**expected, "source_type": "cli", "source_detail": "create_job"}
    assert api.keys == {"Bearer " + "k" * 20}


def test_the_options_of_scope_become_the_body(api: StubApi, tmp_path: Path) -> None:
    listed = tmp_path / "urls.txt"
    listed.write_text("# pages\nhttps://x/a\n\n  https://x/b\n")
    rules = ["--include", "/blog/*", "--include", "/", "--exclude", "*.pdf", "--max-depth", "3", "--same-host"]
    start = ["--sitemap", "https://x/s.xml", "--urls", str(listed), "--query", "drop:utm_*,gclid"]
    sent = ["--user-agent", "P/1", "--header", "X-Env: stage: 7", "--cookie", "sid=a=b", "--auth", "me:open:sesame"]
    crawl(api, *rules, *start, *sent)
    body = api.calls[0][2]
    assert "find_links" not in body
    assert {name: value for name, value in body.items() if name not in ("domain", "use_sitemap")} == {
        "include": ["/blog/*", "/"],
        "exclude": ["*.pdf"],
        "max_depth": 3,
        "allow_cross_subdomain_links": False,
        "sitemap_url": "https://x/s.xml",
        "urls": ["https://x/a", "https://x/b"],
        "query": {"drop": ["utm_*", "gclid"]},
        "user_agent": "P/1",
        "headers": {"X-Env": "stage: 7"},
        "cookies": {"sid": "a=b"},
        "auth": {"username": "me", "password": "open:sesame"},
        "source_type": "cli",
        "source_detail": "create_job",
    }


def test_a_password_is_asked_for_and_not_shown(api: StubApi) -> None:
    arguments = ["crawl", "https://x", "--api", api.url, "--key", "k" * 20, "--auth", "me"]
    result = CliRunner().invoke(cli, arguments, input="sesame\n")
    assert api.calls[0][2]["auth"] == {"username": "me", "password": "sesame"}
    assert "sesame" not in result.output


def test_a_header_without_a_colon_is_bad_usage(api: StubApi) -> None:
    result = crawl(api, "--header", "X-Env")
    assert (result.exit_code, "--header" in result.stderr) == (2, True)


def test_json_is_one_document_and_everything_else_goes_to_stderr(api: StubApi) -> None:
    result = crawl(api, "--json")
    document = json.loads(result.stdout)
    assert (document["job"]["status"], document["summary"]["total_tasks"]) == ("completed", PAGES)
    assert "450 of 450 pages" in result.stderr


def test_csv_has_every_page_of_the_job(api: StubApi, tmp_path: Path) -> None:
    assert crawl(api, "--csv", str(tmp_path / "out.csv")).exit_code == 0
    with open(tmp_path / "out.csv", newline="") as file:
        assert [row["url"] for row in csv.DictReader(file)] == [f"https://x/{n}[2J" for n in range(PAGES)]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_crawl_that_failed_ends_with_1_and_the_reason(api: StubApi, status: str) -> None:
    api.routes["GET /v1/jobs/j1"] = lambda query, body: (200, job(status, "it does not\x1b resolve"))
    result = crawl(api)
    assert result.exit_code == 1
    assert f"the crawl {status}: it does not resolve" in result.stderr


def test_what_the_api_calls_invalid_is_bad_usage(api: StubApi) -> None:
    details = [{"field": "domain", "message": "no host\x1b[2J"}]
    api.routes["POST /v1/jobs"] = lambda query, body: (400, {"error": "Not valid", "details": details})
    result = crawl(api)
    assert result.exit_code == 2
    assert "Not valid (domain: no host[2J)" in result.stderr


def test_ctrl_c_cancels_the_job_and_ends_with_130(api: StubApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(crawling, "_follow", interrupt)
    assert crawl(api).exit_code == 130
    assert api.names()[-1] == "POST /v1/jobs/j1/cancel"


def test_a_crawl_that_takes_too_long_is_cancelled(api: StubApi) -> None:
    api.routes["GET /v1/jobs/j1"] = lambda query, body: (200, job("running"))
    result = crawl(api, "--timeout", "0.05")
    assert result.exit_code == 1
    assert "--timeout" in result.stderr
    assert api.names()[-1] == "POST /v1/jobs/j1/cancel"


def test_an_api_that_is_away_for_a_moment_does_not_end_the_crawl(api: StubApi) -> None:
    answers = iter([(503, {"error": "Redis is away"}), (200, job("completed"))])
    api.routes["GET /v1/jobs/j1"] = lambda query, body: next(answers)
    assert crawl(api).exit_code == 0


def test_a_limited_call_is_repeated(api: StubApi) -> None:
    answers = iter([(429, {"error": "Slow down"}), (200, job("completed"))])
    api.routes["GET /v1/jobs/j1"] = lambda query, body: next(answers)
    assert crawl(api).exit_code == 0


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"\xff"])
def test_something_else_than_our_api_is_one_clear_line(api: StubApi, content: bytes) -> None:
    api.routes["POST /v1/jobs"] = lambda query, body: (200, content)
    result = crawl(api)
    assert result.exit_code == 1
    assert "is not a Crawlyard API" in result.stderr
    assert result.stderr.count("\n") == 1


def test_nobody_at_the_address_is_one_clear_line(api: StubApi) -> None:
    result = CliRunner().invoke(cli, ["crawl", "x", "--api", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    assert result.stderr == "crawlyard: no answer from the API at http://127.0.0.1:1\n"


def test_jobs_and_stats_show_what_the_api_says(api: StubApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAWLYARD_API", api.url)
    listed = {**job("running"), "domain": "x\x1b[2J", "created_at": "2026-01-01T00:00:00Z"}
    api.routes["GET /v1/jobs"] = lambda query, body: (200, {"jobs": [listed]})
    api.routes["GET /api/jobs/stats"] = lambda query, body: (200, {"data": {"waiting": 5, "active": 2}})
    assert "j1  x[2J    running  450/450" in CliRunner().invoke(cli, ["jobs", "--status", "running"]).stdout
    assert CliRunner().invoke(cli, ["stats"]).stdout.startswith("waiting    5\nactive     2\n")
