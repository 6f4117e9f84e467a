"""`make bench ARGS="crawl"`: a site crawled by its links, by us and by other crawlers, in turns in one run."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.embedded import start_redis
from tests.bench import gauge, ours, sites
from tests.bench.peers import install
from tests.bench.peers.install import Environment

PEERS = Path(install.__file__).parent
ROOT = PEERS.parents[2]
_PATIENCE = 900


@dataclass(frozen=True, slots=True)
class Result:
    """One crawl."""

    pages: int
    seconds: float
    #: seconds of the crawling process; of Redis, PostgreSQL and our other processes
    cpu: float
    others: float
    memory_mb: float

    @property
    def per_cpu_second(self) -> float:
        """Pages for each second of the crawling process's CPU."""
        return self.pages / self.cpu


@dataclass(frozen=True, slots=True)
class Runner:
    """One crawler. `crawl` is given its environment, the site's host:port and the cache folder."""

    name: str
    environment: Callable[[Path], Environment]
    crawl: Callable[[Environment, str, Path], Result]
    #: least ratio of our pages per CPU-second to theirs
    least: float = 0.0


def _ours(database: str) -> Runner:
    def crawl(_: Environment, host: str, cache: Path) -> Result:
        with ours.running(cache, database, host) as rig:
            c = rig.crawl(host, concurrency=32)
        return Result(c.pages, c.seconds, c.worker.cpu, c.others.cpu + c.database.cpu, c.worker.memory_mb)

    return Runner(f"Crawlyard, {database}", lambda _: Environment((), "this"), crawl)


def _python(name: str, least: float, script: str, mode: str, *packages: str) -> Runner:
    def environment(cache: Path) -> Environment:
        found = install.python(cache, f"{Path(script).stem}-{mode}", *packages)
        return Environment((*found.command, str(PEERS / script), mode), found.version)

    return Runner(name, environment, _peer, least)


def _node(name: str, least: float, script: str, package: str) -> Runner:
    return Runner(name, lambda cache: install.node(cache, Path(script).stem, script, package), _peer, least)


def _peer(environment: Environment, host: str, _cache: Path) -> Result:
    with tempfile.TemporaryDirectory() as home:
        redis = start_redis(Path(home))
        env = os.environ | {"PYTHONPATH": f"{PEERS}{os.pathsep}{ROOT}", "REDIS_URL": redis.url}
        try:
            before = gauge.usage(redis.process.pid)
            command = [*environment.command, f"http://{host}/"]
            with Path(home, "log").open("wb") as log:
                done = subprocess.run(
                    command, env=env, cwd=home, check=True, stdout=subprocess.PIPE, stderr=log, timeout=_PATIENCE
                )
            used = gauge.usage(redis.process.pid).since(before)
        finally:
            redis.stop()
    told = json.loads(done.stdout.splitlines()[-1])
    return Result(told["pages"], told["seconds"], told["cpu"], used.cpu, told["memory_mb"])


RUNNERS = (
    _ours("sqlite"),
    _ours("postgres"),
    _python("Scrapy", 10, "scrapy_peer.py", "stock", "scrapy==2.19.*"),
    _python("Scrapy, lean", 8, "scrapy_peer.py", "lean", "scrapy==2.19.*"),
    _python("Scrapy, tuned", 3, "scrapy_peer.py", "tuned", "scrapy==2.19.*", "uvloop", "selectolax", "ada-url"),
    _python("scrapy-redis", 15, "scrapy_peer.py", "redis", "scrapy-redis", "scrapy==2.19.*", "hiredis"),
    _python("Crawlee, Python", 6, "crawlee_peer.py", "parsel", "crawlee[parsel]", "uvloop"),
    _node("Crawlee, Node.js", 6, "crawlee.mjs", "@crawlee/cheerio"),
)


def ceiling(host: str) -> float:
    """Pages a second that `wrk` gets from the server; 0 where it is not installed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return 0.0
    command = [wrk, "-t1", "-c32", "-d5s", f"http://{host}/p7.html"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    return float(found[1]) if found else 0.0


def measure(runners: list[Runner], cache: Path, pages: int, rounds: int) -> tuple[dict[str, Result], float]:
    """Each crawler's best round by CPU, and the server's ceiling."""
    environments = {runner.name: runner.environment(cache) for runner in runners}
    best: dict[str, Result] = {}
    with sites.nginx(cache, pages) as host:
        top = ceiling(host)
        for _ in range(rounds):
            for runner in runners:  # in turns, so that a busy minute of the machine meets all
                result = runner.crawl(environments[runner.name], host, cache)
                assert result.pages >= pages, f"{runner.name} found {result.pages} pages of {pages}"
                best[runner.name] = max(best.get(runner.name, result), result, key=lambda r: r.per_cpu_second)
    return best, top


def rows(best: dict[str, Result], runners: list[Runner], versions: dict[str, str]) -> list[list[object]]:
    """The table."""
    mine = best[RUNNERS[0].name]
    return [
        [
            f"{runner.name} {versions[runner.name]}",
            r.pages / r.seconds,
            r.cpu / r.pages * 1000,
            r.others / r.pages * 1000,
            mine.per_cpu_second / r.per_cpu_second,
            runner.least or "",
            r.memory_mb,
        ]
        for runner in runners
        for r in [best[runner.name]]
    ]


def main() -> int:
    """Prints the table; 1 where a ratio is below its least."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crawl")
    parser.add_argument("--pages", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="crawlers whose names have this in them, beside ours on SQLite")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    runners = [r for r in RUNNERS if given.only.lower() in r.name.lower() or r is RUNNERS[0]]
    best, top = measure(runners, given.cache, given.pages, given.rounds)
    versions = {runner.name: runner.environment(given.cache).version for runner in runners}
    head = [
        "crawler",
        "pages/s",
        "CPU s per 1,000",
        "others' CPU s",
        "pages per CPU-s, ours / theirs",
        "at least",
        "MB",
    ]
    gauge.table(f"{given.pages:,} pages, {sites.LINKS} links each", head, rows(best, runners, versions))
    print(f"`wrk` gets {top:,.0f} pages/s from the server." if top else "`wrk` is not installed.")
    mine = best[RUNNERS[0].name]
    short = [r.name for r in runners if mine.per_cpu_second / best[r.name].per_cpu_second < r.least]
    print(f"below the least: {', '.join(short)}" if short else "every ratio kept")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
