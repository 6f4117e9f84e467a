"""A worker process connects to its own services, and to the rest of the world through the guard alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.loop import dispatch_deliveries, move_due
from shared import jobs
from shared.models import JobOptions
from shared.queue import TaskQueue
from shared.rqtypes import CrawlQueue
from shared.states import JobState
from shared.store import Store, keys
from shared.store import jobs as store_jobs
from shared.store.jobs import FirstTask
from tests import jobfunctions
from tests.desk import KEY, Desk
from tests.ga4 import Ga4
from tests.site import Site, html, linked_site, redirect
from tests.waiting import until

ROOT = Path(__file__).parents[2]


@contextmanager
def probe(report: Path, sqlite_url: str, redis_url: str, **env: str) -> Iterator[None]:
    """A worker whose connections are written to `report`."""
    argv = [sys.executable, "-m", "tests.egress_probe", str(report), "--processes", "1", "--threads", "4"]
    env = {**os.environ, "DATABASE_URL": sqlite_url, "REDIS_URL": redis_url, "GRACE": "1", **env}
    worker = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(20)


def heard(report: Path) -> set[tuple[str, str]]:
    """(who, address) of each line."""
    lines = (line.split("\t") for line in report.read_text().splitlines())
    return {(who, address) for who, _, address in lines}


def strangers(found: set[tuple[str, str]], redis_url: str) -> set[tuple[str, str]]:
    """What is neither the guard's nor our Redis."""
    redis = redis_url.split("/")[2]
    lookups = redis.split(":")[0]
    return {(who, address) for who, address in found if who != "guard" and address not in (redis, lookups)}


def completed(store: Store, job_no: int) -> bool:
    return store_jobs.get(store, job_no).state is JobState.COMPLETED


def test_a_crawl_goes_out_through_the_guard_only(
    tmp_path: Path, sqlite_url: str, sqlite_store: Store, redis_url: str, queue: TaskQueue
) -> None:
    pages = linked_site(5, robots="User-agent: *\nSitemap: {origin}/sitemap.xml\n", sitemap=True)
    pages |= {"/page/1": redirect("/page/2"), "/page/3": html("x", headers={"X-Cache": "MISS"})}
    organisation = keys.create(sqlite_store, None, "test")[0].organisation_id
    report = tmp_path / "report"
    with Site(pages) as site, probe(report, sqlite_url, redis_url, CRAWLYARD_ALLOW_PRIVATE=site.host):
        job, _ = jobs.submit_crawl(sqlite_store, queue, organisation, site.host, JobOptions(), FirstTask())
        # no scheduler here: the second request of a miss is a delayed step
        until(lambda: not move_due(sqlite_store, queue) and completed(sqlite_store, job.id), 30)
        assert {"/robots.txt", "/sitemap.xml", "/page/4"} <= set(site.paths())
        found = heard(report)
    assert {address for who, address in found if who == "guard"} == {site.host, "127.0.0.1"}
    assert strangers(found, redis_url) == set()


def test_webhooks_and_page_views_go_out_through_the_guard_too(
    tmp_path: Path, sqlite_url: str, redis_url: str, queue: TaskQueue
) -> None:
    report = tmp_path / "report"
    with Ga4({7: [("example.com", "/", 1)]}) as google, Site({"/hook": html("taken")}) as site:
        env = {"CRAWLYARD_ALLOW_PRIVATE": f"{google.host},{site.host}", "CRAWLYARD_HOME": str(tmp_path)}
        desk = Desk(google, sqlite_url, queue, redis_url, tmp_path, **env)
        desk.api.post(f"/v1/jobs/{desk.api.get('/v1/jobs')['jobs'][0]['id']}/cancel")  # it would go to example.com
        desk.connect()
        hook = desk.api.post("/api/webhooks", {"url": site.url("/hook"), "events": ["job.failed"]}, 201)["data"]["id"]
        desk.api.post(f"/api/webhooks/{hook}/test", expect=202)
        with probe(report, sqlite_url, redis_url, CRAWLYARD_GA4_ENDPOINT=google.url, CRAWLYARD_SECRET_KEY=KEY, **env):
            until(lambda: dispatch_deliveries(desk.api.store, queue) < 0 or site.requests, 30)
            until(lambda: desk.shown()["state"] == "ready", 30)
        desk.close()
        found = heard(report)
        assert {address for who, address in found if who == "guard"} == {google.host, site.host, "127.0.0.1"}
        assert strangers(found, redis_url) == set()


def test_whoever_goes_round_the_guard_is_heard(
    tmp_path: Path, sqlite_url: str, redis_url: str, queue: TaskQueue
) -> None:
    report = tmp_path / "report"
    with Site({"/": html("x")}) as site, probe(report, sqlite_url, redis_url, CRAWLYARD_ALLOW_PRIVATE=site.host):
        job = CrawlQueue("default", connection=queue.redis).enqueue(jobfunctions.go_round_the_guard, site.url())
        until(lambda: job.get_status(refresh=True) == "finished", 30)
        assert strangers(heard(report), redis_url) == {(jobfunctions.__file__, site.host)}
