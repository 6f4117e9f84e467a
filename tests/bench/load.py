"""`python -m tests.bench.load`: 32 clients read from the API while a crawl runs; any error fails."""

import argparse
import http.client
import itertools
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.system import KEY, System
from tests.bench.reads import share
from tests.postgres import PostgresServer, find_binaries
from tests.site import Site, linked_site
from tests.waiting import until

_PROCESSES = 4
_SHORT, _LONG = 5.0, 60.0
_PAGES = 20_000
#: pages of the crawl that are done before the reading begins
_KNOWN = 200
_HEADERS = {"Authorization": f"Bearer {KEY}"}


@dataclass(slots=True)
class Result:
    """What one client, or all of them, saw."""

    times: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Result") -> None:
        """Takes the other's figures in."""
        for name, times in other.times.items():
            self.times.setdefault(name, []).extend(times)
        self.errors += other.errors

    @property
    def all_times(self) -> list[float]:
        """Of every kind of request, in seconds."""
        return list(itertools.chain.from_iterable(self.times.values()))

    @property
    def server_errors(self) -> int:
        """Answers of 500 and above."""
        return sum(n for what, n in self.errors.items() if what.split()[-1] in map(str, range(500, 600)))


def mix(job: str, tasks: list[str]) -> list[tuple[str, Callable[[], str]]]:
    """Kinds of reads, each with a maker of paths."""
    filters = ("status=completed", "status_code=200", "path=page", "cache=miss", "sort=-response_time")
    states = ("waiting", "active", "completed", "failed", "delayed")

    def some_tasks() -> str:
        return f"/v1/jobs/{job}/tasks?{'&'.join(random.sample(filters, 2))}&offset={random.choice((0, 50, 150))}"

    return [
        ("job list", lambda: "/v1/jobs?include=stats,progress,domain"),
        ("job", lambda: f"/v1/jobs/{job}"),
        ("tasks", some_tasks),
        ("summary", lambda: f"/v1/jobs/{job}/tasks?limit=1"),
        ("queue jobs", lambda: f"/api/jobs?status={random.choice(states)}"),
        ("stats", lambda: "/api/jobs/stats"),
        ("task by hash", lambda: f"/v1/tasks/{random.choice(tasks)}"),
    ]


def _client(port: int, job: str, tasks: list[str], seconds: float, result: Result) -> None:
    kinds, deadline = mix(job, tasks), time.monotonic() + seconds
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    while time.monotonic() < deadline:
        name, path = random.choice(kinds)
        began = time.perf_counter()
        try:
            link.request("GET", path(), headers=_HEADERS)
            answer = link.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            result.errors[f"{name}: {type(error).__name__}"] += 1
            link.close()
            continue
        result.times.setdefault(name, []).append(time.perf_counter() - began)
        if answer.status != 200:
            result.errors[f"{name}: {answer.status}"] += 1
    link.close()


def _clients(given: tuple[int, int, str, list[str], float]) -> Result:
    """Runs some clients in this process."""
    n, *rest = given
    results = [Result() for _ in range(n)]
    threads = [threading.Thread(target=_client, args=(*rest, result)) for result in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _sum(results)


def _sum(results: list[Result]) -> Result:
    total = Result()
    for result in results:
        total.add(result)
    return total


@contextmanager
def crawling(database: str) -> Iterator[tuple[System, str]]:
    """A system in the middle of a crawl, and the crawl's id."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crawlyard-load-")))
        url = f"sqlite:///{home / 'load.db'}"
        if database == "postgres" and (binaries := find_binaries()):
            server = PostgresServer(binaries)
            stack.callback(server.stop)
            url = server.url(server.create())
        site = stack.enter_context(Site(linked_site(_PAGES), delay=0.02))
        system = stack.enter_context(System(home, url, CRAWLYARD_ALLOW_PRIVATE=site.host, WEB_CONCURRENCY="2"))
        system.start()
        job = system.crawl(f"http://{site.host}")
        until(lambda: system.pages_done(job) >= _KNOWN, 60, "the crawl does not get on")
        yield system, job


def run(clients: int, seconds: float, database: str) -> int:
    """Measures and prints; the number of errors."""
    spawn = multiprocessing.get_context("spawn")
    everyone = spawn.Barrier(_PROCESSES + 1)
    with crawling(database) as (system, job), spawn.Pool(_PROCESSES, everyone.wait) as pool:
        everyone.wait(60)
        tasks = [task["id"] for task in system.get(f"/v1/jobs/{job}/tasks?limit=200")["tasks"]]
        before = system.pages_done(job)
        began = time.monotonic()
        work = (clients // _PROCESSES, system.port, job, tasks, seconds)
        total = _sum(pool.map(_clients, [work] * _PROCESSES))
        took = time.monotonic() - began
        after, status = system.pages_done(job), system.job(job)["status"]
    print(f"{clients} clients, {took:.1f} s on {database}; the crawl ({status}) got {after - before} pages meanwhile")
    _print(total, took)
    return sum(total.errors.values())


def _print(total: Result, took: float) -> None:
    for name, times in [*sorted(total.times.items()), ("all", total.all_times)]:
        p50, p99 = (1000 * share(times, part) for part in (0.5, 0.99))
        print(
            f"{name:14}{len(times) / took:9.1f}/s  p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  max {1000 * max(times):7.1f}"
        )
    print(f"errors: {sum(total.errors.values())}, of them 5xx: {total.server_errors}")
    for what, n in total.errors.most_common(20):
        print(f"  {n} x {what}")


def main() -> int:
    """The exit code: 1 after any error."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=_LONG)
    parser.add_argument("--short", action="store_true", help=f"{_SHORT:g} s")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    given = parser.parse_args()
    return int(run(given.clients, _SHORT if given.short else given.seconds, given.database) > 0)


if __name__ == "__main__":
    sys.exit(main())
