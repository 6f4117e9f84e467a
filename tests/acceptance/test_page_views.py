"""Page views through the Procfile's processes and the command line, from a Google of our own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import KEY, ROOT, System
from tests.ga4 import PROPERTY, Ga4
from tests.site import Site, linked_site
from tests.waiting import until

LINES = [("127.0.0.1", "/page/3", 30), ("127.0.0.1", "/", 100)]


@pytest.fixture
def google() -> Iterator[Ga4]:
    with Ga4(dict.fromkeys((7, 28, 180), LINES)) as made:
        yield made


def crawlyard(system: System, *args: str) -> str:
    env = system.env | {"CRAWLYARD_API": system.url(""), "CRAWLYARD_API_KEY": KEY}
    command = [sys.executable, "-m", "api.cli", "analytics", *args]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_crawl_shows_the_page_views_of_its_domain(tmp_path: Path, sqlite_url: str, google: Ga4) -> None:
    (tmp_path / "key.json").write_text(json.dumps(google.key_file))
    with Site(linked_site(6)) as site, System(tmp_path, sqlite_url) as system:
        system.env |= {"CRAWLYARD_ALLOW_PRIVATE": f"{site.host},{google.host}", "CRAWLYARD_GA4_ENDPOINT": google.url}
        system.start(workers=1)
        job = system.crawl(f"http://{site.host}")
        system.ended(job)
        key = str(tmp_path / "key.json")
        told = crawlyard(system, "set", site.host, "--property", PROPERTY, "--key", key)
        # a worker may have taken it already
        assert "pending" in told or "refreshing" in told
        until(lambda: "ready" in crawlyard(system, "show", site.host), 60, "the page views are not there")
        most = f"/v1/jobs/{job}/tasks?sort=-page_views_28d&limit=3"
        shown = until(
            lambda: [t["page_views_28d"] for t in system.get(most)["tasks"]] == [100, 30, None], 30, "no views"
        )
        assert shown
        crawlyard(system, "refresh", site.host)
        until(lambda: google.days == [7, 28, 180] * 2, 30, "no second refresh")
        assert "removed" in crawlyard(system, "remove", site.host)
