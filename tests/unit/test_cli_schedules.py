"""`crawlyard schedules` against a pretended API."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.root import cli
from api.cli.schedules import detail_lines, schedule_lines
from api.examples.schedules import ANSWERS
from tests.stub_api import StubApi

SCHEDULE: dict[str, Any] = ANSWERS["get_schedule"]["data"]


def run(api: StubApi, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["schedules", *arguments], env={"CRAWLYARD_API": api.url}, prog_name="crawlyard")


def paged(query: dict[str, str], _body: Any) -> tuple[int, Any]:
    count = int(query["limit"]) if query.get("page", "1") == "1" else 7
    return 200, {"data": [SCHEDULE] * count, "meta": {"total": 107, "page": 1, "pageSize": count}}


def test_a_page_is_listed_and_how_many_there_are() -> None:
    with StubApi({"GET /api/schedules": paged}) as api:
        lines = run(api, "list", "--limit", "100").output.splitlines()
        assert len(run(api, "list", "--limit", "100", "--page", "2").output.splitlines()) == 9
    assert (len(lines), lines[-1]) == (102, "100 of 107; see --limit and --page")
    assert "30 2 * * * (Europe/Berlin)  2024-03-30T02:30:00+01:00" in lines[1]


def test_what_was_given_is_sent_and_nothing_else() -> None:
    with StubApi({"POST /api/schedules": lambda *_: (201, ANSWERS["create_schedule"])}) as api:
        done = run(
            api, "create", "a.test", "--every", "6", "--jitter", "0", "--max-pages", "5", "--options", '{"x": 1}'
        )
    assert done.exit_code == 0
    assert api.calls[0][2] == {
        "domain": "a.test",
        "intervalHours": 6,
        "jitter": 0,
        "options": {"x": 1, "max_pages": 5},
    }


@pytest.mark.parametrize("options", ["[1]", "x", '"a"'])
def test_options_that_are_no_object_are_bad_usage(options: str) -> None:
    with StubApi({}) as api:
        assert run(api, "create", "a.test", "--every", "6", "--options", options).exit_code == 2
    assert api.calls == []


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 1), (409, 1)])
def test_a_refusal_is_one_line(status: int, code: int) -> None:
    with StubApi({"POST /api/schedules/x/run": lambda *_: (status, {"error": "No\x1b[31m."})}) as api:
        done = run(api, "run", "x")
    assert done.exit_code == code
    assert "No" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_schedule_is_shown_with_all_that_is_known() -> None:
    shown = "\n".join(detail_lines({"data": SCHEDULE | {"lastError": "it was refused"}}))
    assert all(text in shown for text in (*SCHEDULE["nextRuns"], SCHEDULE["lastJobId"], "it was refused", "max_pages"))


def test_an_interval_and_a_pause_are_shown() -> None:
    every = SCHEDULE | {"cron": None, "intervalHours": 6, "paused": True}
    assert "every 6 h" in schedule_lines({"data": [every]})[1]
    assert "paused" in schedule_lines({"data": [every]})[1]
    assert schedule_lines({"data": []}) == ["No schedules."]
