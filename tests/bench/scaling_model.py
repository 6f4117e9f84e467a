"""`python -m tests.bench.scaling_model`: what a fleet needs, from what one page and one idle worker cost.

The constants are measured (`python -m tests.bench.scaling` writes them to scaling.json), the tables modelled.
"""

import argparse
import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MEASURED = Path(__file__).with_name("scaling.json")
FLEETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured. CPU in ms of one core, sizes in bytes."""

    #: per crawled page
    worker_cpu: float
    scheduler_cpu: float
    redis_cpu: float
    redis_commands: float
    redis_bytes: float
    sql_cpu: float
    commits: float
    wal: float
    #: what a page leaves on the disk of PostgreSQL, indexes included
    stored: float
    #: what Redis holds of a page until its queue job expires
    kept: float
    #: per page of the commits of one job, which follow each other because each locks the job's row; CPU of both ends
    job_serial: float
    #: per second of one idle worker process
    idle_redis_cpu: float
    idle_redis_commands: float
    idle_sql_cpu: float
    idle_commits: float
    idle_worker_cpu: float
    #: per worker process, in the middle of a crawl
    redis_connections: float
    sql_connections: float


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Chosen, not measured."""

    #: seconds that a page holds a thread: the web's answer, robots, waiting
    page_seconds: float = 0.5
    threads: int = 32
    #: most of its one core that Redis should use, and of theirs that workers should
    full: float = 0.7
    #: cores of the PostgreSQL machine
    sql_cores: int = 32
    #: seconds that Redis keeps ended queue jobs (CRAWLYARD_COMPLETED_TTL)
    kept_seconds: int = 600
    #: connections of each worker process: those that its pool keeps (it may hold twice as many for a moment)
    pool: int = 5
    #: connections that PostgreSQL, or the pooler in front of it, serves well
    sql_connections: int = 2000


@dataclass(frozen=True, slots=True)
class Need:
    """What a number of worker processes does and needs, modelled."""

    workers: int
    #: pages a second of all
    rate: float
    #: share of one core
    redis: float
    redis_commands: float
    #: bytes
    redis_memory: float
    #: cores
    sql: float
    commits: float
    #: bytes a second
    wal: float
    sql_connections: float
    #: installations of their own (PostgreSQL, Redis, scheduler, workers) that this has to be divided into
    cells: int
    #: what asks for that number of cells
    limit: str


def rate_of_one(costs: Costs, given: Assumptions) -> float:
    """Pages a second of one worker process on a core of its own: bound by its core or by its threads."""
    return min(given.full * 1000 / costs.worker_cpu, given.threads / given.page_seconds)


def need(costs: Costs, given: Assumptions, workers: int) -> Need:
    """What so many worker processes need when all have work."""
    rate = workers * rate_of_one(costs, given)
    redis = (rate * costs.redis_cpu + workers * costs.idle_redis_cpu) / 1000
    sql = (rate * costs.sql_cpu + workers * costs.idle_sql_cpu) / 1000
    connections = float(workers * given.pool)
    shares = {
        "Redis' core": redis / given.full,
        "PostgreSQL's cores": sql / (given.sql_cores * given.full),
        "PostgreSQL's connections": connections / given.sql_connections,
    }
    limit = max(shares, key=lambda name: shares[name])
    cells = max(1, math.ceil(shares[limit]))
    return Need(
        workers=workers,
        rate=rate,
        redis=redis,
        redis_commands=rate * costs.redis_commands + workers * costs.idle_redis_commands,
        redis_memory=rate * given.kept_seconds * costs.kept,
        sql=sql,
        commits=rate * costs.commits + workers * costs.idle_commits,
        wal=rate * costs.wal,
        sql_connections=connections,
        cells=cells,
        limit=limit if cells > 1 else "–",
    )


def most_workers(costs: Costs, given: Assumptions) -> int:
    """Worker processes that one cell carries."""
    workers = 1
    while need(costs, given, workers + 1).cells == 1 and workers < 100_000:
        workers += 1
    return workers


def most_of_one_job(costs: Costs) -> float:
    """Pages a second that one job can have recorded, however many workers there are."""
    return 1000 / costs.job_serial


def days(pages: float, rate: float) -> float:
    """Days that so many pages take."""
    return pages / rate / _DAY


def load(path: Path = MEASURED) -> Costs:
    """The constants of the last measurement."""
    return Costs(**json.loads(path.read_text())["costs"])


def table(costs: Costs, given: Assumptions, fleets: Iterable[int] = FLEETS) -> list[str]:
    """Lines of Markdown, one a fleet."""
    heads = ("workers", "pages/s", "Redis core", "Redis cmd/s", "Redis GB", "SQL cores", "commits/s", "WAL MB/s")
    heads += ("SQL conn.", "10^9 pages, days", "cells", "limit")
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for n in (need(costs, given, workers) for workers in fleets):
        cells: tuple[object, ...] = (n.workers, f"{n.rate:,.0f}", f"{n.redis:.2f}", f"{n.redis_commands:,.0f}")
        cells += (f"{n.redis_memory / 1e9:.2f}", f"{n.sql:.1f}", f"{n.commits:,.0f}", f"{n.wal / 1e6:.1f}")
        cells += (f"{n.sql_connections:,.0f}", f"{days(1e9, n.rate):,.1f}", n.cells, n.limit)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def report(costs: Costs, given: Assumptions) -> str:
    """All that is printed."""
    measured = [f"| {field.name} | {getattr(costs, field.name):,.2f} |" for field in dataclasses.fields(costs)]
    one = most_workers(costs, given)
    return "\n".join(
        (
            f"MEASURED ({MEASURED.name}): CPU in ms, sizes in bytes, per page; idle_*: per second of an idle worker",
            "",
            "| constant | value |",
            "| --- | --- |",
            *measured,
            "",
            f"ASSUMED: {given}",
            "",
            "MODELLED",
            "",
            *table(costs, given),
            "",
            f"One cell carries {one} worker processes, {one * rate_of_one(costs, given):,.0f} pages/s.",
            f"One job has at most {most_of_one_job(costs):,.0f} pages/s recorded.",
            f"10^9 pages: {costs.stored:,.0f} GB in PostgreSQL, {costs.wal / 1000:,.1f} TB of WAL on the way.",
        )
    )


def main() -> None:
    """Prints the measured constants, the assumptions and the modelled tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling_model", description=main.__doc__)
    for field in dataclasses.fields(Assumptions):
        kind = int if isinstance(field.default, int) else float
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    print(report(load(), Assumptions(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
