"""Cancel, pause and resume while workers are busy: what the site sees is what was promised."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.system import System, kill_group
from tests.site import Site, linked_site
from tests.waiting import until

#: its moments are measured, or it needs the machine: not beside other tests
pytestmark = pytest.mark.alone

#: API.md: no page is fetched later than this after the answer
PROMISE = 2.0


@pytest.fixture
def site() -> Iterator[Site]:
    """1,500 pages, each 0.1 s away: seconds of work for two workers."""
    with Site(linked_site(1500), delay=0.1) as made:
        yield made


@pytest.fixture
def busy(system: System, site: Site) -> str:
    """A job that keeps two workers busy."""
    system.start(workers=2)
    job_id = system.crawl(f"http://{site.host}", concurrency=40)
    until(lambda: system.pages_done(job_id) > 60, 60)
    return job_id


def assert_quiet(site: Site, since: float, seconds: float = 3.0) -> None:
    """Nothing is asked of the site later than it was promised."""
    until(lambda: time.monotonic() > since + PROMISE + seconds, PROMISE + seconds + 1)
    late = [request for request in site.requests if request.at > since + PROMISE]
    assert not late, f"{len(late)} requests, the last {late[-1].at - since:.1f} s after the answer"


def assert_exact(system: System, job_id: str, site: Site) -> None:
    """Every page once, completed at its first attempt."""
    job = system.ended(job_id, 120)
    assert job["status"] == "completed"
    assert job["progress"]["completed_tasks"] == job["progress"]["total_tasks"] == len(site.pages)
    tasks = system.tasks(job_id)
    assert set(Counter(task["url"] for task in tasks).values()) == {1}
    assert {task["retry_count"] for task in tasks} == {0}


def test_no_worker_fetches_a_page_two_seconds_after_a_cancel(system: System, site: Site, busy: str) -> None:
    assert system.call("POST", f"/v1/jobs/{busy}/cancel").status_code == 200
    assert_quiet(site, time.monotonic())
    counts = system.get("/api/jobs/stats")["data"]
    assert (counts["waiting"], counts["active"], counts["delayed"]) == (0, 0, 0)


def test_a_paused_job_is_quiet_and_exact_when_it_goes_on(system: System, site: Site, busy: str) -> None:
    paused = system.call("POST", f"/v1/jobs/{busy}/pause").json()
    assert_quiet(site, time.monotonic())
    assert (paused["status"], bool(paused["paused_at"])) == ("running", True)
    assert system.job(busy)["progress"]["completed_tasks"] < len(site.pages)
    assert "paused_at" not in system.call("POST", f"/v1/jobs/{busy}/resume").json()
    assert_exact(system, busy, site)


def test_a_paused_job_is_exact_after_its_workers_were_killed(system: System, site: Site, busy: str) -> None:
    for worker in system.workers:
        kill_group(worker)
    system.call("POST", f"/v1/jobs/{busy}/pause")
    since = time.monotonic()
    system.run("worker")
    assert_quiet(site, since, seconds=14.0)  # the dead workers' leases run out meanwhile
    system.call("POST", f"/v1/jobs/{busy}/resume")
    assert_exact(system, busy, site)


def test_a_paused_queue_stays_paused_when_redis_has_lost_everything(system: System, site: Site, busy: str) -> None:
    assert system.call("POST", "/api/queues/crawl/pause").json()["data"]["paused"] is True
    with Redis.from_url(system.redis.url) as redis:
        redis.flushall()
    until(lambda: _is_paused(system), 10)
    assert_quiet(site, time.monotonic() + 1, seconds=6.0)  # longer than the sweep takes to fill the queue again
    system.call("POST", "/api/queues/crawl/resume")
    assert_exact(system, busy, site)


def _is_paused(system: System) -> bool:
    queues = system.get("/api/queues")["data"]
    return any(queue["paused"] for queue in queues if queue["name"] == "crawl")


def test_a_deleted_domain_leaves_nothing(system: System, tmp_path: Path, busy: str) -> None:
    uid = system.get("/api/domains")["data"][0]["id"]
    assert system.call("DELETE", f"/api/domains/{uid}").status_code == 409
    system.call("POST", f"/v1/jobs/{busy}/cancel")
    assert system.call("DELETE", f"/api/domains/{uid}").status_code in (200, 204)
    until(lambda: rows_left(system) == {}, 20, "rows are left")


#: what is the organisation's, not the domain's
_KEPT = frozenset({"alembic_version", "api_keys", "organisations", "idempotency"})


def rows_left(system: System) -> dict[str, int]:
    """Tables that hold any row of a domain."""
    from sqlalchemy import create_engine, inspect, text

    engine = create_engine(system.env["DATABASE_URL"])
    try:
        with engine.connect() as conn:
            names = [n for n in inspect(conn).get_table_names() if n not in _KEPT]
            counts = {n: conn.execute(text(f"SELECT count(*) FROM {n}")).scalar_one() for n in names}
    finally:
        engine.dispose()
    return {n: count for n, count in counts.items() if count}
