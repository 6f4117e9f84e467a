"""One soak: services, processes and crawls on one database, until the minutes are over."""

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
from typing import Any, TypeVar

from shared.errors import Unavailable
from shared.ports import free_port
from shared.states import ACTIVE_JOB, FINAL
from shared.store import Store, counters, jobs, keys, migrate, open_store
from tests.receiver import Receiver
from tests.sentinels import SentinelRedis
from tests.soak import logs
from tests.soak.disk import SmallDisk
from tests.soak.door import Door, Visitor
from tests.soak.faults import Faults, Target
from tests.soak.fleet import Fleet, Role, group
from tests.soak.report import Crawl, Report, Witnesses
from tests.soak.services import Postgres, RedisServer
from tests.soak.verify import verify

T = TypeVar("T")
#: seconds without any page ended after which a job is stuck, and that the end of the faults leaves it
STUCK = 90.0
#: for the last ends; a delivery whose word was lost with Redis is queued again when its claim of 30 s runs out
_SETTLE = 45.0
#: a replica may bring back delays that were over; they are cleared away a minute after they were due
_SETTLE_AFTER_FAILOVER = 100.0
REDIS: dict[str, type[RedisServer] | type[SentinelRedis]] = {"single": RedisServer, "sentinel": SentinelRedis}
_SECRET = "soak-only-0123456789abcdef0123456789abcdef"
_HEAD = "database crawl found took faults pages fetches crashes recovery violations".split()


