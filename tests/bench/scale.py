"""`make bench ARGS="scale"`: whether a page costs the same in a large crawl as in a small one.

Real crawls up to `--crawl` pages, and the record alone, driven without HTTP, up to `--record`.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from typing import NamedTuple

from redis import Redis
from sqlalchemy import text

from shared.store import Store, open_store
from shared.store.migrate import upgrade
from tests.bench import endless, gauge, ours
from tests.bench.frontier import Frontier
from tests.bench.servers import KeptServer
from tests.postgres import find_binaries

_STRETCH = 1_000
#: stretches around a size, each beside one of a small crawl in the same second: the machine's speed comes and goes
_LOOKS = 15
#: small crawls before a crawl with HTTP, and after it
_BESIDE = 3
#: pages of the crawl before each, for what a worker does only once
_LITTLE = 200


def small(url: str) -> float:
    """What a page costs in a crawl of 1,000 in a new database (CPU µs)."""
    upgrade(url)
    store = open_store(url, by_index=True)
    cost = Frontier(store, _STRETCH).stretch(_STRETCH).cpu_us
    store.close()
    return cost


def frontier_rows(url: str, beside: Callable[[], str], database: str, most: int) -> Iterator[list[object]]:
    """The record's cost a page on the way to `most` pages; `beside` makes a new database and names it."""
    upgrade(url)
    store = open_store(url, by_index=True)
    frontier, done = Frontier(store, most + _LOOKS * _STRETCH), 0
    for size in (n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= most):
        while done < size - _STRETCH:
            done += frontier.stretch(_STRETCH).pages
        looks = [(frontier.stretch(_STRETCH), small(beside())) for _ in range(_LOOKS)]
        done += sum(look.pages for look, _ in looks)
        cost = median(look.cpu_us for look, _ in looks)
        share = median(look.cpu_us / least for look, least in looks)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield [f"record alone, {database}", size, cost, share, memory, "", _size_mb(store)]
    store.close()


def _size_mb(store: Store) -> float:
    with store.read() as conn:
        sqlite = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        query = sqlite if store.is_sqlite else "SELECT pg_database_size(current_database())"
        return float(conn.execute(text(query)).scalar_one() / 1e6)


def crawl_rows(cache: Path, most: int, database: str) -> Iterator[list[object]]:
    """Crawls with everything, each beside small ones before and after it."""
    for size in (n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= most):
        beside = [_crawl(cache, _STRETCH, database).cost for _ in range(_BESIDE)]
        crawl = _crawl(cache, size, database)
        beside += [_crawl(cache, _STRETCH, database).cost for _ in range(_BESIDE)]
        share = crawl.cost / median(beside)
        yield [f"crawl, {database}", size, crawl.cost, share, crawl.worker_mb, crawl.redis_mb, crawl.database_mb]


class _Measured(NamedTuple):
    #: µs of the worker's CPU a page; with the database server's
    cost: float
    worker_mb: float
    redis_mb: float
    database_mb: float


def _crawl(cache: Path, pages: int, database: str) -> _Measured:
    """A crawl in a fresh system that has crawled a little before.

    Queue jobs that ended are kept for a second, so that Redis holds the crawl alone.
    """
    with ExitStack() as stack:
        little, host = (stack.enter_context(endless.site(n)) for n in (_LITTLE, pages))
        rig = stack.enter_context(ours.running(cache, database, f"{little},{host}", CRAWLYARD_COMPLETED_TTL="1"))
        rig.crawl(little, concurrency=32)
        crawled = rig.crawl(host, patience=60 + pages / 100, concurrency=32)
        # its home page is page 0, too
        assert crawled.pages == pages + 1, f"{crawled.pages} of {pages + 1} pages"
        redis = stack.enter_context(Redis.from_url(rig.system.redis.url))
        used: int = redis.info("memory")["used_memory"]  # type: ignore[index]
        store = open_store(rig.database_url)
        stored = _size_mb(store)
        store.close()
    cpu = crawled.worker.cpu + crawled.database.cpu
    return _Measured(cpu / crawled.pages * 1e6, crawled.worker.memory_mb, used / 1e6, stored)


def _sqlite_rows(most: int) -> Iterator[list[object]]:
    with tempfile.TemporaryDirectory() as folder:
        numbers = count()
        url = f"sqlite:///{folder}/"
        yield from frontier_rows(f"{url}large.db", lambda: f"{url}small-{next(numbers)}.db", "sqlite", most)


def _postgres_rows(cache: Path, most: int) -> Iterator[list[object]]:
    binaries = find_binaries()
    assert binaries is not None
    server = KeptServer(binaries, cache / "postgres-crawls")
    try:
        server.drop("scale")
        server.create("scale")
        yield from frontier_rows(server.url("scale"), lambda: _anew(server), "postgres", most)
    finally:
        server.drop("scale")
        server.drop("small")
        server.stop()


def _anew(server: KeptServer) -> str:
    server.drop("small")
    server.create("small")
    return server.url("small")


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale")
    parser.add_argument(
        "--crawl", type=int, default=10_000, help="largest crawl with HTTP; a million takes 25 minutes a database"
    )
    parser.add_argument("--record", type=int, default=100_000, help="largest one without (0: none)")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    given.cache.chmod(0o755)
    head = ["what", "pages", "CPU µs a page", "times 1,000 pages", "process MB", "Redis MB", "database MB"]
    gauge.table("Small and large crawls", head, _rows(given))
    return 0


def _rows(given: argparse.Namespace) -> Iterator[list[object]]:
    chosen = ["sqlite", "postgres"] if given.database == "both" else [given.database]
    if "postgres" in chosen and find_binaries() is None:
        chosen.remove("postgres")
    if given.record and "sqlite" in chosen:
        yield from _sqlite_rows(given.record)
    if given.record and "postgres" in chosen:
        yield from _postgres_rows(given.cache, given.record)
    for database in chosen:
        yield from crawl_rows(given.cache, given.crawl, database)


if __name__ == "__main__":
    sys.exit(main())
