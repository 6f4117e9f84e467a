"""`/v1/jobs` as seeds/v1-jobs.txt has it."""

from typing import Any

import pytest

from shared import ids
from shared.clock import SECOND, iso, now_us
from shared.states import CacheStatus, TaskState
from tests.api_kit import Api, link

HOUR = 3600 * SECOND
JOB_FIELDS = {"id", "domain", "domain_id", "status", "organisation_id", "created_at"}
SEED_BODY = {
    "domain": "example.com",
    "options": {"use_sitemap": True, "find_links": True, "max_pages": 100, "concurrency": 20},
}


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def test_the_seeds_example_creates_a_job(api: Api) -> None:
    job = api.post("/v1/jobs", SEED_BODY, 201)
    assert job.keys() >= JOB_FIELDS
    assert (job["domain"], job["status"], job["max_pages"], job["concurrency"]) == ("example.com", "created", 100, 20)
    assert isinstance(job["domain_id"], int)
    assert job["created_at"].endswith("Z")
    assert ids.decode(job["id"]).kind is ids.Kind.JOB


def test_a_new_job_puts_its_discovery_into_the_queue(api: Api) -> None:
    uid = api.submit()
    assert [ids.decode(d.rq_id).body for d in api.queue.enqueued] == [ids.pack(ids.decode(uid).body, 1)]


def test_options_have_the_documented_defaults(api: Api) -> None:
    job = api.post("/v1/jobs", {"domain": "example.com"}, 201)
    names = ("use_sitemap", "find_links", "allow_cross_subdomain_links", "max_pages", "concurrency")
    assert [job[name] for name in names] == [True, True, True, 0, 20]


def test_a_flat_option_wins_over_a_nested_one(api: Api) -> None:
    body = {"domain": "example.com", "max_pages": 5, "options": {"max_pages": 9, "find_links": False}}
    job = api.post("/v1/jobs", body, 201)
    assert (job["max_pages"], job["find_links"]) == (5, False)


@pytest.mark.parametrize(("scopes", "status"), [({"read", "write"}, 403), ({"admin"}, 201)])
def test_ignoring_robots_txt_is_for_admins(api: Api, scopes: set[str], status: int) -> None:
    body = {"domain": "example.com", "respect_robots": False}
    answer = api.call("POST", "/v1/jobs", secret=api.key("acme", scopes), json=body)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("EXAMPLE.com", "example.com"),
        ("https://example.com:443/x?y", "example.com"),
        ("example.com:8080", "example.com:8080"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_domain_is_shown_as_host_and_port(api: Api, given: str, shown: str) -> None:
    assert api.post("/v1/jobs", {"domain": given}, 201)["domain"] == shown


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "domain"),
        ({"domain": ""}, "domain"),
        ({"domain": 7}, "domain"),
        ({"domain": "exa mple.com"}, "domain"),
        ({"domain": "https://user:pw@example.com"}, "domain"),
        ({"domain": "ftp://example.com"}, "domain"),
        ({"domain": "x" * 100_000}, "domain"),
        ({"domain": "example.com", "max_pages": -1}, "max_pages"),
        ({"domain": "example.com", "max_pages": 2**70}, "max_pages"),
        ({"domain": "example.com", "max_pages": "5"}, "max_pages"),
        ({"domain": "example.com", "concurrency": 0}, "concurrency"),
        ({"domain": "example.com", "concurrency": 101}, "concurrency"),
        ({"domain": "example.com", "use_sitemap": "true"}, "use_sitemap"),
        ({"domain": "example.com", "use_sitemap": 1}, "use_sitemap"),
        ({"domain": "example.com", "options": {"max_pages": True}}, "options.max_pages"),
        ({"domain": "example.com", "options": {"unknown": 1}}, "options.unknown"),
        ({"domain": "example.com", "unknown": 1}, "unknown"),
        ({"domain": "example.com", "source_type": "a\u0000b"}, "source_type"),
    ],
)
def test_a_wrong_field_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.post("/v1/jobs", body, 400)
    assert answer["code"] == "VALIDATION_ERROR"
    assert [detail["field"] for detail in answer["details"]] == [field]


def test_each_wrong_field_has_its_own_detail(api: Api) -> None:
    answer = api.post("/v1/jobs", {"max_pages": -1, "x": 1}, 400)
    assert {detail["field"] for detail in answer["details"]} == {"domain", "max_pages", "x"}


