"""Redis behind sentinels: its master dies in mid-crawl, another takes over, and nothing is lost or done twice."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import System
from tests.sentinels import SentinelRedis
from tests.site import Site
from tests.waiting import until


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[SentinelRedis]:
    """A master, a replica and three sentinels."""
    group = SentinelRedis(tmp_path / "sentinels")
    yield group
    group.stop()


def test_a_master_killed_in_mid_crawl_loses_nothing(system: System, site: Site, sentinels: SentinelRedis) -> None:
    system.env["REDIS_URL"] = sentinels.url
    system.start(workers=2)
    job_id = system.crawl(f"http://{site.host}", concurrency=10)
    until(lambda: system.pages_done(job_id) > 40, 30)
    sentinels.fail_over()
    job = system.ended(job_id, 90)
    urls = Counter(task["url"] for task in system.tasks(job_id) if task["status"] == "completed")
    assert urls == Counter(dict.fromkeys((site.url(path) for path in site.pages), 1))
    assert job["progress"]["completed_tasks"] == job["progress"]["total_tasks"] == len(site.pages)
    until(lambda: active(system) == 0, 30, "what the fail-over brought back is cleared away")
    assert all(process.poll() is None for process in system.workers)


def active(system: System) -> int:
    """Waiting and active queue jobs, as Redis says."""
    total: int = system.get("/api/jobs/stats")["data"]["total"]
    return total
