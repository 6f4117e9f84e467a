"""Workers and services that die in mid-crawl: nothing is lost, nothing counted twice."""

import os
import signal
from collections import Counter
from pathlib import Path

from tests.acceptance.system import System, kill_group
from tests.site import Site, html
from tests.waiting import until

SHORT = {"CRAWLYARD_COMPLETED_TTL": "600"}


def assert_exact(system: System, job_id: str, site: Site) -> None:
    """Every page has one task, completed; the counts agree."""
    job = system.ended(job_id, 90)
    assert job["status"] == "completed"
    urls = Counter(task["url"] for task in system.tasks(job_id) if task["status"] == "completed")
    assert urls == Counter(dict.fromkeys((site.url(path) for path in site.pages), 1))
    assert job["progress"]["completed_tasks"] == job["progress"]["total_tasks"] == len(site.pages)


def test_a_worker_killed_in_mid_crawl_loses_nothing(system: System, site: Site) -> None:
    system.start(workers=2)
    job_id = system.crawl(f"http://{site.host}", concurrency=10)
    until(lambda: system.pages_done(job_id) > 40, 30)
    kill_group(system.workers[0])
    assert_exact(system, job_id, site)


def test_what_a_killed_worker_held_is_running_again_within_15_seconds(system: System, site: Site) -> None:
    system.start()
    job_id = system.crawl(f"http://{site.host}", concurrency=10)
    until(lambda: system.pages_done(job_id) > 40, 30)
    kill_group(system.workers[0])
    done = system.pages_done(job_id)
    system.run("worker")
    until(lambda: system.pages_done(job_id) > done, 15)
    assert {task["retry_count"] for task in system.tasks(job_id)} == {0}


def test_sigterm_puts_running_tasks_back_without_an_attempt(system: System, site: Site) -> None:
    site.delay = 2.0
    system.env["GRACE"] = "0"
    system.start()
    job_id = system.crawl(f"http://{site.host}", max_pages=3)
    until(lambda: "/" in site.paths(), 30)
    system.workers[0].send_signal(signal.SIGTERM)
    assert system.workers[0].wait(20) == 0
    assert system.get("/api/jobs/stats")["data"]["active"] == 0
    site.delay = 0.0
    system.run("worker")
    assert system.ended(job_id)["progress"]["completed_tasks"] == 3
    assert {task["retry_count"] for task in system.tasks(job_id)} == {0}


def test_sigterm_lets_running_tasks_end(system: System, site: Site) -> None:
    site.pages = {"/": html("slow")}
    site.delay = 1.0
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    until(lambda: "/" in site.paths(), 30)
    system.workers[0].send_signal(signal.SIGTERM)
    assert system.workers[0].wait(20) == 0
    assert system.job(job_id)["status"] == "completed"
    assert site.paths().count("/") == 1


def test_a_redis_that_dies_and_comes_back_empty_loses_nothing(system: System, site: Site) -> None:
    system.start(workers=2)
    job_id = system.crawl(f"http://{site.host}", concurrency=10)
    until(lambda: system.pages_done(job_id) > 40, 30)
    from redis import Redis

    with Redis.from_url(system.redis.url) as redis:
        redis.flushall()
    assert_exact(system, job_id, site)


def test_a_redis_killed_in_mid_crawl_is_waited_for(system: System, site: Site) -> None:
    system.redis.keep(lambda _: None)
    system.start(workers=2)
    job_id = system.crawl(f"http://{site.host}", concurrency=10)
    until(lambda: system.pages_done(job_id) > 40, 30)
    os.kill(system.redis.process.pid, signal.SIGKILL)
    assert_exact(system, job_id, site)
    assert all(worker.poll() is None for worker in system.workers)


def test_a_killed_scheduler_is_not_missed_until_something_is_due(system: System, site: Site) -> None:
    system.start(workers=2)
    scheduler = system._processes[2]
    job_id = system.crawl(f"http://{site.host}", concurrency=10)
    until(lambda: system.pages_done(job_id) > 40, 30)
    kill_group(scheduler)
    kill_group(system.workers[0])
    system.run("scheduler")
    assert_exact(system, job_id, site)


def test_a_postgresql_that_restarts_in_mid_crawl_is_waited_for(
    tmp_path: Path, postgres_server: object, postgres_url: str, site: Site
) -> None:
    from sqlalchemy import create_engine, text

    with System(tmp_path, postgres_url, CRAWLYARD_ALLOW_PRIVATE=site.host) as system:
        system.start(workers=2)
        job_id = system.crawl(f"http://{site.host}", concurrency=10)
        until(lambda: system.pages_done(job_id) > 40, 30)
        engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            )
        engine.dispose()
        assert_exact(system, job_id, site)
