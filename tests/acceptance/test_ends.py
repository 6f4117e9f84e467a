"""SIGTERM while a service hangs: every process is gone in its time, and what it held is taken up again."""

import signal
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from tests.acceptance.system import System
from tests.site import Site
from tests.soak.services import Postgres, RedisServer
from tests.waiting import until
from workers.worker import GONE

GRACE = 2
#: seconds for the supervisor, and for a machine that others share
MARGIN = 4


@pytest.mark.parametrize("what", ["redis", "postgres", "nothing"])
def test_sigterm_ends_workers_and_scheduler_in_their_time_whatever_hangs(
    tmp_path: Path, site: Site, redis: RedisServer, postgres: Postgres, what: str
) -> None:
    site.delay = 0.1
    env = {"CRAWLYARD_ALLOW_PRIVATE": site.host, "REDIS_URL": redis.url, "GRACE": str(GRACE), "WORKER_PROCESSES": "2"}
    with System(tmp_path, postgres.url(postgres.create()), **env) as system:
        system.start()
        job_id = system.crawl(f"http://{site.host}", concurrency=10)
        until(lambda: system.pages_done(job_id) > 20, 60)
        frozen: dict[str, AbstractContextManager[object]] = {"redis": redis.frozen(), "postgres": postgres.frozen()}
        ended = [system._processes[2], *system.workers]
        with frozen.get(what, nullcontext()):
            told = time.monotonic()
            for process in ended:
                process.send_signal(signal.SIGTERM)
            assert [process.wait(60) for process in ended] == [0, 0]
            assert time.monotonic() - told < GRACE + GONE + MARGIN
        assert "killing" not in system.log("worker")
        for name in ("scheduler", "worker"):
            system.run(name)
        job = system.ended(job_id, 120)
        assert job["status"] == "completed"
        assert sorted(task["path"] for task in system.tasks(job_id)) == sorted(site.pages)
        assert {task["retry_count"] for task in system.tasks(job_id)} == {0}