def test_jobs_are_listed_newest_first(api: Api) -> None:
    created = [api.submit(domain) for domain in ("a.com", "b.com", "c.com")]
    answer = api.get("/v1/jobs")
    assert [job["id"] for job in answer["jobs"]] == created[::-1]
    assert answer["pagination"] == {"limit": 10, "offset": 0, "total": 3, "has_next": False}


def test_pages_of_jobs_neither_overlap_nor_skip(api: Api) -> None:
    created = [api.submit() for _ in range(5)]
    pages = [api.get("/v1/jobs", limit=2, page=n) for n in (1, 2, 3)]
    assert [job["id"] for page in pages for job in page["jobs"]] == created[::-1]
    assert [page["pagination"]["has_next"] for page in pages] == [True, True, False]


def test_an_offset_wins_over_a_page(api: Api) -> None:
    created = [api.submit() for _ in range(3)]
    assert [job["id"] for job in api.get("/v1/jobs", limit=1, page=3, offset=1)["jobs"]] == [created[1]]


def test_the_seeds_list_example_filters_by_status(api: Api) -> None:
    api.submit()
    running = api.crawl()
    answer = api.get("/v1/jobs", page=1, limit=20, status="running")
    assert [job["id"] for job in answer["jobs"]] == [running]
    assert answer["pagination"]["total"] == 1


@pytest.mark.parametrize(("status", "n"), [("created", 1), ("completed", 0), ("failed", 0), ("cancelled", 0)])
def test_every_status_is_a_filter(api: Api, status: str, n: int) -> None:
    api.submit()
    assert len(api.get("/v1/jobs", status=status)["jobs"]) == n


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "ten"},
        {"limit": " 5"},
        {"limit": "1_0"},
        {"offset": -1},
        {"offset": 2**70},
        {"page": 0},
        {"status": "done"},
        {"status": ""},
        {"range": "week"},
        {"range": "0d"},
        {"tzOffset": 100000},
        {"include": "everything"},
        {"nonsense": 1},
    ],
)
def test_a_wrong_parameter_of_the_list_is_named(api: Api, params: dict[str, Any]) -> None:
    answer = api.get("/v1/jobs", 400, **params)
    assert [detail["field"] for detail in answer["details"]] == list(params)


def test_a_parameter_given_twice_is_refused(api: Api) -> None:
    answer = api.get("/v1/jobs?limit=1&limit=2", 400)
    assert answer["details"] == [{"field": "limit", "message": "given more than once"}]


def _age(api: Api, uid: str, created_at: int) -> None:
    from sqlalchemy import update

    from shared.store.tables import jobs

    change = update(jobs).where(jobs.c.id == ids.decode(uid).body).values(created_at=created_at)
    api.store.write(lambda conn: conn.execute(change))


def test_a_range_of_hours_counts_back_from_now(api: Api) -> None:
    _age(api, api.submit(), now_us() - 3 * HOUR)
    assert api.get("/v1/jobs", range="2h")["pagination"]["total"] == 0
    assert api.get("/v1/jobs", range="4h")["pagination"]["total"] == 1


def test_a_range_of_days_begins_at_a_midnight(api: Api) -> None:
    midnight = (now_us() - 24 * HOUR) // (24 * HOUR) * (24 * HOUR)
    _age(api, api.submit(), midnight)
    _age(api, api.submit(), midnight - 1)
    assert [job["created_at"] for job in api.get("/v1/jobs", range="1d")["jobs"]] == [iso(midnight)]


def test_a_time_zone_moves_the_day_edges(api: Api) -> None:
    day, now = 24 * HOUR, now_us()
    midnight = (now - day - 5 * HOUR) // day * day + 5 * HOUR  # of New York in winter: 300 minutes
    _age(api, api.submit(), midnight)
    _age(api, api.submit(), midnight - 1)
    assert api.get("/v1/jobs", range="1d", tzOffset=300)["pagination"]["total"] == 1


def test_includes_are_added_to_each_job(api: Api) -> None:
    api.submit()
    plain = api.get("/v1/jobs")["jobs"][0]
    full = api.get("/v1/jobs", include="stats,progress,domain")["jobs"][0]
    assert full.keys() - plain.keys() == {"stats", "progress", "domain_info"}
    assert full["domain_info"]["host"] == full["domain"] == "example.com"


def test_a_job_shows_its_progress_and_statistics(api: Api) -> None:
    uid = api.crawl(["/", "/a", "/b", "/c"])
    api.finish(uid, 2, response_time=100, cache_status=CacheStatus.HIT)
    api.finish(uid, 3, response_time=300, cache_status=CacheStatus.MISS)
    api.fail(uid, 4)
    job = api.get(f"/v1/jobs/{uid}")
    counts = {"total_tasks": 4, "completed_tasks": 2, "failed_tasks": 1, "skipped_tasks": 0, "percentage": 75.0}
    assert job["progress"] == counts
    assert job["stats"] == {"avg_response_time": 167, "cache_hit_ratio": 0.5, "total_bytes": 3000}
    assert job["status"] == "running"


