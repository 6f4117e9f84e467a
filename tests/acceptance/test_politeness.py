"""Crawl-delay and blocking answers, seen from the server that is crawled."""

import os
import signal
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.system import System
from tests.site import Site, html, linked_site, redirect, silence
from tests.waiting import until

#: its moments are measured, or it needs the machine: not beside other tests
pytestmark = pytest.mark.alone


#: seconds by which two requests may be closer than allowed: of their way from `send` to the kernel's note
CLOSER = 0.002


def gaps(site: Site) -> list[float]:
    """Seconds between two requests, by the kernel's clock: however late this process comes to look at them."""
    assert all(request.arrived for request in site.requests)
    times = sorted(request.arrived for request in site.requests)
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("delay", [0.4, 1.2])
def test_crawl_delay_holds_over_four_workers_and_three_jobs(system: System, site: Site, delay: float) -> None:
    site.pages = linked_site(5, robots=f"User-agent: *\nCrawl-delay: {delay}\n")
    site.delay = 0.0
    system.start(workers=4)
    for job_id in [system.crawl(f"http://{site.host}", use_sitemap=False) for _ in range(3)]:
        assert system.ended(job_id)["progress"]["completed_tasks"] == 5
    assert len(gaps(site)) == 15
    assert min(gaps(site)) > delay - CLOSER


def busy_site(delay: str = "") -> dict[str, Any]:
    """Pages, redirects between them, index pages, a sitemap and a robots.txt: all that asks a host."""
    pages: dict[str, Any] = dict(linked_site(4, robots=f"User-agent: *\n{delay}Allow: /\n", sitemap=True))
    pages["/"] = html('<a href="/old">a</a><a href="/dir/index.html">b</a><a href="/page/1">c</a>')
    return pages | {
        "/old": redirect("/older"),
        "/older": redirect("/page/3"),
        "/dir/index.html": html("d"),
        "/dir/": html("d"),
    }


@pytest.mark.parametrize(("rate", "delay"), [("4", ""), ("0", "Crawl-delay: 0.25\n")])
def test_no_two_requests_of_any_kind_come_closer_than_allowed(
    system: System, site: Site, rate: str, delay: str
) -> None:
    site.pages, site.delay = busy_site(delay), 0.0
    system.env["CRAWLYARD_HOST_RATE"] = rate
    system.start(workers=4)
    for job_id in [system.crawl(f"http://{site.host}") for _ in range(3)]:
        system.ended(job_id)
    assert len(gaps(site)) > 3 * 7
    assert site.paths().count("/robots.txt") == 1
    assert min(gaps(site)) > 0.25 - CLOSER


def test_a_worker_that_is_held_up_delays_the_next_request_instead_of_coming_close(system: System, site: Site) -> None:
    site.pages, site.delay = busy_site(), 0.0
    system.env["CRAWLYARD_HOST_RATE"] = "10"
    system.start(workers=4)
    jobs = [system.crawl(f"http://{site.host}") for _ in range(3)]
    for worker in cycle(system.workers):
        if all(system.job(job_id)["completed_at"] for job_id in jobs):
            break
        os.killpg(worker.pid, signal.SIGSTOP)
        site.closing.wait(0.25)
        os.killpg(worker.pid, signal.SIGCONT)
    assert len(gaps(site)) > 3 * 7
    assert min(gaps(site)) > 0.1 - CLOSER


def test_no_more_requests_at_once_than_allowed(system: System, site: Site) -> None:
    site.pages = linked_site(40)
    system.env["CRAWLYARD_HOST_CONNECTIONS"] = "3"
    system.start(workers=4)
    for job_id in [system.crawl(f"http://{site.host}", use_sitemap=False) for _ in range(3)]:
        assert system.ended(job_id)["progress"]["completed_tasks"] == 40
    assert site.max_concurrent == 3


def test_a_host_that_never_answers_leaves_the_workers_to_others(system: System, site: Site) -> None:
    hung = linked_site(30, sitemap=True) | {f"/page/{n}": silence() for n in range(1, 30)}
    with Site(hung) as other:
        system.env["CRAWLYARD_ALLOW_PRIVATE"] = f"{site.host},{other.host}"
        system.start()
        stuck = [system.crawl(f"http://{other.host}") for _ in range(2)]
        until(lambda: len([path for path in other.paths() if path != "/"]) > 4, 20)
        quick = system.crawl(f"http://{site.host}", max_pages=50)
        assert system.ended(quick, 40)["progress"]["completed_tasks"] == 50
        for job_id in stuck:
            assert system.job(job_id)["status"] == "running"
            system.call("POST", f"/v1/jobs/{job_id}/cancel")


def test_waiting_for_a_turn_spends_no_attempt(system: System, site: Site) -> None:
    site.pages = linked_site(3, robots="User-agent: *\nCrawl-delay: 1\n")
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    system.ended(job_id)
    assert {task["retry_count"] for task in system.tasks(job_id)} == {0}


def test_a_host_that_blocks_delays_its_own_pages_only(system: System, site: Site, tmp_path: Path) -> None:
    blocked = (429, {"Retry-After": "5"}, b"slow down")
    with Site({"/": blocked}) as other:
        system.env["CRAWLYARD_ALLOW_PRIVATE"] = f"{site.host},{other.host}"
        system.start()
        slow = system.crawl(f"http://{other.host}", use_sitemap=False)
        quick = system.crawl(f"http://{site.host}", max_pages=50)
        assert system.ended(quick)["progress"]["completed_tasks"] == 50
        assert system.job(slow)["status"] == "running"
        other.pages = {"/": html("open again")}
        assert system.ended(slow)["progress"]["completed_tasks"] == 1
    first, second = (request.at for request in other.requests if request.path == "/")
    assert second - first >= 5


#: what Python runs at its start: these names are this machine
NAMES = """
import socket
asked = socket.getaddrinfo
def answer(host, *args, **options):
    return asked("127.0.0.1" if "wired.com" in str(host) else host, *args, **options)
socket.getaddrinfo = answer
"""


def test_a_host_that_blocks_leaves_half_of_its_jobs_slots_to_the_other_host(
    system: System, site: Site, tmp_path: Path
) -> None:
    port = site.host.partition(":")[2]
    (tmp_path / "sitecustomize.py").write_text(NAMES)
    system.env["PYTHONPATH"] = f"{tmp_path}:{system.env['PYTHONPATH']}"
    system.env["CRAWLYARD_ALLOW_PRIVATE"] = "wired.com,slow.wired.com"
    slow = "".join(f'<a href="http://slow.wired.com:{port}/slow/{n}">x</a>' for n in range(20))
    site.pages = {"/": html(slow + "".join(f'<a href="/quick/{n}">x</a>' for n in range(20)))}
    site.fallback = lambda path: (429, {"Retry-After": "90"}, b"later") if "slow" in path else html("quick")
    system.start()
    job = system.crawl(f"http://wired.com:{port}", use_sitemap=False, concurrency=4)
    until(lambda: system.pages_done(job) == 21, 30, "the slow host's pages hold all places")
    assert system.job(job)["status"] == "running"
