"""A crawl through the HTTP API, with the processes as the Procfile starts them."""

from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.system import System
from tests.site import Site, html, linked_site, redirect
from tests.waiting import until


def test_it_works(system: System, site: Site) -> None:
    system.start()
    job_id = system.crawl(f"http://{site.host}")
    assert system.ended(job_id)["status"] == "completed"
    tasks = system.tasks(job_id)
    assert sorted(task["url"] for task in tasks) == sorted(site.url(path) for path in site.pages)
    assert {(task["status"], task["status_code"]) for task in tasks} == {("completed", 200)}


def test_each_page_is_fetched_once(system: System, site: Site) -> None:
    system.start(workers=2)
    system.ended(system.crawl(f"http://{site.host}"))
    fetched = Counter(path for path in site.paths() if path in site.pages)
    assert fetched == Counter(dict.fromkeys(site.pages, 1))


def test_no_more_than_concurrency_requests_at_once(system: System, site: Site) -> None:
    system.start(workers=2)
    system.ended(system.crawl(f"http://{site.host}", concurrency=3))
    assert site.max_concurrent <= 3


def test_max_pages_is_exact_under_two_workers(system: System, site: Site) -> None:
    system.start(workers=2)
    job_id = system.crawl(f"http://{site.host}", max_pages=57)
    assert system.ended(job_id)["progress"]["completed_tasks"] == 57
    assert len(system.tasks(job_id)) == 57


@pytest.mark.parametrize("kind", ["postgres"])
def test_it_works_on_postgresql(kind: str, tmp_path: Path, postgres_url: str, site: Site) -> None:
    with System(tmp_path, postgres_url, CRAWLYARD_ALLOW_PRIVATE=site.host) as system:
        system.start(workers=2)
        job_id = system.crawl(f"http://{site.host}")
        assert system.ended(job_id)["progress"]["completed_tasks"] == 200


def test_the_stats_and_rq_info_agree_with_the_record(system: System, site: Site) -> None:
    system.start()
    system.ended(system.crawl(f"http://{site.host}"))

    def counts() -> tuple[int, ...]:
        stats = system.get("/api/jobs/stats")["data"]
        return (stats["completed"], stats["waiting"], stats["active"], stats["failed"])

    # Redis hears of the last ends a moment after they are on record
    until(lambda: counts() == (201, 0, 0, 0), 10)
    info = system.rq("info", "--raw")
    assert "queue crawl 0, 0 executing, 200 finished, 0 failed" in info
    assert "queue discover 0, 0 executing, 1 finished, 0 failed" in info
    assert "jobs: 201 finished, 0 failed" in info


def test_a_cancelled_crawl_fetches_nothing_more(system: System, site: Site) -> None:
    system.start()
    job_id = system.crawl(f"http://{site.host}", concurrency=2)
    while system.pages_done(job_id) < 5:
        pass
    answer = system.call("POST", f"/v1/jobs/{job_id}/cancel").json()
    assert answer["status"] == "cancelled"
    assert system.job(job_id)["progress"]["completed_tasks"] < 200
    # a second crawl ends after the first one's last request would have come
    other = linked_site(1)
    site.pages = other
    before = len(site.requests)
    system.ended(system.crawl(f"http://{site.host}"))
    assert len(site.requests) - before < 10
    assert system.get("/api/jobs/stats")["data"]["waiting"] == 0


def test_a_crawl_of_a_site_with_one_page(system: System, site: Site) -> None:
    site.pages = {"/": html("<h1>Alone</h1>")}
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}"))
    assert (job["status"], job["progress"]["completed_tasks"]) == ("completed", 1)


def test_a_crawl_of_an_empty_site(system: System, site: Site) -> None:
    site.pages = {}
    system.start()
    job_id = system.crawl(f"http://{site.host}")
    assert system.ended(job_id)["progress"]["failed_tasks"] == 1
    assert [(t["status"], t["status_code"], t["error"]) for t in system.tasks(job_id)] == [("failed", 404, "HTTP 404")]


def test_robots_that_forbids_everything_fails_the_job(system: System, site: Site) -> None:
    site.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /\n")
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}"))
    assert (job["status"], job["error"]) == ("failed", f"robots.txt of http://{site.host} forbids its root")
    assert site.paths() == ["/robots.txt"]


def test_an_admin_may_ignore_robots_txt(system: System, site: Site) -> None:
    site.pages = linked_site(5, robots="User-agent: *\nDisallow: /\n")
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}", respect_robots=False))
    assert (job["status"], job["progress"]["completed_tasks"]) == ("completed", 5)


