"""A running system for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.acceptance.chromium import Tab, chromium
from tests.acceptance.system import System
from tests.site import Site, linked_site
from tests.soak.services import Postgres, RedisServer


@pytest.fixture
def site() -> Iterator[Site]:
    """200 pages on loopback, each 20 ms away."""
    with Site(linked_site(200), delay=0.02) as made:
        yield made


@pytest.fixture
def system(tmp_path: Path, sqlite_url: str, site: Site) -> Iterator[System]:
    """The Procfile's processes on SQLite, allowed to reach the site; not started yet."""
    with System(tmp_path, sqlite_url, CRAWLYARD_ALLOW_PRIVATE=site.host) as made:
        yield made


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One of this test alone, to be ended or frozen."""
    server = RedisServer(tmp_path / "own-redis")
    yield server
    server.stop()


@pytest.fixture
def postgres(postgres_server: object) -> Iterator[Postgres]:
    """One of this test alone, to be ended or frozen; the session's says whether it is installed."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a file."""
    with chromium() as made:
        yield made


@pytest.fixture
def tab(browser: Browser, system: System) -> Iterator[Tab]:
    """A tab on a started system; whatever its pages complain of fails the test."""
    system.start()
    made = Tab(browser, system)
    yield made
    made.context.close()
    assert made.complaints == []
