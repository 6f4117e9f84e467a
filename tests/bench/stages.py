"""`make bench ARGS="stages"`: what each stage of a page costs, from a real crawl of a real worker process."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.bench import gauge, ours, sites
from tests.bench.staged import STAGES

_PAGES = 3_000


def measure(cache: Path, database: str, pages: int, crawls: int) -> dict[str, float]:
    """Microseconds of CPU a page by stage. The first crawl of a domain, or the last of several."""
    with sites.nginx(cache, pages) as host, tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "stages.json"
        found: list[dict[str, float]] = []
        with ours.running(cache, database, host) as rig:
            for _ in range(crawls):
                crawled = rig.crawl_by(["-m", "tests.bench.staged"], host, BENCH_STAGES=str(report))
                found.append({k: v / crawled.pages * 1e6 for k, v in json.loads(report.read_text()).items()})
    return found[-1]


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stages")
    parser.add_argument("--pages", type=int, default=_PAGES)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    columns: dict[str, dict[str, float]] = {}
    for database in ("sqlite", "postgres"):
        for name, crawls in (("first crawl", 1), ("second crawl", 2)):
            rounds = [measure(given.cache, database, given.pages, crawls) for _ in range(given.rounds)]
            columns[f"{database}, {name}"] = min(rounds, key=lambda r: sum(r.values()))
    rows = [[stage, *(column.get(stage, 0.0) for column in columns.values())] for stage in [*STAGES, "rest"]]
    sums = ["all", *(sum(column.values()) for column in columns.values())]
    gauge.table("CPU of a worker by stage, µs a page", ["stage", *columns], [*rows, sums])
    return 0


if __name__ == "__main__":
    sys.exit(main())
