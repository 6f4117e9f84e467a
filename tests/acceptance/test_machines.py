"""Crawlyard on eight machines of a network that fails: cut off, half cut off, slow and lossy, and healed."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from shared.embedded import EmbeddedRedis, start_redis
from shared.queue import connect
from shared.states import TaskKind, TaskState
from shared.store.tables import job_state, tasks
from tests.acceptance.system import System
from tests.conftest import missing
from tests.network import Host, Network, NoNetwork
from tests.postgres import PostgresServer, find_binaries
from tests.site import Site, linked_site
from tests.waiting import until

#: its moments are measured, or it needs the machine: not beside other tests
pytestmark = pytest.mark.alone

WORKERS = ("worker1", "worker2", "worker3")
PAGES, CONCURRENCY, THREADS = 900, 24, 8
#: seconds that each page takes until all is healed, so that the crawl outlasts every cut however slow this machine is
DELAY = 1.5
#: seconds for what a free machine does in twenty at most
LONG = 120


class Database(PostgresServer):
    """PostgreSQL on a machine of its own."""

    def __init__(self, binaries: str, address: str) -> None:
        self.address = address
        super().__init__(binaries)


class Machines(System):
    """One process of the Procfile on each machine; the caller is on a machine too."""

    def __init__(self, network: Network, home: Path, redis: EmbeddedRedis, database_url: str) -> None:
        self.network = network
        site, api = network.hosts["site"].address, network.hosts["api"].address
        env = {"CRAWLYARD_ALLOW_PRIVATE": site, "CRAWLYARD_BIND": api, "WORKER_THREADS": str(THREADS)}
        super().__init__(home, database_url, redis=redis, **env)
        self.patience = LONG

    def url(self, path: str) -> str:
        return f"http://{self.network.hosts['api'].address}:{self.port}{path}"

    def on(self, host: str, name: str) -> "subprocess.Popen[bytes]":
        """Starts a process of the Procfile on a machine."""
        with self.network.hosts[host].inside():
            return self.run(host, self._commands[name])

    def start(self, workers: int = len(WORKERS)) -> None:
        self.on("api", "web")
        self.on("scheduler", "scheduler")
        self.workers = [self.on(name, "worker") for name in WORKERS[:workers]]
        until(self._is_ready, LONG, "the API is not ready: " + str(self.home))


@pytest.fixture
def network() -> Iterator[Network]:
    """The machines; this test is on `client`."""
    try:
        made = Network("client", "api", "redis", "db", *WORKERS, "scheduler", "site")
    except NoNetwork as error:
        missing(str(error))
    with made, made.hosts["client"].inside():
        yield made


@pytest.fixture
def site(network: Network) -> Iterator[Site]:
    host = network.hosts["site"]
    with host.inside():
        made = Site(linked_site(PAGES), delay=DELAY, address=host.address)
    with made:
        yield made


def start_listening(host: Host, home: Path) -> EmbeddedRedis:
    """Redis on a machine of its own."""
    with host.inside():
        server = start_redis(home)
        with connect(server.url) as link:
            link.config_set("protected-mode", "no")
            link.config_set("bind", f"127.0.0.1 {host.address}")
    server.url = f"redis://{host.address}:{server.port}/0"
    return server


@pytest.fixture
def machines(network: Network, tmp_path: Path) -> Iterator[Machines]:
    """Everything installed, nothing started yet."""
    binaries = find_binaries()
    if binaries is None or shutil.which("setpriv") is None:
        missing("PostgreSQL is not installed (initdb, postgres and setpriv are needed)")
    with network.hosts["db"].inside():
        database = Database(binaries, network.hosts["db"].address)
    redis = start_listening(network.hosts["redis"], tmp_path)
    try:
        with Machines(network, tmp_path, redis, database.url(database.create())) as made:
            yield made
    finally:
        database.stop()


def test_the_accounting_is_exact_after_every_kind_of_cut(machines: Machines, site: Site) -> None:
    hosts = machines.network.hosts
    machines.start()
    job = machines.crawl(site.url(), concurrency=CONCURRENCY)
    until(lambda: machines.pages_done(job) > 60, LONG)

    hosts["worker3"].throttle("400kbit", queue=3200)
    hosts["worker1"].unplug()
    until(lambda: crashes(machines), LONG, "what the lost worker held is taken back")
    hosts["worker1"].plug_in()

    hosts["redis"].drop_answers_to(hosts["worker2"])
    until(lambda: "Redis is away" in machines.log("worker2"), LONG, "the worker misses Redis")
    before = machines.pages_done(job)
    until(lambda: machines.pages_done(job) > before + 50, LONG, "the others go on")
    hosts["redis"].answer(hosts["worker2"])

    assert hosts["worker3"].unthrottle() > 0
    site.delay = 0.05
    machines.ended(job, 2 * LONG)
    assert_exact(machines, job, site)
    assert_fetched_once(machines, site)
    assert all(process.poll() is None for process in machines.workers)
    assert not re.search("Traceback", "".join(machines.log(name) for name in (*WORKERS, "scheduler", "api")))


def crashes(machines: Machines) -> int:
    """How often a worker was taken for dead, by the record."""
    return sum(row.crashes for row in rows(machines))


def rows(machines: Machines) -> list[Any]:
    engine = create_engine(machines.env["DATABASE_URL"])
    with engine.connect() as conn:
        found = list(conn.execute(select(tasks).where(tasks.c.kind == TaskKind.CRAWL_PAGE)))
    engine.dispose()
    return found


def assert_exact(machines: Machines, job: str, site: Site) -> None:
    """Each page has one task and one final state; counts equal a recount; nothing hangs anywhere."""
    assert Counter(row.path for row in rows(machines)) == Counter(site.pages.keys())
    assert {row.state for row in rows(machines)} == {TaskState.COMPLETED}
    assert {row.attempts for row in rows(machines)} <= {1, 2, 3}
    summary = machines.get(f"/v1/jobs/{job}/tasks?limit=1")["summary"]
    assert {state: n for state, n in summary["by_status"].items() if n} == {"completed": PAGES}
    progress = machines.job(job)["progress"]
    assert (progress["completed_tasks"], progress["total_tasks"]) == (PAGES, PAGES)
    engine = create_engine(machines.env["DATABASE_URL"])
    with engine.connect() as conn:
        assert conn.execute(select(func.sum(job_state.c.n_open + job_state.c.n_inflight))).scalar() == 0
    engine.dispose()
    with connect(machines.redis.url) as link:
        left = [f"rq:{kind}:{name}" for kind in ("queue", "wip") for name in ("crawl", "discover")]
        until(lambda: not any(link.exists(key) for key in left), 30, "Redis holds nothing more of it")
    assert machines.get("/api/jobs/stats")["data"]["total"] == 0


def assert_fetched_once(machines: Machines, site: Site) -> None:
    """No page was asked for twice, but for those in flight at one of the three cuts.

    Each start asks once; a thread that has read its page may have begun another one, and been cut off before that was
    on record.
    """
    asked = Counter(request.path for request in site.requests if request.path in site.pages)
    found = rows(machines)
    assert sum(max(0, asked[r.path] - r.run) for r in found) <= 3 * THREADS
    assert min(asked.values()) == 1
    assert sum(asked[r.path] - r.attempts for r in found) < 3 * CONCURRENCY
