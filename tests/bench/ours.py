"""Crawls by the Procfile's processes, measured: what one crawl took of each process."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.settings import Settings, worker_env
from tests.acceptance.system import System
from tests.bench.gauge import Usage, usage
from tests.bench.servers import KeptServer
from tests.postgres import find_binaries

#: seconds that a crawl may take
_PATIENCE = 900
#: seconds between two looks whether it has ended: a look takes CPU time, and its end is on record to the microsecond
_LOOK = 0.25


@dataclass(frozen=True, slots=True)
class Crawled:
    """One crawl."""

    pages: int
    #: from the job's start to its end
    seconds: float
    worker: Usage
    #: Redis, scheduler and API together
    others: Usage
    #: the PostgreSQL server; zeros on SQLite
    database: Usage

    @property
    def per_second(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Pages for each second of the worker's CPU."""
        return self.pages / self.worker.cpu


class Rig:
    """A running system whose processes can be measured."""

    def __init__(self, system: System, database: KeptServer | None, database_url: str) -> None:
        self.system, self._database, self.database_url = system, database, database_url

    def crawl(self, host: str, patience: float = _PATIENCE, **options: Any) -> Crawled:
        """Crawls a site by its links. Fails when it takes longer than `patience` (seconds)."""
        before = self._usages()
        submitted = self.system.crawl(f"http://{host}/", use_sitemap=False, **options)
        job = self.system.ended(submitted, patience, _LOOK)
        worker, others, database = (now.since(then) for now, then in zip(self._usages(), before, strict=True))
        began, ended = (datetime.fromisoformat(job[key]) for key in ("started_at", "completed_at"))
        pages = job["progress"]["completed_tasks"]
        return Crawled(pages, (ended - began).total_seconds(), worker, others, database)

    def crawl_by(self, worker: list[str], host: str, **env: str) -> Crawled:
        """Crawls a site with a worker of its own (arguments of the interpreter), which has ended then."""
        for process in self.system.workers:
            process.terminate()
            process.wait(60)
        env = {"GLIBC_TUNABLES": worker_env(Settings.from_env({}))["GLIBC_TUNABLES"], **env}
        self.system.workers = [self.system.run("worker", [sys.executable, *worker], **env)]
        crawled = self.crawl(host)
        for process in self.system.workers:
            process.terminate()
            process.wait(60)
        return crawled

    def _usages(self) -> tuple[Usage, Usage, Usage]:
        workers = {process.pid for process in self.system.workers}
        rest = [p.pid for p in self.system._processes if p.pid not in workers] + [self.system.redis.process.pid]
        database = usage(self._database.pid) if self._database else Usage(0.0, 0.0)
        return _sum(map(usage, workers)), _sum(map(usage, rest)), database


def _sum(parts: Iterator[Usage]) -> Usage:
    found = list(parts)
    return Usage(sum(u.cpu for u in found), sum(u.memory_mb for u in found))


@contextlib.contextmanager
def running(cache: Path, database: str, host: str, workers: int = 1, **env: str) -> Iterator[Rig]:
    """A fresh system on sqlite or postgres that may crawl these hosts (separated by commas)."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crawlyard-bench-")))
        server, url = None, f"sqlite:///{home}/bench.db"
        if database == "postgres":
            server, url = stack.enter_context(_postgres(cache))
        env = {"WORKER_THREADS": "32", **env}
        system = stack.enter_context(System(home, url, CRAWLYARD_ALLOW_PRIVATE=host, **env))
        system.start(workers)
        yield Rig(system, server, url)


@contextlib.contextmanager
def _postgres(cache: Path) -> Iterator[tuple[KeptServer, str]]:
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed")
    cache.chmod(0o755)
    server = KeptServer(binaries, cache / "postgres-crawls")
    try:
        server.drop("bench")
        server.create("bench")
        yield server, server.url("bench")
    finally:
        server.drop("bench")
        server.stop()
