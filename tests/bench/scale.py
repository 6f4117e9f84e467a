"""`make bench ARGS="scale"`: whether a page costs the same in a large crawl as in a small one.

Real crawls up to `--crawl` pages show processes and Redis; the largest ones are driven without HTTP.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from redis import Redis
from sqlalchemy import text

from shared.store import open_store
from shared.store.migrate import upgrade
from tests.bench import gauge, ours, sites
from tests.bench.frontier import Frontier
from tests.bench.servers import KeptServer
from tests.postgres import find_binaries

_STRETCH = 1_000
#: stretches around a size whose cheapest stands for it: the machine does other things, too
_LOOKS = 5


def frontier_rows(url: str, database: str, most: int) -> Iterator[list[object]]:
    """The record's cost a page on the way to `most` pages."""
    upgrade(url)
    store = open_store(url)
    frontier, done, first = Frontier(store, most + _LOOKS * _STRETCH), 0, 0.0
    for size in (n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= most):
        while done < size - _STRETCH:
            done += frontier.stretch(_STRETCH).pages
        looks = [frontier.stretch(_STRETCH) for _ in range(_LOOKS)]
        done += sum(look.pages for look in looks)
        best = min(look.cpu_us for look in looks)
        first = first or best
        with store.read() as conn:
            sqlite = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            query = sqlite if store.is_sqlite else "SELECT pg_database_size(current_database())"
            size_mb = conn.execute(text(query)).scalar_one() / 1e6
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield [f"record alone, {database}", size, best, best / first, memory, "", size_mb]
    store.close()


def crawl_rows(cache: Path, most: int) -> Iterator[list[object]]:
    """Crawls with everything; queue jobs that ended are kept for a second, so that Redis holds the crawl alone."""
    first = 0.0
    for size in (n for n in (1_000, 10_000, 100_000) if n <= most):
        with ExitStack() as stack:
            host = stack.enter_context(sites.nginx(cache, size))
            rig = stack.enter_context(ours.running(cache, "sqlite", host, CRAWLYARD_COMPLETED_TTL="1"))
            crawled = rig.crawl(host, concurrency=32)
            redis = stack.enter_context(Redis.from_url(rig.system.redis.url))
            used: int = redis.info("memory")["used_memory"]  # type: ignore[index]
            database = sum(f.stat().st_size for f in rig.system.home.glob("bench.db*")) / 1e6
        cost = crawled.worker.cpu / crawled.pages * 1e6
        first = first or cost
        yield ["crawl, sqlite", size, cost, cost / first, crawled.worker.memory_mb, used / 1e6, database]


def _postgres_rows(cache: Path, most: int) -> Iterator[list[object]]:
    binaries = find_binaries()
    if binaries is None:
        return
    server = KeptServer(binaries, cache / "postgres-crawls")
    try:
        server.drop("scale")
        server.create("scale")
        yield from frontier_rows(server.url("scale"), "postgres", most)
    finally:
        server.drop("scale")
        server.stop()


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale")
    parser.add_argument("--crawl", type=int, default=10_000, help="largest crawl with HTTP")
    parser.add_argument("--record", type=int, default=100_000, help="largest one without; 1000000 takes some minutes")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    given.cache.chmod(0o755)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(frontier_rows(f"sqlite:///{folder}/scale.db", "sqlite", given.record))
    rows += _postgres_rows(given.cache, given.record)
    rows += crawl_rows(given.cache, given.crawl)
    head = ["what", "pages", "CPU µs a page", "times the first", "process MB", "Redis MB", "database MB"]
    gauge.table("Small and large crawls", head, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
