"""An open store and queue for each test."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from shared import webhooks as cases
from shared.models import Webhook
from shared.queue import TaskQueue, connect
from shared.settings import Settings
from shared.store import Store, open_store
from tests.receiver import Receiver
from tests.site import Site
from tests.webhook_kit import MADE, ORGANISATION
from workers.egress import EgressPolicy
from workers.fetch import Fetcher
from workers.runtime import Runtime
from workers.webhooks import LIMITS


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A migrated store, once of each kind."""
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """A migrated store on SQLite, for what does not depend on the database."""
    opened = open_store(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def queue(redis_url: str) -> Iterator[TaskQueue]:
    """The task queue on an empty Redis."""
    redis = connect(redis_url)
    yield TaskQueue(redis)
    redis.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"CRAWLYARD_HOME": str(tmp_path), "CRAWLYARD_ALLOW_PRIVATE": "127.0.0.1"})


@pytest.fixture
def ctx(settings: Settings, store: Store, queue: TaskQueue) -> Runtime:
    """What a delivery needs of a worker."""
    fetcher = Fetcher(LIMITS, EgressPolicy(settings.allow_private), "crawlyard-test")
    return cast(Runtime, SimpleNamespace(settings=settings, store=store, fetcher=fetcher, queue=queue))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def made(settings: Settings, store: Store) -> MADE:
    """Makes a webhook to a site: itself and its secret."""

    def make(site: Site, scheme: str = "http") -> tuple[Webhook, str]:
        wanted = cases.Wanted("http", f"{scheme}://{site.host}/hook", ["job.completed"], "")
        webhook, secret = cases.create(settings, store, ORGANISATION, wanted)
        assert secret is not None
        return webhook, secret

    return make