class Soak:
    """Services, processes and crawls on one database."""

    def __init__(self, args: argparse.Namespace, database: str, redis: str, seed: int) -> None:
        self._args, self._seed, self._rng = args, seed, random.Random(seed)
        self._name = database if redis == "single" else f"{database}, {redis}"
        self._home = Path(tempfile.mkdtemp(prefix=f"crawlyard-soak-{database}-"))
        self._home.chmod(0o711)  # PostgreSQL, who is not root, passes through
        self._disk = SmallDisk(self._home / "disk", 600) if args.can_mount else None
        self._redis = REDIS[redis](self._home / "redis")
        self._postgres = Postgres(self._home / "disk" if self._disk else None) if database == "postgres" else None
        self._sqlite = None if self._postgres else self._home / ("disk/soak.db" if self._disk else "soak.db")
        self._url = self._postgres.url(self._postgres.create()) if self._postgres else f"sqlite:///{self._sqlite}"
        migrate.upgrade(self._url)
        self._store: Store = open_store(self._url)
        self._ports = {"api": free_port(), "site": free_port()}
        self._door = Door(self._ports["api"], keys.create(self._store, None, "soak")[1])
        self.problems: list[str] = []
        self._counts: Counter[str] = Counter()
        self._rows: list[str] = []
        self._crawled: set[str] = set()

    def run(self) -> bool:
        """Crawls until the minutes are over; whether nothing was violated."""
        fleet = Fleet(self._roles(), self._env(), self._home)
        with Receiver() as receiver:
            try:
                hook = {"url": receiver.url("/hook"), "events": ["job.completed", "page.changed"]}
                self._door.call("POST", "/api/webhooks", json=hook)
                deadline = time.monotonic() + 60 * self._args.minutes
                while time.monotonic() < deadline:
                    self._one(fleet, receiver, deadline)
            finally:
                fleet.stop()
                self._redis.stop()
                if self._postgres:
                    self._postgres.stop()
        self.problems += fleet.problems + self._door.problems + logs.complaints(fleet.logs.values())
        self._print()
        return not self.problems

    def _roles(self) -> list[Role]:
        schedulers = [Role(f"scheduler{n}", ("scheduler",)) for n in range(1 + self._seed % 2)]
        return [
            group(1, self._args.threads),
            group(2, self._args.threads),
            Role("api", ("api.cli", "api")),
            *schedulers,
        ]

    def _env(self) -> dict[str, str]:
        return {
            **os.environ,
            "CRAWLYARD_HOME": str(self._home),
            "REDIS_URL": self._redis.url,
            "DATABASE_URL": self._url,
            "CRAWLYARD_ALLOW_PRIVATE": "127.0.0.0/8",
            "CRAWLYARD_BIND": "127.0.0.1",
            "CRAWLYARD_RATE_LIMIT": "0",
            "CRAWLYARD_SECRET_KEY": _SECRET,
            "PORT": str(self._ports["api"]),
            "LOG_LEVEL": "WARNING",
            "GRACE": "8",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "PYTHONUNBUFFERED": "1",
        }

    # -- one crawl -------------------------------------------------------------------

    def _one(self, fleet: Fleet, receiver: Receiver, deadline: float) -> None:
        number = len(self._rows) + 1
        log = self._home / f"site{number}.log"
        site = self._serve(number, log)
        try:
            witnesses = Witnesses(self._door, self._redis.url, receiver, log, frozenset(self._crawled), number)
            crawl = Crawl(self._submit(), self._args.pages, witnesses)
            target = Target(fleet, self._redis, self._postgres, self._sqlite, self._disk, crawl.events)
            target.only = frozenset(filter(None, self._args.faults.split(",")))
            target.every, target.calmly = tuple(self._args.every), not (self._args.short or target.only)
            took = self._under_fire(crawl, Faults(target, self._rng), deadline)
            self._conclude(number, crawl, took)
        finally:
            site.kill()
            site.wait()

    def _serve(self, number: int, log: Path) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "tests.soak.site", "--pages", str(self._args.pages), "--seed", str(self._seed)]
        argv += ["--version", str(number), "--port", str(self._ports["site"]), "--log", str(log)]
        site = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert site.stdout is not None
        site.stdout.readline()
        return site

    def _submit(self) -> Any:
        asked = {
            "domain": f"http://127.0.0.1:{self._ports['site']}",
            "concurrency": self._args.concurrency,
            "use_sitemap": self._rng.random() < 0.5,
            "max_pages": self._rng.choice((0, 0, self._args.pages * 2 // 3)),
        }
        told = self._door.call("POST", "/v1/jobs", json=asked)
        print(f"job {told['id']}: sitemap {asked['use_sitemap']}, max_pages {asked['max_pages']}", flush=True)
        return told

    def _under_fire(self, crawl: Crawl, faults: Faults, deadline: float) -> float:
        """Crawls while faults are injected, then without; seconds that it took."""
        started, visitor = time.monotonic(), Visitor(self._door, crawl.uid)
        faults.start()
        visitor.start()
        try:
            self._await_end(crawl, deadline)
        finally:
            faults.stop()
        self._await_end(crawl, float("inf"))
        visitor.stop()
        return time.monotonic() - started

    def _await_end(self, crawl: Crawl, deadline: float) -> None:
        """Waits for the job's end, at most until the deadline or until nothing happens any more."""
        ended, since = -1, time.monotonic()
        while time.monotonic() < deadline:
            active, now_ended = self._patiently(lambda: self._look(crawl.number))
            if now_ended != ended:
                ended, since = now_ended, time.monotonic()
            if not active or time.monotonic() - since > STUCK:
                return
            time.sleep(0.5)

    def _look(self, job_no: int) -> tuple[bool, int]:
        with self._store.read() as conn:
            counts = counters.read(conn, job_no)
        return jobs.get(self._store, job_no).state in ACTIVE_JOB, sum(counts.ended(s) for s in FINAL)

    def _patiently(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except Unavailable:
                time.sleep(0.5)

    def _conclude(self, number: int, crawl: Crawl, took: float) -> None:
        """Lets the last ends reach Redis and receivers, then counts."""
        until = time.monotonic() + (_SETTLE_AFTER_FAILOVER if isinstance(self._redis, SentinelRedis) else _SETTLE)
        time.sleep(3)
        while True:
            report = self._patiently(lambda: verify(self._store, crawl))
            if not report.violations or time.monotonic() > until:
                break
            time.sleep(2)
        self._counts += Counter(event.name for event in crawl.events)
        self._crawled |= report.completed
        self._rows.append(self._row(number, crawl, report, took))
        print(self._rows[-1], *(f"    note: {n}" for n in report.notes[:8]), sep="\n", flush=True)
        print(*(f"    VIOLATION: {v}" for v in report.violations[:20]), sep="\n", flush=True)
        self.problems += [f"crawl {number}: {v}" for v in report.violations]

    def _row(self, number: int, crawl: Crawl, report: Report, took: float) -> str:
        n, asked = report.numbers, crawl.told
        found = ("sitemap" if asked["use_sitemap"] else "links") + (f", max {m}" if (m := asked["max_pages"]) else "")
        cells = (self._name, number, found, f"{took:.0f} s", len(crawl.events), n["pages"], n["visits"], n["crashes"])
        return f"| {' | '.join(map(str, cells))} | {n['recovery']} | {len(report.violations)} |"

    def _print(self) -> None:
        print(f"\n| {' | '.join(_HEAD)} |", f"|{' --- |' * len(_HEAD)}", *self._rows, sep="\n")
        print(f"faults: {sum(self._counts.values())}: {dict(self._counts.most_common())}")
        print(f"answers of the API: {dict(self._door.statuses)}\nseed: {self._seed}, logs: {self._home}")
        for problem in self.problems:
            print(f"VIOLATION (seed {self._seed}): {problem}")
