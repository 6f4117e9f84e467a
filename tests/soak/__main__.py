"""`python -m tests.soak`: crawls one site after another while faults are injected, and counts after each.

Exit status 1, the seed and the details on any violation.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from shared import jobs as use_cases
from shared.errors import Unavailable
from shared.models import Job, JobOptions
from shared.queue import TaskQueue, connect
from shared.states import ACTIVE_JOB, FINAL
from shared.store import Store, counters, jobs, keys, migrate, open_store
from shared.store.jobs import FirstTask
from tests.sentinels import SentinelRedis
from tests.soak import fuzz, logs
from tests.soak.faults import Faults, Target
from tests.soak.fleet import Fleet, Role, group
from tests.soak.services import Postgres, RedisServer
from tests.soak.verify import Crawl, Report, verify

T = TypeVar("T")
REDIS: dict[str, type[RedisServer] | type[SentinelRedis]] = {"single": RedisServer, "sentinel": SentinelRedis}
#: seconds without any page ended after which a job is stuck, and that the end of the faults leaves it
STUCK = 90.0
_SETTLE = 25.0
#: a replica may bring back delays that were over; they are cleared away a minute after they were due
_SETTLE_AFTER_FAILOVER = 100.0


def main() -> None:
    """Runs the soak."""
    args = _arguments()
    problems = list(fuzz.run(args.fuzz_seconds))
    print(*(f"VIOLATION: fuzz {problem}" for problem in problems), sep="\n", flush=True)
    failed = bool(problems)
    for name in _databases(args):
        seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
        print(f"soak on {name}: seed {seed}", flush=True)
        failed |= not Soak(args, name, seed).run()
    sys.exit(1 if failed else 0)


def _databases(args: argparse.Namespace) -> tuple[str, ...]:
    if not args.minutes:
        return ()
    return ("sqlite", "postgres") if args.database == "both" else (args.database,)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("MINUTES", 5)), help="per database")
    parser.add_argument("--fuzz-seconds", type=float, default=60.0, help="before the crawls; --minutes 0: these only")
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=40)
    parser.add_argument("--threads", type=int, default=16, help="of each of the four workers")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument(
        "--redis", choices=tuple(REDIS), default="single", help="one server, or a group that fails over"
    )
    parser.add_argument("--faults", default="", help="only these, comma-separated")
    parser.add_argument("--every", type=float, nargs=2, default=(2.0, 6.0), help="seconds between two faults")
    return parser.parse_args()


class Soak:
    """Services, processes and crawls on one database."""

    def __init__(self, args: argparse.Namespace, database: str, seed: int) -> None:
        self._args, self._name, self._seed, self._rng = args, database, seed, random.Random(seed)
        self._home = Path(tempfile.mkdtemp(prefix=f"crawlyard-soak-{database}-"))
        self._redis = REDIS[args.redis](self._home / "redis")
        self._postgres = Postgres() if database == "postgres" else None
        self._url = self._postgres.url(self._postgres.create()) if self._postgres else f"sqlite:///{self._home}/soak.db"
        migrate.upgrade(self._url)
        self._store: Store = open_store(self._url)
        self._organisation = keys.create(self._store, None, "soak")[0].organisation_id
        self._queue = TaskQueue(connect(self._redis.url))
        self.problems: list[str] = []
        self._counts: Counter[str] = Counter()
        self._rows: list[str] = []

    def run(self) -> bool:
        """Crawls until the minutes are over; whether nothing was violated."""
        deadline = time.monotonic() + 60 * self._args.minutes
        fleet = Fleet(self._roles(), self._env(), self._home)
        try:
            while time.monotonic() < deadline:
                self._one(fleet, deadline)
        finally:
            fleet.stop()
            self._redis.stop()
            if self._postgres:
                self._postgres.stop()
        self.problems += fleet.problems + logs.complaints(fleet.logs.values())
        self._print()
        return not self.problems

    def _roles(self) -> list[Role]:
        schedulers = [Role(f"scheduler{n}", ("scheduler",)) for n in range(1 + self._seed % 2)]
        return [group(1, self._args.threads), group(2, self._args.threads), *schedulers]

    def _env(self) -> dict[str, str]:
        return {
            **os.environ,
            "CRAWLYARD_HOME": str(self._home),
            "REDIS_URL": self._redis.url,
            "DATABASE_URL": self._url,
            "CRAWLYARD_ALLOW_PRIVATE": "127.0.0.0/8",
            "LOG_LEVEL": "WARNING",
            "GRACE": "8",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "PYTHONUNBUFFERED": "1",
        }

    # -- one crawl -------------------------------------------------------------------

    def _one(self, fleet: Fleet, deadline: float) -> None:
        number = len(self._rows) + 1
        log = self._home / f"site{number}.log"
        argv = [sys.executable, "-m", "tests.soak.site", "--pages", str(self._args.pages), "--seed", str(self._seed)]
        site = subprocess.Popen([*argv, "--log", str(log)], stdout=subprocess.PIPE, text=True)
        try:
            port = site.stdout.readline().strip() if site.stdout else ""
            crawl = Crawl(self._submit(f"http://127.0.0.1:{port}"), self._args.pages, log)
            sqlite = None if self._postgres else f"{self._home}/soak.db"
            only = frozenset(filter(None, self._args.faults.split(",")))
            target = Target(fleet, self._redis, self._postgres, sqlite, only, tuple(self._args.every), crawl.events)
            faults = Faults(target, self._rng)
            started = time.monotonic()
            faults.start()
            try:
                self._await_end(crawl.job, deadline)
            finally:
                faults.stop()
            self._await_end(crawl.job, float("inf"))
            took = time.monotonic() - started
            self._conclude(number, crawl, faults, took)
        finally:
            site.kill()
            site.wait()

    def _submit(self, origin: str) -> Job:
        options = JobOptions(
            concurrency=self._args.concurrency,
            use_sitemap=self._rng.random() < 0.5,
            max_pages=self._rng.choice((0, 0, self._args.pages * 2 // 3)),
        )
        job, _ = use_cases.submit_crawl(self._store, self._queue, self._organisation, origin, options, FirstTask())
        print(f"job {job.id}: sitemap {options.use_sitemap}, max_pages {options.max_pages}", flush=True)
        return job

    def _await_end(self, job: Job, deadline: float) -> None:
        """Waits for the job's end, at most until the deadline or until nothing happens any more."""
        ended, since = -1, time.monotonic()
        while time.monotonic() < deadline:
            active, now_ended = self._patiently(lambda: self._look(job))
            if now_ended != ended:
                ended, since = now_ended, time.monotonic()
            if not active or time.monotonic() - since > STUCK:
                return
            time.sleep(0.5)

    def _look(self, job: Job) -> tuple[bool, int]:
        with self._store.read() as conn:
            counts = counters.read(conn, job.id)
        return jobs.get(self._store, job.id).state in ACTIVE_JOB, sum(counts.ended(s) for s in FINAL)

    def _patiently(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except Unavailable:
                time.sleep(0.5)

    def _conclude(self, number: int, crawl: Crawl, faults: Faults, took: float) -> None:
        """Lets the last ends reach Redis, then counts."""
        until = time.monotonic() + (_SETTLE_AFTER_FAILOVER if self._args.redis == "sentinel" else _SETTLE)
        time.sleep(3)
        while True:
            report = self._patiently(lambda: verify(self._store, self._redis.url, crawl))
            if not report.violations or time.monotonic() > until:
                break
            time.sleep(2)
        self._counts += faults.counts()
        self._rows.append(self._row(number, crawl, report, sum(faults.counts().values()), took))
        print(self._rows[-1], *(f"    note: {n}" for n in report.notes[:6]), sep="\n", flush=True)
        print(*(f"    VIOLATION: {v}" for v in report.violations[:20]), sep="\n", flush=True)
        self.problems += [f"crawl {number}: {v}" for v in report.violations]

    def _row(self, number: int, crawl: Crawl, report: Report, faults: int, took: float) -> str:
        n = report.numbers
        options = f"{'map' if crawl.job.options.use_sitemap else 'links'} max {crawl.job.options.max_pages}"
        cells = (self._name, number, options, f"{took:.0f} s", faults, n["pages"], n["visits"], n["crashes"])
        return f"| {' | '.join(map(str, cells))} | {n['recovery']} | {len(report.violations)} |"

    def _print(self) -> None:
        print("\n| database | crawl | found by | took | faults | pages | fetches | crashes | recovery | violations |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", *self._rows, sep="\n")
        print(f"faults: {sum(self._counts.values())}: {dict(self._counts)}\nlogs: {self._home}")
        for problem in self.problems:
            print(f"VIOLATION (seed {self._seed}): {problem}")


if __name__ == "__main__":
    main()
