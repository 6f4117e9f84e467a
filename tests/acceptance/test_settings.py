"""Settings that only a running system can show: each changes what its processes do."""

import os
import signal
import sqlite3
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from tests.acceptance.system import System
from tests.site import Site, html, late, redirect
from tests.waiting import until

DAY = 86_400_000_000
TOKEN = "metrics-token-0123456789"


def test_requests_keep_to_the_settings_of_crawling(system: System, site: Site) -> None:
    site.delay = 0.0
    site.pages = {
        "/": html('<a href="/large">x</a><a href="/far">x</a><a href="/quick">x</a>'),
        "/large": html("x" * 2_000),
        "/far": redirect("/nearer"),
        "/nearer": redirect("/quick"),
        "/quick": html("quick"),
    }
    limits = {"CRAWLYARD_USER_AGENT": "Wired/1", "CRAWLYARD_MAX_BODY": "1500", "CRAWLYARD_MAX_REDIRECTS": "1"}
    system.env |= limits | {"CRAWLYARD_HOST_DELAY": "0.3"}
    system.start()
    job = system.crawl(f"http://{site.host}", use_sitemap=False)
    system.ended(job)
    told = {task["path"]: task["error"] or "" for task in system.tasks(job)}
    assert {request.headers["user-agent"] for request in site.requests} == {"Wired/1"}
    assert "larger than 1500 bytes" in told["/large"]
    assert "More than 1 redirects" in told["/far"]
    arrived = sorted(request.arrived for request in site.requests)
    assert min(later - earlier for earlier, later in pairwise(arrived)) > 0.29


def test_both_processes_of_the_api_keep_to_its_settings(system: System) -> None:
    system.env |= {"CRAWLYARD_RATE_LIMIT": "30", "CRAWLYARD_EVENT_STREAMS": "0", "WEB_CONCURRENCY": "2"}
    system.env["CRAWLYARD_METRICS_TOKEN"] = TOKEN
    system.start(workers=0)
    job = system.crawl("example.com")
    assert system.call("GET", f"/v1/jobs/{job}/events").status_code == 503
    answers = [system.call("GET", "/v1/jobs").status_code for _ in range(60)]
    # counted together: each alone would let 28 pass; a minute that ends meanwhile gives a few back
    assert 20 <= answers.count(200) <= 45
    assert answers.count(429) == 60 - answers.count(200)
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.get(system.url("/metrics"), headers=token, timeout=10).status_code == 200


def test_what_is_older_than_its_days_is_deleted(system: System, site: Site, tmp_path: Path) -> None:
    days = {"RETENTION_DAYS": "3", "SNAPSHOTS": "2", "SNAPSHOT_DAYS": "2", "CHANGE_DAYS": "1"}
    system.env |= {f"CRAWLYARD_{name}": value for name, value in days.items()}
    system.start()
    for version in ("one", "two", "three"):
        site.pages = {"/": html(f"Version {version} of the page")}
        job = system.crawl(f"http://{site.host}", use_sitemap=False)
        system.ended(job)
    with sqlite3.connect(tmp_path / "test.db", timeout=20) as database:
        kept = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("snapshots", "changes")]
        assert kept == [2, 2]
        database.execute("UPDATE jobs SET completed_at = completed_at - ?", (4 * DAY,))
        database.execute("UPDATE snapshots SET superseded_at = superseded_at - ?", (3 * DAY,))
        database.execute("UPDATE changes SET created_at = created_at - ?", (2 * DAY,))
    system.run("scheduler")  # looks when it starts
    until(lambda: system.call("GET", f"/v1/jobs/{job}").status_code == 404, 30, "the job is there")

    def left() -> list[int]:
        tables = ("jobs", "tasks", "snapshots", "changes")
        return [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

    until(lambda: left() == [0, 0, 1, 0], 30)
    database.close()


def test_a_second_sigterm_ends_the_grace(system: System, site: Site) -> None:
    site.pages = {"/": late(b"<title>late</title>", 80)}
    system.env |= {"GRACE": "60", "CRAWLYARD_FIRST_BYTE_TIMEOUT": "90", "CRAWLYARD_TOTAL_TIMEOUT": "90"}
    system.start()
    job = system.crawl(f"http://{site.host}", use_sitemap=False)
    until(lambda: "/" in site.paths(), 30)
    (worker,) = system.workers
    worker.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(2)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert [(task["status"], task["retry_count"]) for task in system.tasks(job)] == [("pending", 0)]


@pytest.mark.parametrize(("said", "cpus"), [("one", 1), ("any", len(os.sched_getaffinity(0)))])
def test_a_process_keeps_to_one_cpu_unless_it_is_told_not_to(system: System, said: str, cpus: int) -> None:
    system.env["CRAWLYARD_CPU_AFFINITY"] = said
    system.start()
    # one gunicorn master, which forks the process that answers
    (answering,) = Path(f"/proc/{system.web.pid}/task/{system.web.pid}/children").read_text().split()
    for pid in (system.workers[0].pid, int(answering)):
        until(lambda pid=pid: masks(pid) == [cpus], 30, f"all threads may use {cpus} CPUs")  # type: ignore[misc]


def masks(pid: int) -> list[int]:
    """To how many CPUs the threads of a process may go; one number where all have the same."""
    threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    try:
        return sorted({len(os.sched_getaffinity(thread)) for thread in threads}) if len(threads) > 5 else []
    except ProcessLookupError:
        return []  # one has ended meanwhile
