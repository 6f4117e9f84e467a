"""Hostile hosts crawled by the processes of the Procfile, with neighbours that must not notice."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.system import System
from tests.hostile.files import ROBOTS, SITEMAPS, File
from tests.hostile.sites import file_site, trap_site
from tests.hostile.traps import TRAPS
from tests.site import Site, linked_site

#: MB that a worker process with 8 threads may have had at its peak, all traps at once
MEMORY = 600
_FILES = (("/robots.txt", ROBOTS), ("/sitemap.xml", SITEMAPS))
_TIGHT = {
    "CRAWLYARD_CONNECT_TIMEOUT": "1",
    "CRAWLYARD_FIRST_BYTE_TIMEOUT": "1",
    "CRAWLYARD_TOTAL_TIMEOUT": "1.5",
    "CRAWLYARD_MAX_DECODED": "20000000",
}


@pytest.fixture
def hostile() -> Iterator[Site]:
    with trap_site() as made:
        yield made


def test_a_hostile_site_harms_neither_worker_nor_neighbours(tmp_path: Path, sqlite_url: str, hostile: Site) -> None:
    with Site(linked_site(100)) as good:
        allowed = f"{hostile.host},{good.host}"
        with System(tmp_path, sqlite_url, CRAWLYARD_ALLOW_PRIVATE=allowed, **_TIGHT) as system:
            system.start()
            jobs = [system.crawl(f"http://{site.host}", use_sitemap=False) for site in (hostile, good)]
            ended = [system.ended(job, 120) for job in jobs]
            tasks = {task["path"]: task for task in system.tasks(jobs[0])}
            assert [job["status"] for job in ended] == ["completed", "completed"]
            assert ended[1]["progress"]["completed_tasks"] == 100
            _check_traps(tasks)
            _check_worker(system)


def test_hostile_robots_and_sitemaps_harm_neither_worker_nor_neighbours(tmp_path: Path, sqlite_url: str) -> None:
    with ExitStack() as stack:
        served = [(f, stack.enter_context(file_site(f, path))) for path, files in _FILES for f in files]
        good = stack.enter_context(Site(linked_site(100, robots="User-agent: *\nAllow: /\n", sitemap=True)))
        allowed = ",".join(site.host for site in (*(site for _, site in served), good))
        with System(tmp_path, sqlite_url, CRAWLYARD_ALLOW_PRIVATE=allowed, **_TIGHT) as system:
            system.start()
            jobs = [(file, system.crawl(f"http://{site.host}")) for file, site in served]
            neighbour = system.ended(system.crawl(f"http://{good.host}"), 120)
            assert (neighbour["status"], neighbour["progress"]["completed_tasks"]) == ("completed", 100)
            ended = [(file, system.ended(job, 120)) for file, job in jobs]
            assert {file.name: told for file, job in ended if (told := _said(job)) and not _fits(file, told)} == {}
            assert {file.name for file, job in ended if file.error and not _said(job)} == set()
            _check_worker(system)


def _said(job: Any) -> str:
    """What a job says went wrong, in readable lines."""
    lines = [line for line in (job["error"], *(warning["message"] for warning in job["warnings"])) if line]
    assert all(line.isprintable() and len(line) <= 500 for line in lines)
    assert job["status"] == ("failed" if job["error"] else "completed")
    return " / ".join(lines)


def _fits(file: File, told: str) -> bool:
    return file.error is not None and re.search(file.error, told) is not None


def _check_traps(tasks: dict[str, Any]) -> None:
    good = [task for path, task in tasks.items() if path.startswith("/good/")]
    assert len(good) >= 41
    assert all(task["status"] == "completed" for task in good)
    wrong = {trap.name: tasks[trap.path] for trap in TRAPS if not _is_as_told(tasks[trap.path], trap.error, trap.ends)}
    assert wrong == {}


def _is_as_told(task: Any, error: str | None, state: str) -> bool:
    said = task["error"] or ""
    return task["status"] == state and bool(re.search(error or "^$", said)) and said.isprintable() and len(said) <= 500


def _check_worker(system: System) -> None:
    """The same processes as at the start, none of which has complained or grown."""
    assert all(worker.poll() is None for worker in system.workers)
    assert "Traceback" not in system.log("worker")
    for pid in _children(system.workers[0].pid):
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert peak
        assert int(peak[1]) < MEMORY * 1024


def _children(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
