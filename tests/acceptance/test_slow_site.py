"""A site that takes its time: pages are begun before commits have started them (docs/decisions.md, "Promises")."""

import signal
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from shared.store import open_store
from shared.store.tables import job_state
from tests.acceptance.system import System, kill_group
from tests.site import Site, linked_site
from tests.waiting import until

PAGES, AT_ONCE = 120, 6


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(linked_site(PAGES), delay=0.1) as made:
        yield made


def promises(system: System) -> bool:
    """Whether any worker has been promised anything."""
    store = open_store(system.env["DATABASE_URL"])
    try:
        with store.read() as conn:
            return bool(conn.execute(select(func.count(job_state.c.promised))).scalar())
    finally:
        store.close()


def crawl(system: System, site: Site) -> str:
    """A crawl in which workers have promises."""
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False, concurrency=AT_ONCE)
    until(lambda: promises(system), 30)
    return job_id


def assert_exact(system: System, job_id: str, site: Site) -> None:
    """Every page has one task, completed, and nothing is left of it in the queues."""
    job = system.ended(job_id)
    assert job["status"] == "completed"
    found = Counter(task["url"] for task in system.tasks(job_id) if task["status"] == "completed")
    assert found == Counter(dict.fromkeys((site.url(path) for path in site.pages), 1))
    assert job["progress"]["completed_tasks"] == len(site.pages)
    assert site.max_concurrent <= AT_ONCE
    assert not promises(system)


def nothing_runs(system: System) -> bool:
    stats = system.get("/api/jobs/stats")["data"]
    return (stats["waiting"], stats["active"], stats["delayed"], stats["failed"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_works(system: System, site: Site, workers: int) -> None:
    system.start(workers=workers)
    assert_exact(system, crawl(system, site), site)
    assert Counter(path for path in site.paths() if path in site.pages) == Counter(dict.fromkeys(site.pages, 1))
    assert site.max_concurrent == AT_ONCE
    until(lambda: nothing_runs(system), 5)
    assert f"{PAGES} finished, 0 failed" in system.rq("info", "--raw")


def test_what_a_killed_worker_was_promised_is_crawled_by_others(system: System, site: Site) -> None:
    system.start(workers=2)
    job_id = crawl(system, site)
    kill_group(system.workers[0])
    assert_exact(system, job_id, site)


def test_a_worker_that_is_told_to_stop_begins_nothing_more(system: System, site: Site) -> None:
    system.start()
    job_id = crawl(system, site)
    system.workers[0].send_signal(signal.SIGTERM)
    assert system.workers[0].wait(20) == 0
    assert not promises(system)
    asked = len(site.paths())
    assert asked < PAGES
    system.run("worker")
    assert_exact(system, job_id, site)
    assert Counter(site.paths()).most_common(1)[0][1] == 1


def test_a_job_that_was_paused_and_goes_on_misses_nothing(system: System, site: Site) -> None:
    system.start()
    job_id = crawl(system, site)
    assert system.call("POST", f"/v1/jobs/{job_id}/pause").status_code == 200
    # what was halted on its way is still being answered: such a request and the next of its slot would count as two
    until(lambda: not promises(system) and nothing_runs(system) and not site.active, 10)
    assert system.call("POST", f"/v1/jobs/{job_id}/resume").status_code == 200
    assert_exact(system, job_id, site)


def test_a_cancelled_job_asks_for_nothing_more(system: System, site: Site) -> None:
    system.start()
    job_id = crawl(system, site)
    assert system.call("POST", f"/v1/jobs/{job_id}/cancel").status_code == 200
    until(lambda: nothing_runs(system), 10)
    assert len(site.paths()) < PAGES
    assert {task["status"] for task in system.tasks(job_id)} <= {"completed", "skipped"}
