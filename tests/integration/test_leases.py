"""A worker that may have lost a task asks no site for it: looked at right before each request and each hop."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import StoreUnavailable
from shared.settings import FetchLimits
from shared.store import sweep
from tests.crawling import crawls
from tests.site import Page, Site, html, redirect
from workers import leases
from workers.egress import EgressPolicy
from workers.errors import LeaseLost
from workers.fetch import Fetcher


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    made = Fetcher(FetchLimits(), EgressPolicy(("127.0.0.1",)), "Crawlyard/test")
    yield made
    made.close()


def test_without_its_lease_a_task_sends_no_request(fetcher: Fetcher) -> None:
    with Site({"/": html("Hello")}) as site:
        with leases.guarding(lambda: False), pytest.raises(LeaseLost):
            fetcher.get(site.url())
        assert site.paths() == []
        assert fetcher.get(site.url()).status_code == 200


def test_a_lease_that_ends_between_two_hops_ends_the_fetch(fetcher: Fetcher) -> None:
    with Site({"/a": redirect("/b"), "/b": html("Hello")}) as site:
        with leases.guarding(lambda: not site.requests), pytest.raises(LeaseLost):
            fetcher.get(site.url("/a"))
        assert site.paths() == ["/a"]


class Freezing(Site):
    """`/hop` leads to `/end`; its first answer comes when a minute has passed for the worker, without a renewal."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__({"/": html('<a href="/hop">hop</a>'), "/end": html("End")}, fallback=self.answer)
        self.jump, self.is_away = 0.0, False
        clock, renew = leases.clock, sweep.renew
        patch.setattr(leases, "clock", lambda: clock() + self.jump)

        def fails(*args: object) -> object:
            if self.is_away:
                raise StoreUnavailable("away")
            return renew(*args)  # type: ignore[arg-type]

        patch.setattr(sweep, "renew", fails)

    def answer(self, path: str) -> Page | None:
        if path != "/hop":
            return None
        self.is_away = not self.jump
        self.jump = 60.0
        return redirect("/end")


def test_a_worker_that_wakes_up_after_its_lease_fetches_nothing_and_puts_the_task_back(
    sqlite_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Freezing(monkeypatch) as site,
        crawls(sqlite_url, redis_url, tmp_path, {}, monkeypatch) as system,
    ):
        job = system.run(f"http://{site.host}", use_sitemap=False)
        # the end is fetched by the hop, and by its own task
        assert [path for path in site.paths() if path in ("/hop", "/end")] == ["/hop", "/hop", "/end", "/end"]
        assert system.statuses(job) == {"/": "completed", "/hop": "skipped", "/end": "completed"}
