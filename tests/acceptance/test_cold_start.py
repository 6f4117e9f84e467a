"""Processes that start before their services: they wait, say for what, end when told to, and go on by themselves."""

import signal
import time
from pathlib import Path

import pytest

from shared.ports import free_port
from tests.acceptance.system import System
from tests.site import Site
from tests.soak.services import Postgres, RedisServer
from tests.waiting import until

PARTS = ("worker", "scheduler")


def says(system: System, name: str, words: str) -> None:
    until(lambda: words in system.log(name), 60, f"{name} says: {words}")


def test_all_that_starts_before_its_services_goes_on_when_they_are_there(
    tmp_path: Path, site: Site, redis: RedisServer, postgres: Postgres
) -> None:
    url = postgres.url(postgres.create())
    with System(tmp_path, url, CRAWLYARD_ALLOW_PRIVATE=site.host, REDIS_URL=redis.url) as system:
        redis.end(signal.SIGKILL)
        postgres.end()
        processes = [system.run(name) for name in ("web", *PARTS)]
        for name in PARTS:
            says(system, name, f"waiting for Redis at 127.0.0.1:{redis.port} (REDIS_URL): Redis is away")
            says(system, name, f"waiting for the database at 127.0.0.1:{postgres.port}/")
        until(lambda: system.refusal("/readyz") == (503, "5"), 60, "the API says that it is not ready")
        assert system.refusal("/v1/jobs")[0] == 503
        redis.start()
        for name in PARTS:
            says(system, name, "(REDIS_URL) is there")
        postgres.start()
        until(system._is_ready, 60, "the API is ready")
        job = system.ended(system.crawl(f"http://{site.host}", max_pages=20), 90)
        assert (job["status"], job["progress"]["completed_tasks"]) == ("completed", 20)
        assert [process.poll() for process in processes] == [None] * 3


@pytest.mark.parametrize("name", PARTS)
def test_who_waits_for_a_service_that_hangs_ends_at_once_when_told_to(
    system: System, redis: RedisServer, name: str
) -> None:
    redis.process.send_signal(signal.SIGSTOP)
    process = system.run(name, REDIS_URL=redis.url, DATABASE_URL=f"postgresql://u:secret@127.0.0.1:{free_port()}/x")
    says(system, name, "waiting for the database")
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert time.monotonic() - told < 5
    assert "Traceback" not in system.log(name)
    assert "secret" not in system.log(name)


@pytest.mark.parametrize("name", PARTS)
def test_a_database_that_nobody_has_migrated_is_waited_for(system: System, empty_sqlite_url: str, name: str) -> None:
    process = system.run(name, DATABASE_URL=empty_sqlite_url)
    says(system, name, "(DATABASE_URL): The database schema is not current: run `crawlyard migrate`")
    assert system.run("release", DATABASE_URL=empty_sqlite_url).wait(60) == 0
    says(system, name, "(DATABASE_URL) is there")
    assert process.poll() is None


def test_a_worker_that_is_to_end_does_not_wait_for_ever(system: System) -> None:
    command = [*system._commands["worker"], "--burst"]
    process = system.run("worker", command, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert process.wait(60) == 1
    assert system.log("worker").splitlines()[-1].startswith("crawlyard worker: Redis is away")


@pytest.mark.parametrize("name", PARTS)
def test_a_setting_that_is_wrong_is_no_outage(system: System, name: str) -> None:
    process = system.run(name, DATABASE_URL="mysql://u:secret@127.0.0.1/x")
    assert process.wait(60) == 2
    assert "DATABASE_URL" in system.log(name).splitlines()[-1]
    assert "secret" not in system.log(name)
