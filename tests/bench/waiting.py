"""`make bench ARGS="waiting"`: sites that take their time, where threads and slots count instead of the CPU."""

import argparse
import math
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from shared.clock import now_us
from shared.states import SourceType, TaskKind
from tests.bench import gauge, ours, sites
from tests.bench.ours import Rig
from tests.waiting import until

_SECONDS = 0.2
#: ours of the ideal, by concurrency
_LEAST = {20: 0.97, 100: 0.92}
_HOSTS, _STEP = 10, 0.05


def share_of_ideal(cache: Path, concurrency: int, pages: int, workers: int = 1, threads: int | None = None) -> float:
    """What `concurrency` slots need at 200 ms a page, of what the crawl took."""
    env = {"WORKER_THREADS": str(threads or concurrency + 8)}
    with sites.slow(pages, _SECONDS) as (host,), ours.running(cache, "sqlite", host, workers, **env) as rig:
        crawl = rig.crawl(host, concurrency=concurrency)
    return ideal(crawl.pages, concurrency) / crawl.seconds


def ideal(pages: int, concurrency: int) -> float:
    """Seconds for so many pages: the first one alone, since it names the others."""
    return (1 + math.ceil((pages - 1) / concurrency)) * _SECONDS


def jain(shares: Sequence[float]) -> float:
    """Jain's fairness index: 1 when all have the same, 1/n when one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(s * s for s in shares))


@contextmanager
def _beside(cache: Path, seconds: float, n: int, pages: int, threads: int) -> Iterator[tuple[Rig, list[str]]]:
    """A system and n hosts."""
    with sites.slow(pages, seconds, n) as hosts, _running(cache, hosts, threads) as rig:
        yield rig, hosts


def _running(cache: Path, hosts: list[str], threads: int) -> AbstractContextManager[Rig]:
    return ours.running(cache, "sqlite", ",".join(hosts), WORKER_THREADS=str(threads))


def slots_of_hosts(cache: Path, seconds: float) -> list[float]:
    """How many slots each of ten hosts had on average; the nth takes n times 50 ms, all are crawled at once."""
    with _beside(cache, _STEP, _HOSTS, 100_000, 64) as (rig, hosts):
        jobs = [rig.system.crawl(f"http://{host}/", use_sitemap=False, concurrency=20) for host in hosts]
        until(lambda: all(rig.system.pages_done(job) for job in jobs), 60, "some host gets no turn")
        before, began = [rig.system.pages_done(job) for job in jobs], time.monotonic()
        time.sleep(seconds)
        after, took = [rig.system.pages_done(job) for job in jobs], time.monotonic() - began
    return [(b - a) / took * _STEP * nth for nth, (a, b) in enumerate(zip(before, after, strict=True), 1)]


_TASK = {"kind": int(TaskKind.CRAWL_PAGE), "source": int(SourceType.LINK_CRAWL)}
_PENDING = """
INSERT INTO tasks (id, job_id, url_hash, kind, state, path, source_type, created_at)
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :first + :pages - 1)
SELECT (:job << 32) | i, :job, i, :kind, 3, '/p' || i || '.html', :source, :now FROM n
"""


def _fill(rig: Rig, pages: int) -> None:
    """Gives the only job so many pending pages."""
    with sqlite3.connect(rig.system.home / "bench.db", isolation_level=None, timeout=30) as db:
        db.execute("BEGIN IMMEDIATE")
        job, first = db.execute("SELECT job_id, next_seq FROM job_state").fetchone()
        db.execute(_PENDING, {"job": job, "first": first, "pages": pages, **_TASK, "now": now_us()})
        added = {"n": pages, "job": job}
        db.execute(
            "UPDATE job_state SET next_seq = next_seq + :n, n_pages = n_pages + :n, n_open = n_open + :n"
            " WHERE job_id = :job",
            added,
        )
        db.execute("COMMIT")


def start_beside(cache: Path, pages: int) -> float:
    """Seconds until a one-page job starts beside a crawl that has so many pages to go."""
    with _beside(cache, _SECONDS, 2, 10 * pages, 32) as (rig, hosts):
        large = rig.system.crawl(f"http://{hosts[0]}/", use_sitemap=False, concurrency=100)
        until(lambda: rig.system.pages_done(large) > 50, 60, "the large crawl does not get on")
        _fill(rig, pages)
        done = rig.system.pages_done(large)
        until(lambda: rig.system.pages_done(large) > done + 50, 120, "the large crawl does not get on")
        job = rig.system.ended(rig.system.crawl(f"http://{hosts[1]}/", use_sitemap=False, max_pages=1))
    created, started = (datetime.fromisoformat(job[key]) for key in ("created_at", "started_at"))
    return (started - created).total_seconds()


def main() -> int:
    """Prints the table; 1 where something is below its least."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.waiting")
    parser.add_argument("--pages", type=int, default=3_000)
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    rows: list[list[object]] = []
    for concurrency, least in _LEAST.items():
        pages = given.pages * concurrency // 20
        share = max(share_of_ideal(given.cache, concurrency, pages) for _ in range(given.rounds))
        rows.append([f"one process, concurrency {concurrency}, of the ideal", share, least, share >= least])
    one, two = (
        max(share_of_ideal(given.cache, 40, given.pages, workers, 20) for _ in range(given.rounds))
        for workers in (1, 2)
    )
    rows.append(["two processes of 20 threads, times one", two / one, 1.95, two / one >= 1.95])
    slots = slots_of_hosts(given.cache, 15)
    rates = [slot / nth for nth, slot in enumerate(slots, 1)]
    least = f"least {min(slots):.1f}"
    rows.append([f"ten hosts of 50 to 500 ms, Jain's index of their slots ({least})", jain(slots), "", ""])
    rows.append(["the same of their pages a second, which count where the CPU is short", jain(rates), "", ""])
    seconds = start_beside(given.cache, given.pending)
    rows.append([f"start of a job beside one of {given.pending:,} pages, s", seconds, "at most 1", seconds <= 1])
    gauge.table("Sites of 200 ms a page", ["what", "measured", "wanted", "kept"], rows)
    return 1 if any(row[3] is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
