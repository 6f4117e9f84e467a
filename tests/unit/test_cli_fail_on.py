"""`--fail-on`: what a pipeline is told."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.root import cli
from tests.stub_api import StubApi

Task = dict[str, Any]


def task(first: int | None, second: int | None = None) -> Task:
    return {"url": f"https://x/{first}-{second}", "response_time": first, "second_response_time": second}


class Crawl(StubApi):
    """A crawl that has ended, as the API tells of it."""

    def __init__(self, tasks: list[Task] | None = None, failed: int = 0, codes: dict[str, int] | None = None) -> None:
        super().__init__({"GET /v1/jobs/j1": lambda *_: (200, self.job), "GET /v1/jobs/j1/tasks": self._tasks})
        self.job: dict[str, Any] = {"id": "j1", "domain": "x", "status": "completed", "error": None, "warnings": []}
        self._listed = tasks or []
        self._summary = {
            "total_tasks": 9,
            "by_status": {"failed": failed},
            "by_status_code": codes or {},
            "performance": {},
        }
        self.routes["GET /v1/jobs/j1/compare"] = lambda *_: (200, {"summary": {"changed": 2}})

    def _tasks(self, query: dict[str, str], _body: Any) -> tuple[int, Any]:
        field = query.get("sort", "").removeprefix("-")
        known = sorted((t for t in self._listed if t.get(field)), key=lambda t: -t[field]) if field else []
        found = [*known, *(t for t in self._listed if t not in known)] if "status" not in query else []
        total = 4 if query.get("cache") == "miss" else len(found)
        pagination = {"total": total, "has_next": False}
        return 200, {"tasks": found, "pagination": pagination, "summary": self._summary}

    def judged(self, conditions: str, verb: str = "report") -> Result:
        return CliRunner().invoke(cli, [verb, "j1", "--fail-on", conditions], env={"CRAWLYARD_API": self.url})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "broke",
        "broken,",
        "broken,broken=2",
        "broken=0",
        "broken=-1",
        "broken=x",
        "slow=",
        "slow=1.5",
        "slow=9999999999",
    ],
)
def test_what_is_no_condition_is_bad_usage(text: str) -> None:
    with Crawl() as crawl:
        assert crawl.judged(text).exit_code == 2
    assert crawl.calls == []


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ("broken", "3 pages are broken"),
        ("broken=3", "3 pages are broken"),
        ("broken=4", None),
        ("failed", "1 page is failed without an answer or with 5xx"),
        ("failed=2", None),
        ("changed=2", "2 pages are changed"),
        ("changed=3", None),
        ("uncached=4", "4 pages are not from a cache"),
        ("uncached=5", None),
        ("warnings", None),
    ],
)
def test_a_condition_holds_from_its_number_on(conditions: str, told: str | None) -> None:
    with Crawl(failed=3, codes={"200": 6, "404": 2, "500": 1}) as crawl:
        result = crawl.judged(conditions)
    assert result.exit_code == (3 if told else 0), result.output
    assert (told or "") in result.stderr
    assert len(result.stderr.splitlines()) == bool(told)


@pytest.mark.parametrize(
    ("tasks", "slowest"),
    [
        ([task(3000), task(2999)], None),
        ([task(3001)], "https://x/3001-None took 3001 ms, over 3000"),
        ([task(9000, 100)], None),
        ([task(10, 4000), task(5000)], "https://x/5000-None took 5000 ms"),
        ([task(9000, 100), task(10, 4000), task(3500)], "https://x/10-4000 took 4000 ms"),
        ([task(None)], None),
    ],
)
def test_the_second_time_of_a_page_counts(tasks: list[Task], slowest: str | None) -> None:
    with Crawl(tasks) as crawl:
        result = crawl.judged("slow")
    assert (result.exit_code, (slowest or "") in result.stderr) == (3 if slowest else 0, True), result.output


def test_each_condition_that_holds_is_named() -> None:
    with Crawl([task(700)], failed=1) as crawl:
        crawl.job["warnings"] = [{"kind": "blocked", "message": "x\x1b[2J blocks the crawl", "count": 1}]
        result = crawl.judged("broken,slow=500,warnings,failed")
    named = [line.split(":")[1] for line in result.stderr.splitlines()]
    assert named == [f" --fail-on {name}" for name in ("broken", "slow", "warnings", "failed")]
    assert "\x1b" not in result.output


def test_a_first_crawl_has_changed_nothing() -> None:
    with Crawl() as crawl:
        crawl.routes["GET /v1/jobs/j1/compare"] = lambda *_: (409, {"error": "There is no earlier crawl"})
        result = crawl.judged("changed")
    assert (result.exit_code, result.stderr) == (0, "--fail-on changed: There is no earlier crawl\n")


def test_a_crawl_that_failed_is_1_whatever_was_found() -> None:
    with Crawl(failed=1) as crawl:
        crawl.job |= {"status": "failed", "error": "it does not resolve"}
        result = crawl.judged("broken", "watch")
    assert result.exit_code == 1
    assert "it does not resolve" in result.stderr
