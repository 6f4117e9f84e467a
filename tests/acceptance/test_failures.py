"""Hosts that block, redirects, traps and CDNs, through the whole system."""

import socket
import threading
from collections import Counter
from select import select

from tests.acceptance.system import System
from tests.site import Misbehaviour, Page, Site, html, late, linked_site, redirect
from tests.waiting import until
from workers.heartbeat import LEASE_SECONDS

LINKS = '<a href="/stale">a</a><a href="/live">b</a>'
CHALLENGE: Page = (403, {"CF-Mitigated": "challenge", "Content-Type": "text/html"}, b"<title>Just a moment...</title>")


def test_a_host_that_blocks_ends_the_crawl_and_the_job_says_so(system: System, site: Site) -> None:
    site.pages = {path: page for path, page in linked_site(300, sitemap=True).items() if path == "/sitemap.xml"}
    site.fallback = lambda path: CHALLENGE if path != "/robots.txt" else None
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}"), 90)
    assert job["status"] == "failed"
    assert job["error"] == "Blocked by Cloudflare (HTTP 403)"
    assert [warning["kind"] for warning in job["warnings"]] == ["blocked"]
    assert job["progress"]["failed_tasks"] == 300
    assert len(site.requests) < 150


def test_forbidden_pages_are_no_block(system: System, site: Site) -> None:
    forbidden = html("Forbidden", status=403)
    site.pages = {"/": html("".join(f'<a href="/{i}">x</a>' for i in range(3)))} | {
        f"/{i}": forbidden for i in range(3)
    }
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}", use_sitemap=False), 90)
    assert (job["status"], job["warnings"]) == ("completed", [])
    assert job["progress"]["completed_tasks"] == 1


def test_redirects_are_told_with_their_chain(system: System, site: Site) -> None:
    site.pages = {"/": html('<a href="/old">x</a>'), "/old": redirect("/older", 301), "/older": redirect("/new", 302)}
    site.pages["/new"] = html("here")
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    system.ended(job_id)
    by_path = {task["path"]: task for task in system.tasks(job_id)}
    assert by_path["/old"]["status"] == "skipped"
    page = system.call("POST", "/api/jobs", json={"name": "crawl.page", "url": f"http://{site.host}/old"}).json()[
        "data"
    ]
    done = system.finished(page["id"])
    assert done["redirects"] == [
        {"statusCode": 301, "url": f"http://{site.host}/older"},
        {"statusCode": 302, "url": f"http://{site.host}/new"},
    ]


def test_pages_that_take_longer_than_a_lease_are_asked_for_once(system: System, site: Site) -> None:
    site.pages = {"/": html("".join(f'<a href="/slow/{i}">x</a>' for i in range(3)))}
    site.pages |= {f"/slow/{i}": late(b"<title>late</title>", LEASE_SECONDS + 3) for i in range(3)}
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}", use_sitemap=False))
    assert job["progress"]["completed_tasks"] == 4
    assert [site.paths().count(f"/slow/{i}") for i in range(3)] == [1, 1, 1]


def test_a_cancelled_job_hangs_up_on_its_pages(system: System, site: Site) -> None:
    hung_up = threading.Event()

    def serve(sock: socket.socket, closing: threading.Event) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n")
        while not closing.is_set():
            if select([sock], [], [], 0.1)[0]:
                hung_up.set()
                return

    site.pages = {"/": Misbehaviour(serve)}
    system.start()
    job = system.crawl(f"http://{site.host}", use_sitemap=False)
    until(lambda: "/" in site.paths(), 15, "the page is not asked for")
    system.call("POST", f"/v1/jobs/{job}/cancel")
    until(hung_up.is_set, 5, "the page's connection is still open")


def test_a_trap_is_reported_and_not_crawled_for_ever(system: System, site: Site) -> None:
    site.pages = {"/": html('<a href="/x/">x</a><a href="/real">y</a>'), "/real": html("real")}
    site.fallback = lambda path: html(f'<a href="{path}x/">deeper</a>') if path.startswith("/x/") else None
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}", use_sitemap=False))
    assert job["progress"]["completed_tasks"] == 2 + 4
    assert [warning["kind"] for warning in job["warnings"]] == ["trap"]
    assert job["warnings"][0]["message"].startswith("Repeating path segments: /x/x/x/x/x/")


def test_a_page_that_missed_the_cache_is_asked_for_once_more(system: System, site: Site) -> None:
    asked: Counter[str] = Counter()

    def cdn(path: str) -> Page:
        asked[path] += 1
        first = "EXPIRED" if path == "/stale" else "MISS"
        word = "DYNAMIC" if path == "/live" else first if asked[path] % 2 else "HIT"
        headers = {"CF-Cache-Status": word, "ETag": '"1"'}
        is_known = site.requests[-1].headers.get("if-none-match") == '"1"'
        return (304, headers, b"") if is_known else html(LINKS, headers=headers)

    site.pages = {"/robots.txt": html("none", status=404)}
    site.fallback = cdn
    system.start()
    for _ in range(2):
        job_id = system.crawl(f"http://{site.host}", use_sitemap=False, concurrency=1)
        system.ended(job_id)
        seen = {t["path"]: (t["cache_status"], t["second_cache_status"]) for t in system.tasks(job_id)}
        assert seen == {"/": ("MISS", "HIT"), "/stale": ("EXPIRED", "HIT"), "/live": ("DYNAMIC", None)}
    home = [r for r in site.requests if r.path == "/"]
    assert all(second.at - first.at > 0.45 for first, second in ((home[0], home[1]), (home[2], home[3])))
    # the second request wants the page itself, or the cache would stay cold
    assert ["if-none-match" in r.headers for r in home] == [False, False, True, False]