def test_a_page_that_robots_forbids_is_skipped(system: System, site: Site) -> None:
    site.pages = linked_site(5, robots="User-agent: *\nDisallow: /page/3\n")
    system.start()
    job_id = system.crawl(f"http://{site.host}")
    assert system.ended(job_id)["progress"]["skipped_tasks"] == 1
    assert "/page/3" not in site.paths()


def test_a_name_that_does_not_exist_fails_the_job(system: System) -> None:
    system.start()
    job = system.ended(system.crawl("no-such-host.invalid"))
    assert job["status"] == "failed"
    assert "no-such-host.invalid" in job["error"]


def test_a_host_that_refuses_fails_the_job(system: System) -> None:
    from shared.ports import free_port

    host = f"127.0.0.1:{free_port()}"
    system.env["CRAWLYARD_ALLOW_PRIVATE"] = host
    system.start()
    job = system.ended(system.crawl(f"http://{host}"))
    assert job["status"] == "failed"
    assert "refused" in job["error"].lower()


def test_a_private_address_is_refused_unless_it_is_named(system: System, site: Site) -> None:
    system.env["CRAWLYARD_ALLOW_PRIVATE"] = ""
    system.start()
    job = system.ended(system.crawl(f"http://{site.host}"))
    assert job["status"] == "failed"
    assert site.requests == []


def test_links_that_are_no_use_are_left_out(system: System, site: Site) -> None:
    odd = ["/a b", "/ü", "/x/../up", "/#top", "mailto:a@b.c", "http://user:secret@{host}/login", "/" + "y" * 100_000]
    hrefs = "".join(f'<a href="{href.format(host=site.host)}">x</a>' for href in odd)
    site.pages = {"/": html(hrefs), **{p: html("ok") for p in ("/a%20b", "/%C3%BC", "/up", "/login")}}
    system.start()
    job_id = system.crawl(f"http://{site.host}")
    system.ended(job_id)
    assert sorted(task["path"] for task in system.tasks(job_id)) == ["/", "/%C3%BC", "/a%20b", "/login", "/up"]
    assert all("secret" not in task["url"] for task in system.tasks(job_id))


def test_a_sitemap_is_read(system: System, site: Site) -> None:
    site.pages = linked_site(30, 0, sitemap=True)
    system.start()
    job_id = system.crawl(f"http://{site.host}")
    assert system.ended(job_id)["progress"]["completed_tasks"] == 30
    assert {task["source_type"] for task in system.tasks(job_id)} == {"sitemap", "manual"}


def test_a_page_that_missed_the_cache_is_asked_for_twice(system: System, site: Site) -> None:
    site.pages = {"/": html("cached", headers={"X-Cache": "MISS"})}
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    system.ended(job_id)
    (task,) = system.tasks(job_id)
    assert (task["status"], task["cache_status"], task["second_cache_status"]) == ("completed", "MISS", "MISS")
    assert task["second_response_time"] is not None
    first, second = (request.at for request in site.requests if request.path == "/")
    assert second - first >= 0.45
    (attempt,) = system.get(f"/v1/jobs/{job_id}/tasks/{task['id']}")["attempts"]
    answer = attempt["second_request"]
    assert (answer["status_code"], {"name": "x-cache", "value": "MISS"} in answer["headers"]) == (200, True)
    assert attempt["worker"] in [worker["name"] for worker in system.get("/api/workers")["data"]]


def test_an_index_page_that_is_its_folders_page_counts_once(system: System, site: Site) -> None:
    home = html('<a href="/index.html">Home</a> <a href="/other/index.html">Other</a>')
    site.pages = {"/": home, "/index.html": home, "/other/": html("a"), "/other/index.html": html("something else")}
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    system.ended(job_id)
    shown = {task["path"]: (task["status"], task["error"]) for task in system.tasks(job_id)}
    assert shown == {
        "/": ("completed", None),
        "/index.html": ("skipped", f"Same page as http://{site.host}/"),
        "/other/index.html": ("completed", None),
    }


def test_a_redirect_leads_to_the_row_of_its_target(system: System, site: Site) -> None:
    site.pages = {"/": html('<a href="/old">x</a>'), "/old": redirect("/new", 301), "/new": html("new")}
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    system.ended(job_id)
    shown = {task["path"]: (task["status"], task["status_code"]) for task in system.tasks(job_id)}
    assert shown == {"/": ("completed", 200), "/old": ("skipped", 301), "/new": ("completed", 200)}
