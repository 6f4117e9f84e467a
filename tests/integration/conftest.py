"""An open store and queue for each test."""

from collections.abc import Iterator

import pytest

from shared.queue import TaskQueue, connect
from shared.store import Store, open_store


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
