"""`python -m tests.bench.scaling`: measures what the scaling model is made of, and writes it to scaling.json.

Crawls with real worker processes on PostgreSQL, counts what they use while they have nothing to do, and lets
hundreds of simulated ones beat and ask for work. CPU times hardly depend on what else the machine does.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from shared.queue import connect
from tests.acceptance.system import System
from tests.bench import scaling_parts as parts
from tests.bench.scaling_model import MEASURED, Costs
from tests.bench.scaling_parts import children, cpu
from tests.postgres import PostgresServer, find_binaries
from tests.waiting import until

#: seconds of which an idle system is watched
_IDLE = 12.0


class Durable(PostgresServer):
    """The tests' server, but with commits that are written as in production."""

    flags = ("-c", "synchronous_commit=on", "-c", "fsync=on", "-c", "full_page_writes=on", "-c", "max_wal_size=4GB")


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums at a moment. CPU in ms, sizes in bytes."""

    worker: float
    scheduler: float
    sql: float
    redis: float
    commands: float
    traffic: float
    memory: float
    commits: float
    wal: float
    stored: float
    clients: float
    sessions: float

    def since(self, before: "Sample") -> "Sample":
        """What came on top."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(before), strict=True)
        return Sample(*(a - b for a, b in pairs))


class Bench:
    """A system on PostgreSQL and what it uses."""

    def __init__(self, system: System, server: PostgresServer) -> None:
        self._system, self._server = system, server
        self._url = system.env["DATABASE_URL"].replace("+psycopg", "")

    def sample(self) -> Sample:
        """What has been used until now."""
        time.sleep(1.5)  # PostgreSQL's backends report their counts within a second
        query = """SELECT xact_commit, pg_database_size(current_database()), pg_current_wal_lsn() - '0/0',
          (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crawlyard')
          FROM pg_stat_database WHERE datname = current_database()"""
        with psycopg.connect(self._url, autocommit=True) as link:
            row: Any = link.execute(query).fetchone()
        with connect(self._system.redis.url) as redis:
            info: Any = redis.info()
        commits, stored, wal, sessions = map(float, row)
        main = self._server.process.pid
        return Sample(
            worker=sum(cpu(w.pid) for w in self._system.workers),
            scheduler=cpu(self._scheduler),
            sql=cpu(main) + sum(map(cpu, children(main))),
            redis=1000 * (info["used_cpu_user"] + info["used_cpu_sys"]),
            commands=info["total_commands_processed"],
            traffic=info["total_net_input_bytes"] + info["total_net_output_bytes"],
            memory=info["used_memory"],
            commits=commits,
            wal=wal,
            stored=stored,
            clients=info["connected_clients"],
            sessions=sessions,
        )

    def start(self, workers: int) -> None:
        """Starts all processes, and waits until the workers have said so."""
        self._system.start(workers)
        self._scheduler = self._system._processes[2].pid
        with connect(self._system.redis.url) as redis:
            until(lambda: redis.scard("rq:workers") == workers, 60, "the workers are there")


@contextmanager
def bench(workers: int, site: str) -> Iterator[tuple[Bench, System]]:
    """A system that is ready."""
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed")
    server = Durable(binaries)
    try:
        with tempfile.TemporaryDirectory(prefix="crawlyard-scaling-") as home:
            options = {"CRAWLYARD_ALLOW_PRIVATE": site, "WORKER_THREADS": "32", "LOG_LEVEL": "WARNING"}
            with System(Path(home), server.url(server.create()), **options) as system:
                made = Bench(system, server)
                made.start(workers)
                yield made, system
    finally:
        server.stop()


@contextmanager
def serving(pages: int) -> Iterator[str]:
    """A site in a process of its own; its host:port."""
    argv = [sys.executable, "-m", "tests.site", "--pages", str(pages)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        yield (process.stdout.readline() if process.stdout else "").strip().removeprefix("http://").rstrip("/")
    finally:
        process.kill()
        process.wait()


def crawl(workers: int, pages: int) -> tuple[Sample, float, Sample]:
    """What a crawl used, its seconds, and what there was at its end."""
    with serving(pages) as site, bench(workers, site) as (measured, system):
        before, began = measured.sample(), time.monotonic()
        job = system.crawl(f"http://{site}", concurrency=100)
        peak: list[Sample] = []
        watcher = threading.Timer(5.0, lambda: peak.append(measured.sample()))
        watcher.start()
        system.ended(job, 600)
        took = time.monotonic() - began
        watcher.join()
        return measured.sample().since(before), took, peak[0]


def idle(workers: int) -> Sample:
    """What workers without work use in a second, all together with scheduler and API."""
    with bench(workers, "127.0.0.1:1") as (measured, _):
        before, began = measured.sample(), time.monotonic()
        time.sleep(_IDLE)
        used, seconds = measured.sample().since(before), time.monotonic() - began
    return Sample(*(value / seconds for value in dataclasses.astuple(used)))


def costs(pages: int, workers: int) -> tuple[Costs, list[str]]:
    """Measures everything; also what it prints on the way."""
    lines = []
    runs = {n: crawl(n, pages) for n in (1, 2, workers)}
    for n, (used, took, peak) in runs.items():
        lines.append(
            f"| {n} | {pages / took:,.0f} | {used.worker / pages:.2f} | {used.sql / pages:.2f} "
            f"| {used.redis / pages:.3f} | {used.commands / pages:.1f} | {used.commits / pages:.2f} "
            f"| {peak.clients:.0f} | {peak.sessions:.0f} |"
        )
        print(lines[-1], flush=True)
    alone, many = idle(1), idle(workers)
    each = Sample(*(value / (workers - 1) for value in dataclasses.astuple(many.since(alone))))
    used, _, peak = runs[workers]
    first = runs[1][2]
    serial = parts.serial_ms()
    lines += parts.simulated()
    print(*lines[-4:], sep="\n", flush=True)
    return Costs(
        worker_cpu=used.worker / pages,
        scheduler_cpu=used.scheduler / pages,
        redis_cpu=used.redis / pages,
        redis_commands=used.commands / pages,
        redis_bytes=used.traffic / pages,
        sql_cpu=used.sql / pages,
        commits=used.commits / pages,
        wal=used.wal / pages,
        stored=used.stored / pages,
        kept=used.memory / pages,
        job_serial=serial,
        idle_redis_cpu=each.redis,
        idle_redis_commands=each.commands,
        # an idle worker asks nothing of the database: what is left is the noise of scheduler and vacuum
        idle_sql_cpu=max(0.0, each.sql),
        idle_commits=max(0.0, each.commits),
        idle_worker_cpu=each.worker,
        redis_connections=(peak.clients - first.clients) / (workers - 1),
        sql_connections=(peak.sessions - first.sessions) / (workers - 1),
    ), lines


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--out", type=Path, default=MEASURED)
    given = parser.parse_args()
    found, lines = costs(given.pages, given.workers)
    values = {name: round(value, 4) for name, value in dataclasses.asdict(found).items()}
    given.out.write_text(json.dumps({"costs": values, "measured": lines}, indent=1, ensure_ascii=False) + "\n")
    print(given.out.read_text())


if __name__ == "__main__":
    main()