def test_the_percentage_leaves_skipped_pages_out(api: Api) -> None:
    uid = api.submit()
    api.discover(uid, [link("/"), link("/private", skip="robots.txt"), link("/x"), link("/y")])
    api.finish(uid, 2)
    assert api.get(f"/v1/jobs/{uid}")["progress"]["percentage"] == 33.3


def test_a_job_without_pages_is_at_zero_percent_and_has_no_ratio(api: Api) -> None:
    job = api.get(f"/v1/jobs/{api.submit()}")
    assert job["progress"]["percentage"] == 0
    assert job["stats"] == {"avg_response_time": None, "cache_hit_ratio": None, "total_bytes": 0}
    assert (job["started_at"], job["completed_at"]) == (None, None)


def test_a_job_whose_tasks_have_all_ended_is_completed(api: Api) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2)
    job = api.get(f"/v1/jobs/{uid}")
    assert (job["status"], job["progress"]["percentage"]) == ("completed", 100.0)
    assert job["started_at"] <= job["completed_at"]


@pytest.mark.parametrize(("method", "suffix"), [("POST", "/cancel"), ("DELETE", "")])
def test_cancel_and_delete_do_the_same(api: Api, method: str, suffix: str) -> None:
    uid = api.crawl()
    answer = api.call(method, f"/v1/jobs/{uid}{suffix}")
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert answer.json["cancelled_at"].endswith("Z")
    assert answer.json["progress"]["skipped_tasks"] == 3


def test_a_deleted_job_can_still_be_read(api: Api) -> None:
    """The seed: DELETE "performs the same cancellation operation". Why three reads in schemathesis.toml are exempt."""
    uid = api.crawl(["/", "/a"])
    api.call("DELETE", f"/v1/jobs/{uid}")
    assert api.get(f"/v1/jobs/{uid}")["status"] == "cancelled"
    assert {task["status"] for task in api.get(f"/v1/jobs/{uid}/tasks")["tasks"]} == {"skipped"}
    exported = api.call("GET", f"/v1/jobs/{uid}/export?type=job&format=csv")
    assert (exported.status_code, exported.text.count("skipped")) == (200, 2)


def test_cancelling_takes_the_tasks_out_of_redis(api: Api) -> None:
    uid = api.crawl(["/", "/a"])
    api.post(f"/v1/jobs/{uid}/cancel")
    assert [ids.seq_of(d.task_id) for d in api.queue.removed] == [2, 3]


def test_cancelling_again_gives_the_same_answer(api: Api) -> None:
    uid = api.crawl()
    assert api.post(f"/v1/jobs/{uid}/cancel") == api.post(f"/v1/jobs/{uid}/cancel")


def test_a_completed_job_cannot_be_cancelled(api: Api) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2, TaskState.COMPLETED)
    assert api.post(f"/v1/jobs/{uid}/cancel", expect=409)["code"] == "CONFLICT"


def test_ids_are_accepted_in_either_spelling(api: Api) -> None:
    uid = api.submit()
    assert api.get(f"/v1/jobs/{uid.replace('-', '')}")["id"] == uid


@pytest.mark.parametrize(
    "change", [lambda u: "x", lambda u: u[:-1] + "f", lambda u: "00000000" + u[8:], lambda u: u + "0"]
)
def test_a_malformed_or_unknown_id_is_not_found(api: Api, change: Any) -> None:
    assert api.get(f"/v1/jobs/{change(api.submit())}", 404)["code"] == "NOT_FOUND"


def test_a_job_is_paused_and_goes_on(api: Api) -> None:
    uid = api.crawl(["/", "/a"])
    paused = api.post(f"/v1/jobs/{uid}/pause")
    assert paused["paused_at"]
    assert paused["status"] in ("created", "running")
    assert api.post(f"/v1/jobs/{uid}/pause") == paused
    assert "paused_at" not in api.post(f"/v1/jobs/{uid}/resume")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_ended_job_can_be_neither_paused_nor_resumed(api: Api, verb: str) -> None:
    uid = api.crawl(["/"])
    api.post(f"/v1/jobs/{uid}/cancel")
    assert api.post(f"/v1/jobs/{uid}/{verb}", expect=409)["code"] == "CONFLICT"
