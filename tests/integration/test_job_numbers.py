"""A job's number is never given to another one: workers remember by it what a job has found."""

from pathlib import Path

import pytest

from shared.store import Store, jobs, retention
from tests.crawling import crawls
from tests.crawls import Crawl
from tests.site import Site, html


def test_the_number_of_a_deleted_job_is_not_given_again(store: Store) -> None:
    old = Crawl(store)
    old.discover()
    retention.delete_job(store, old.job.id)
    again = jobs.get(store, Crawl(store).job.id)
    assert again.id > old.job.id


def test_a_domain_that_was_deleted_can_be_crawled_again(
    sqlite_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Site() as site, crawls(sqlite_url, redis_url, tmp_path, {}, monkeypatch) as system:
        site.pages["/"] = html('<a href="/a">a</a>')
        site.pages["/a"] = html('<a href="/b">b</a>')
        site.pages["/b"] = html("the end")
        first = system.statuses(system.run(f"http://{site.host}"))
        (domain,) = system.api.get("/api/domains")["data"]
        system.api.call("DELETE", f"/api/domains/{domain['id']}")
        assert system.statuses(system.run(f"http://{site.host}")) == first
