"""Redis or the database away for a while: honest answers, nothing exits, and all goes on by itself."""

import signal
from pathlib import Path
from typing import Any

from tests.acceptance.system import System
from tests.site import Site
from tests.soak.services import Postgres, RedisServer
from tests.waiting import until


def ready(system: System, seconds: float) -> Any:
    """What `/readyz` says; the quickest of three answers, for the machine is noisy."""
    answers = [system.call("GET", "/readyz") for _ in range(3)]
    assert min(answer.elapsed.total_seconds() for answer in answers) < seconds
    return answers[-1]


def assert_away(system: System, method: str, path: str, **options: Any) -> None:
    answer = system.call(method, path, **options)
    assert answer.status_code == 503, f"{path}: {answer.status_code} {answer.text}"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] == "SERVICE_UNAVAILABLE"


def under_way(system: System, site: Site) -> str:
    system.start(workers=2)
    job_id = system.crawl(f"http://{site.host}", concurrency=10)
    until(lambda: system.pages_done(job_id) > 20, 60)
    return job_id


def assert_goes_on(system: System, job_id: str, site: Site) -> None:
    job = system.ended(job_id, 120)
    assert job["status"] == "completed"
    assert job["progress"]["completed_tasks"] == job["progress"]["total_tasks"] == len(site.pages)
    assert [process.args for process in system._processes[1:] if process.poll() is not None] == []


def test_without_redis_reads_go_on_and_the_rest_waits_by_itself(
    tmp_path: Path, sqlite_url: str, site: Site, redis: RedisServer
) -> None:
    site.delay = 0.1
    with System(tmp_path, sqlite_url, CRAWLYARD_ALLOW_PRIVATE=site.host, REDIS_URL=redis.url) as system:
        job_id = under_way(system, site)
        redis.end(signal.SIGKILL)
        told = ready(system, 1.0)
        assert (told.status_code, told.json()["redis"], told.json()["database"]) == (503, False, True)
        assert_away(system, "GET", "/api/jobs/stats")
        assert_away(system, "POST", "/v1/jobs", json={"domain": "example.com"})
        reads = (f"/v1/jobs/{job_id}", "/v1/jobs", f"/v1/jobs/{job_id}/tasks?sort=-response_time", "/api/domains")
        assert [system.call("GET", path).status_code for path in reads] == [200] * len(reads)
        redis.start()
        assert_goes_on(system, job_id, site)
        assert ready(system, 1.0).status_code == 200


def test_without_the_database_all_waits_by_itself(tmp_path: Path, site: Site, postgres: Postgres) -> None:
    site.delay = 0.1
    with System(tmp_path, postgres.url(postgres.create()), CRAWLYARD_ALLOW_PRIVATE=site.host) as system:
        job_id = under_way(system, site)
        postgres.end()
        told = ready(system, 1.0)
        assert (told.status_code, told.json()["redis"], told.json()["database"]) == (503, True, False)
        assert_away(system, "GET", f"/v1/jobs/{job_id}")
        assert_away(system, "POST", "/v1/jobs", json={"domain": "example.com"})
        postgres.start()
        until(lambda: system.call("GET", "/readyz").status_code == 200, 30)
        assert_goes_on(system, job_id, site)


def test_a_database_that_hangs_is_given_up_and_all_goes_on_when_it_does(
    tmp_path: Path, site: Site, postgres: Postgres
) -> None:
    site.delay = 0.1
    env = {"CRAWLYARD_ALLOW_PRIVATE": site.host, "CRAWLYARD_DATABASE_TIMEOUT": "1"}
    with System(tmp_path, postgres.url(postgres.create()), **env) as system:
        job_id = under_way(system, site)
        with postgres.frozen():
            # nothing is refused and nothing answers: who did not look at the clock would say nothing
            for name in ("worker", "scheduler"):
                until(lambda name=name: "The database is away" in system.log(name), 60, f"{name} gives up")  # type: ignore[misc]
            assert ready(system, 1.0).json()["database"] is False
            assert_away(system, "POST", "/v1/jobs", json={"domain": "example.com"})
        assert_goes_on(system, job_id, site)
        assert sorted(task["path"] for task in system.tasks(job_id)) == sorted(site.pages)
