"""`/api/schedules`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.clock import SECOND, now_us
from shared.store import jobs
from tests.api_kit import Api


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def create(api: Api, expect: int = 201, **wishes: Any) -> Any:
    body = {"domain": "example.com", "cron": "30 6 * * *"} | wishes
    body = {name: value for name, value in body.items() if value is not None}
    answer = api.post("/api/schedules", body, expect)
    return answer["data"] if expect == 201 else answer


def change(api: Api, uid: str, expect: int = 200, **wishes: Any) -> Any:
    answer = api.call("PATCH", f"/api/schedules/{uid}", json=wishes)
    assert answer.status_code == expect, answer.text
    return answer.json["data"] if expect == 200 else answer.json


def test_it_works(api: Api) -> None:
    made = create(api, timezone="Europe/Berlin", options={"max_pages": 7}, overlap="queue", missed="none", jitter=60)
    assert made == api.get(f"/api/schedules/{made['id']}")["data"]
    assert made["options"] == {"max_pages": 7}
    assert (made["domain"], made["cron"], made["intervalHours"]) == ("example.com", "30 6 * * *", None)
    assert (made["overlap"], made["missed"], made["jitter"], made["paused"]) == ("queue", "none", 60, False)
    assert (made["lastRunAt"], made["lastJobId"], made["lastError"]) == (None, None, None)


def test_the_next_five_runs_are_in_the_schedules_own_zone(api: Api) -> None:
    made = create(api, timezone="America/New_York")
    assert len(made["nextRuns"]) == 5
    assert all(text[11:19] == "06:30:00" and text[-6:] in ("-04:00", "-05:00") for text in made["nextRuns"])
    first = datetime.fromisoformat(made["nextRuns"][0])
    assert first == datetime.fromisoformat(made["nextRunAt"])


def test_an_interval_begins_one_interval_from_now(api: Api) -> None:
    made = create(api, cron=None, intervalHours=6)
    wait = datetime.fromisoformat(made["nextRunAt"]) - datetime.now(UTC)
    assert timedelta(hours=5, minutes=59) < wait <= timedelta(hours=6, seconds=1)


def test_a_domain_is_named_by_its_id_or_its_host(api: Api) -> None:
    by_host = create(api)
    by_id = create(api, domain=None, domainId=by_host["domainId"])
    assert by_id["domain"] == "example.com"
    found = api.get("/api/schedules", domainId=by_host["domainId"])
    assert [one["id"] for one in found["data"]] == [by_id["id"], by_host["id"]]
    assert found["meta"] == {"total": 2, "page": 1, "pageSize": 20}


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "every day at noon"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"cron": None}, "cron"),
        ({"intervalHours": 2}, "cron"),
        ({"cron": None, "intervalHours": 0}, "intervalHours"),
        ({"cron": None, "intervalHours": 8761}, "intervalHours"),
        ({"cron": None, "intervalHours": "6"}, "intervalHours"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"overlap": "maybe"}, "overlap"),
        ({"missed": "all"}, "missed"),
        ({"jitter": -1}, "jitter"),
        ({"jitter": 3601}, "jitter"),
        ({"paused": "yes"}, "paused"),
        ({"options": {"max_pages": -1}}, "options.max_pages"),
        ({"options": {"colour": "red"}}, "options.colour"),
        ({"options": {"source_type": "api"}}, "options"),
        ({"domain": "not a host"}, "domain"),
        ({"domain": None}, "body"),
        ({"domainId": "0" * 32}, "body"),
        ({"every": 5}, "every"),
    ],
)
def test_bad_input_is_a_400_that_names_its_field(api: Api, wishes: dict[str, Any], field: str) -> None:
    answer = create(api, 400, **wishes)
    assert [detail["field"] for detail in answer["details"]] == [field]
    assert api.get("/api/schedules")["data"] == []


def test_an_explicit_null_is_refused(api: Api) -> None:
    answer = api.post("/api/schedules", {"domain": "example.com", "cron": "0 0 * * *", "intervalHours": None}, 400)
    assert [detail["field"] for detail in answer["details"]] == ["intervalHours"]


def test_a_domain_of_somebody_else_is_not_found(api: Api) -> None:
    theirs = create(api)["domainId"]
    body = {"domainId": theirs, "cron": "0 0 * * *"}
    assert api.call("POST", "/api/schedules", json=body, secret=api.key("other")).status_code == 404


def test_past_robots_txt_needs_an_admin(api: Api) -> None:
    body = {"domain": "example.com", "cron": "0 0 * * *", "options": {"respect_robots": False}}
    writer = api.key("acme", {"read", "write"})
    assert api.call("POST", "/api/schedules", json=body, secret=writer).status_code == 403
    uid = api.post("/api/schedules", body, 201)["data"]["id"]
    wish = {"options": {"respect_robots": False}}
    assert api.call("PATCH", f"/api/schedules/{uid}", json=wish, secret=writer).status_code == 403


def test_what_is_sent_is_changed_and_nothing_else(api: Api) -> None:
    made = create(api, timezone="Europe/Berlin", jitter=5)
    changed = change(api, made["id"], overlap="cancel")
    assert changed == made | {"overlap": "cancel", "updatedAt": changed["updatedAt"]}
    hourly = change(api, made["id"], intervalHours=1)
    assert (hourly["cron"], hourly["intervalHours"], hourly["timezone"]) == (None, 1, "Europe/Berlin")
    assert hourly["nextRunAt"] != made["nextRunAt"]


def test_the_zone_that_an_interval_is_shown_in_moves_no_run(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(api, cron=None, intervalHours=24)
    later = now_us() + 3600 * SECOND
    monkeypatch.setattr("shared.schedules.now_us", lambda: later)
    moved = change(api, made["id"], timezone="Asia/Kathmandu")
    assert moved["nextRunAt"] == made["nextRunAt"]
    assert moved["nextRuns"][0].endswith("+05:45")
    daily = create(api)
    assert change(api, daily["id"], timezone="Asia/Kathmandu")["nextRunAt"] != daily["nextRunAt"]


def test_a_bad_change_leaves_the_schedule_as_it_is(api: Api) -> None:
    made = create(api)
    for wish in ({"cron": "0 0 31 2 *"}, {"timezone": "Mars/Base"}, {"cron": "0 0 * * *", "intervalHours": 1}):
        assert change(api, made["id"], 400, **wish)["code"] == "VALIDATION_ERROR"
    assert api.get(f"/api/schedules/{made['id']}")["data"] == made


def test_a_paused_schedule_has_no_next_run(api: Api) -> None:
    made = create(api)
    paused = change(api, made["id"], paused=True)
    assert (paused["paused"], paused["nextRunAt"], paused["nextRuns"]) == (True, None, [])
    assert change(api, made["id"], paused=False)["nextRunAt"] == made["nextRunAt"]


def test_run_now_starts_a_crawl_of_the_scheduler(api: Api) -> None:
    made = create(api, options={"max_pages": 7})
    ran = api.post(f"/api/schedules/{made['id']}/run", expect=202)["data"]
    assert (ran["lastRunStatus"], ran["lastJobStatus"], ran["nextRunAt"]) == ("started", "created", made["nextRunAt"])
    job = api.get(f"/v1/jobs/{ran['lastJobId']}")
    assert (job["source_type"], job["source_detail"], job["max_pages"]) == ("scheduler", "recurring", 7)


@pytest.mark.parametrize(("overlap", "status"), [("skip", 409), ("queue", 202), ("cancel", 202)])
def test_run_now_keeps_to_what_happens_while_the_last_run_goes(api: Api, overlap: str, status: int) -> None:
    uid = create(api, overlap=overlap)["id"]
    api.post(f"/api/schedules/{uid}/run", expect=202)
    api.post(f"/api/schedules/{uid}/run", expect=status)
    assert len(api.get("/v1/jobs")["jobs"]) == (2 if overlap == "cancel" else 1)
    expected = {"skip": "started", "queue": "waiting", "cancel": "started"}
    assert api.get(f"/api/schedules/{uid}")["data"]["lastRunStatus"] == expected[overlap]


def test_a_deleted_schedule_is_gone_and_its_crawls_stay(api: Api) -> None:
    uid = create(api)["id"]
    job = api.post(f"/api/schedules/{uid}/run", expect=202)["data"]["lastJobId"]
    assert api.call("DELETE", f"/api/schedules/{uid}").status_code == 200
    api.get(f"/api/schedules/{uid}", 404)
    assert api.get(f"/v1/jobs/{job}")["status"] == "created"


def test_without_redis_a_schedule_is_recorded_all_the_same(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.errors import QueueUnavailable

    def away(*_: object, **__: object) -> None:
        raise QueueUnavailable

    monkeypatch.setattr("shared.timetable.write", away)
    assert api.get(f"/api/schedules/{create(api)['id']}")["data"]["nextRunAt"] is not None


def test_the_options_that_are_stored_are_a_jobs(api: Api) -> None:
    uid = create(api, options={"max_pages": 7, "find_links": False})["id"]
    api.post(f"/api/schedules/{uid}/run", expect=202)
    (job,), _ = jobs.page(api.store, jobs.JobFilter(1), 10, 0)
    assert (job.options.max_pages, job.options.find_links, job.options.use_sitemap) == (7, False, True)
